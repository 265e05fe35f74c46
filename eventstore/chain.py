"""The hash chain of a stream: each event's hash covers its bytes as stored and the hash of the event before it.

The twin of ``schema/functions/030.event_digest.sql``: both make the same bytes, and a test compares them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

ZERO = bytes(32)
"""Stands for the hash before the first event of a stream."""

REMEMBERED = 100_000
"""Streams whose last event is kept at hand, at least; twice as many at most."""


def payload_digest(payload: bytes | None) -> bytes | None:
    """Return the SHA-256 of the payload of an event (32 bytes), or None if it has none."""
    return None if payload is None else hashlib.sha256(payload).digest()


def event_digest(
    stream: str,
    type_: str,
    company_id: int | None,
    micros: int | None,
    data: str,
    meta: str,
    payload: bytes | None,
) -> bytes:
    """Return the digest of an event as stored.

    Parameters
    ----------
    stream, type_ : str
        Stored columns.
    company_id : int or None
        Stored column.
    micros : int or None
        Time in microseconds since 1970 (UTC).
    data, meta : str
        Text of the stored JSON, as PostgreSQL writes ``jsonb``.
    payload : bytes or None
        Stored column.

    Returns
    -------
    bytes
        32 bytes, SHA-256.

    Examples
    --------
    >>> event_digest("job-1", "JobStarted", 7, 0, "{}", "{}", None).hex()[:16]
    '1a7bfb5425bba87a'
    """
    company = "" if company_id is None else company_id
    digest = payload_digest(payload)
    content = "-" if digest is None else digest.hex()
    return hashlib.sha256(f"{stream}|{type_}|{company}|{micros}|{content}|{data}{meta}".encode()).digest()


def chained(previous: bytes, digest: bytes) -> bytes:
    """Return the hash of an event: that of the event before it in the stream (or :data:`ZERO`), and its digest."""
    return hashlib.sha256(previous + digest).digest()


class Chains:
    """The last known event of the streams met lately, in bounded memory.

    Streams that were not met for a while are forgotten; whoever checks a chain then has to look the event before up.

    Attributes
    ----------
    young : dict[str, tuple[int, bytes]]
        Version and stored hash of the last event of each stream.
    doubtful : dict[str, bytes]
        Hash that follows from the content of a stream's last event, where the stored one is another.
    """

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._old: dict[str, tuple[int, bytes]] = {}
        self.young: dict[str, tuple[int, bytes]] = {}
        self.doubtful: dict[str, bytes] = {}

    def recall(self, streams: Iterable[str]) -> None:
        """Have these streams in :attr:`young`, as far as they are known; forget the oldest if there are too many."""
        if len(self.young) > self._remembered:
            self.young, self._old = {}, self.young
        if len(self.doubtful) > self._remembered:
            self.doubtful.clear()
        if self._old:
            old, young = self._old, self.young
            for stream in streams:
                if stream in old and stream not in young:
                    young[stream] = old[stream]
