"""Errors of bringing a database up to date; each message says what to do."""

from __future__ import annotations


class SchemaError(Exception):
    """Base of the errors of migrations."""


class NewerSchemaError(SchemaError):
    """A newer version of the program has already migrated the database."""


class DatabaseRefusedError(SchemaError):
    """The database is down, read-only, too old, or refuses its owner."""
