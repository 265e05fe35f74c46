"""The real components that tests run against, each started here."""
