"""Pages: each module has the handlers of one page, of its JSON and of its live stream."""
