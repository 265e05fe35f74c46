"""Read models: what is read is folded from events, and can be folded anew at any time."""
