"""Servers that answer as those of others do, for what cannot run here."""
