"""What pages show, read into plain structures; the JSON beside a page is the same structure."""
