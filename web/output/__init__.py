"""Output of jobs as people read it: bytes to lines, with the colours that terminals would show."""
