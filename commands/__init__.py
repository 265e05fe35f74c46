"""The shell around the domain: load, authorise, decide, append."""
