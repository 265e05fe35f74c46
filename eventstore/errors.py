"""Errors of the event store, one tree; each message says what happened, what was expected and what to do."""

from __future__ import annotations


class EventStoreError(Exception):
    """Base of all errors of the event store."""


class SettingsError(EventStoreError):
    """The settings of this process are missing or wrong."""


class DatabaseUnavailableError(EventStoreError, ConnectionError):
    """The database cannot be reached or does not accept writes.

    Also a :class:`ConnectionError`: who waits for a database that comes back need not care who noticed that it is away.
    """


class UnsupportedDatabaseError(EventStoreError):
    """The PostgreSQL server is older than the oldest supported version."""


class ConcurrencyError(EventStoreError):
    """A stream was not at the expected version.

    Attributes
    ----------
    stream : str
        Stream that was appended to.
    expected : int
        Version the caller expected (0: no stream).
    found : int
        Version the stream has (0: there is none).
    """

    def __init__(self, stream: str, expected: int, found: int) -> None:
        super().__init__(
            f"Stream {stream} is at version {found}, expected {expected}. Somebody changed it meanwhile: "
            "read it again and decide anew."
        )
        self.stream = stream
        self.expected = expected
        self.found = found


class UniqueError(EventStoreError):
    """An inline projection refused an append: a value that must be unique is in use.

    Attributes
    ----------
    constraint : str
        Name of the unique constraint, e.g. ``company_slug_key``.
    """

    def __init__(self, constraint: str, detail: str = "") -> None:
        super().__init__(f"A value that must be unique is in use ({constraint}). {detail}".rstrip())
        self.constraint = constraint


class StreamCompanyError(EventStoreError):
    """An event of one company was appended to a stream of another."""


class IdempotencyKeyError(EventStoreError):
    """An idempotency key was used again for a different command."""


class UnknownEventTypeError(EventStoreError):
    """An event type that this program does not know."""


class NewerEventError(EventStoreError):
    """An event was written by a newer version of the program."""


class PayloadTooLargeError(EventStoreError):
    """An event is larger than the limit."""


class MasterKeyError(EventStoreError):
    """The master key is missing or does not open the stored keys."""


class LogMovedError(EventStoreError):
    """The log was restored into another cluster and not adopted yet."""


class SubscriptionError(EventStoreError):
    """A subscription cannot go on."""


class SecretError(EventStoreError):
    """A stored secret cannot be opened: its key is gone, or it was altered or moved."""
