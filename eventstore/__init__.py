"""The event store: append, read, subscribe, encrypt personal data, prove integrity."""
