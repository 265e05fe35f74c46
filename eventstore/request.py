"""What callers want appended, on its way to the database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from eventstore.errors import EventStoreError
from eventstore.log import Appended

Answer: TypeAlias = list[Appended] | EventStoreError
"""What a request came to."""


class Entry(NamedTuple):
    """Events of one stream, encoded: what the database is sent."""

    stream: str
    class_: int
    company_id: int | None
    expected: int
    types: Sequence[str]
    data: Sequence[str]
    meta: Sequence[str]
    payloads: Sequence[bytes | None]
    payload_digests: Sequence[bytes | None]


class Request:
    """What one caller wants appended as a whole, and what it came to.

    Attributes
    ----------
    simple : bool
        Whether it is one event that may be tried without being judged first.
    touched : tuple[str, ...]
        Names that no two transactions at a time may touch: streams, and the idempotency key.
    size : int
        Number of events.
    future : asyncio.Future or None
        What the caller waits for, unless it sends the request itself.
    answer : Answer or None
        None until it is settled.
    """

    __slots__ = ("answer", "entries", "fingerprint", "future", "key", "simple", "size", "touched")

    def __init__(self, entries: list[Entry], key: str | None, fingerprint: bytes | None, simple: bool) -> None:
        self.entries = entries
        self.key = key
        self.fingerprint = fingerprint
        self.simple = simple
        self.future: asyncio.Future[list[Appended]] | None = None
        self.answer: Answer | None = None
        if simple:
            self.touched: tuple[str, ...] = (entries[0][0],)
            self.size = 1
            return
        names = [entry.stream for entry in entries]
        self.touched = tuple(names if key is None else [*names, f"key {key}"])
        self.size = sum(len(entry.types) for entry in entries)

    def settle(self, answer: Answer) -> None:
        """Hand over what it came to; what came first counts."""
        if self.answer is not None:
            return
        self.answer = answer
        if self.future is None or self.future.done():
            return
        if isinstance(answer, EventStoreError):
            self.future.set_exception(answer)
        else:
            self.future.set_result(answer)
