"""Read events: one stream, or the whole log in an order without gaps.

The order of the log is ``(epoch, xid, position)``. Of the current epoch only transactions that cannot be followed by an
earlier one are read: those below the oldest that is still running (``pg_snapshot_xmin``). Source: PostgreSQL
documentation, System Information Functions, pg_snapshot.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import asyncpg
import msgspec

from domain.event import Event
from eventstore.codec import blanked, decode, sealed_fields
from eventstore.connection import database_at_hand
from eventstore.keyring import Keyring
from eventstore.log import START, Cursor, StoredEvent, class_of

PAGE = 2000
"""Events read at a time."""

READ_STREAM = """
    SELECT e.epoch, e.xid, e.position, e.stream, e.version, e.type, e.company_id, e.time, e.data, e.meta, e.payload,
    e.hash
      FROM events e
     WHERE e.class = $1 AND e.stream = $2 AND e.version >= $3 AND e.version <= $4
       AND e.time >= coalesce((SELECT s.first_time FROM streams s WHERE s.stream = $2), '-infinity')
       AND e.time <= coalesce((SELECT s.last_time FROM streams s WHERE s.stream = $2), 'infinity')
     ORDER BY e.version LIMIT $5
"""
READ_STREAM_BACKWARDS = READ_STREAM.replace("ORDER BY e.version", "ORDER BY e.version DESC")
READ_LOG = "SELECT * FROM read_log($1, $2, $3, $4, $5, $6, $7)"
END_OF_EPOCH = """
    SELECT e.epoch, e.xid, e.position FROM events e
     WHERE e.epoch = $1
       AND ($1 < (SELECT max(l.epoch) FROM log_epoch l) OR e.xid < pg_snapshot_xmin(pg_current_snapshot()))
     ORDER BY e.epoch DESC, e.xid DESC, e.position DESC LIMIT 1
"""
NO_END = 2**31 - 1


class Recorded:
    """An event read back, with its place and metadata. The event itself is decoded when it is first asked for."""

    __slots__ = ("_event", "_opened", "stored")

    def __init__(self, stored: StoredEvent, opened: dict[str, Any] | None = None) -> None:
        self.stored = stored
        self._opened = opened
        self._event: Event | None = None

    @property
    def cursor(self) -> Cursor:
        """Place in the log."""
        return Cursor(self.stored.epoch, self.stored.xid, self.stored.position)

    @property
    def stream(self) -> str:
        """Name of the stream."""
        return self.stored.stream

    @property
    def version(self) -> int:
        """Version in the stream, from 1."""
        return self.stored.version

    @property
    def type(self) -> str:
        """Name of the event type."""
        return self.stored.type

    @property
    def company_id(self) -> int | None:
        """Company that the event belongs to; None: the installation."""
        return self.stored.company_id

    @property
    def time(self) -> datetime:
        """When it was recorded."""
        return self.stored.time

    @property
    def payload(self) -> bytes | None:
        """Raw bytes, as stored."""
        return self.stored.payload

    @property
    def hash(self) -> bytes:
        """Hash of the stream's chain up to here."""
        return self.stored.hash

    @property
    def meta(self) -> dict[str, Any]:
        """Metadata as stored."""
        return msgspec.json.decode(self.stored.meta)

    @property
    def event(self) -> Event:
        """The event in the shape of today.

        Raises
        ------
        UnknownEventTypeError, NewerEventError
            It was written by a newer version of the program.
        """
        if self._event is None:
            self._event = decode(self.stored.type, self.stored.data, self.meta.get("v", 1), self._opened)
        return self._event

    def without(self, blanks: Mapping[str, msgspec.Raw]) -> Event:
        """Return the event with large members that the caller has no use for left empty, which is much faster.

        Parameters
        ----------
        blanks : Mapping[str, msgspec.Raw]
            JSON text of what stands in the place of these members, where the event has them.
        """
        data = blanked(self.stored.data, blanks)
        return decode(self.stored.type, data, self.meta.get("v", 1), self._opened)

    def __repr__(self) -> str:
        return f"Recorded({self.cursor} {self.stream}@{self.version} {self.type})"


async def recorded(rows: Sequence[Any], keyring: Keyring) -> list[Recorded]:
    """Return rows of the log as events, their personal fields opened or marked as erased."""
    stored = [StoredEvent(*row) for row in rows]
    sealed = {
        number: fields for number, event in enumerate(stored) if (fields := sealed_fields(event.type, event.data))
    }
    if not sealed:
        return [Recorded(event) for event in stored]
    await keyring.load(envelope["key"] for fields in sealed.values() for envelope in fields.values())
    return [
        Recorded(
            event,
            {
                field: keyring.unseal(envelope, f"{event.stream}|{field}")
                for field, envelope in sealed.get(number, {}).items()
            },
        )
        for number, event in enumerate(stored)
    ]


class Fetches(Protocol):
    """What rows can be fetched from: a pool, or one that acts for some companies."""

    async def fetch(self, query: str, /, *arguments: Any) -> list[Any]:
        """Return the rows of a query."""
        ...


async def read_stream(
    pool: Fetches,
    keyring: Keyring,
    stream: str,
    *,
    start: int = 1,
    end: int | None = None,
    backwards: bool = False,
    page: int = PAGE,
) -> AsyncIterator[Recorded]:
    """Yield the events of a stream from version ``start`` to ``end``, both included, or from ``end`` back."""
    low, high = start, NO_END if end is None else end
    query = READ_STREAM_BACKWARDS if backwards else READ_STREAM
    while low <= high:
        with database_at_hand():
            rows = await pool.fetch(query, class_of(stream), stream, low, high, page)
        for event in await recorded(rows, keyring):
            yield event
        if len(rows) < page:
            return
        last: int = rows[-1]["version"]
        low, high = (low, last - 1) if backwards else (last + 1, high)


async def read_page(
    pool: asyncpg.Pool | asyncpg.Connection,
    after: Cursor,
    current_epoch: int,
    *,
    categories: Sequence[str] | None = None,
    company_id: int | None = None,
    limit: int = PAGE,
    payloads: bool = True,
) -> list[asyncpg.Record]:
    """Return the next rows of the log after a cursor, in order; fewer than ``limit`` only at the end of the log."""
    wanted = None if categories is None else list(categories)
    found: list[asyncpg.Record] = []
    while True:
        left = limit - len(found)
        place = (after.epoch, after.xid, after.position)
        with database_at_hand():
            found += await pool.fetch(READ_LOG, *place, wanted, company_id, left, payloads)
        if len(found) >= limit or after.epoch >= current_epoch:
            return found
        after = Cursor(after.epoch + 1, 0, 0)


async def end_of_log(pool: asyncpg.Pool, current_epoch: int) -> Cursor:
    """Return the place of the last event that readers can see."""
    for epoch in range(current_epoch, 0, -1):
        with database_at_hand():
            row = await pool.fetchrow(END_OF_EPOCH, epoch)
        if row is not None:
            return Cursor(*row)
    return START


async def read_log(
    pool: asyncpg.Pool,
    keyring: Keyring,
    after: Cursor,
    current_epoch: Callable[[], int],
    *,
    categories: Sequence[str] | None = None,
    company_id: int | None = None,
    page: int = PAGE,
    payloads: bool = True,
) -> AsyncIterator[Recorded]:
    """Yield the events of the log after a cursor, in order, up to its end as it is when reached. Memory: one page."""
    while True:
        rows = await read_page(
            pool,
            after,
            current_epoch(),
            categories=categories,
            company_id=company_id,
            limit=page,
            payloads=payloads,
        )
        for event in await recorded(rows, keyring):
            yield event
        if len(rows) < page:
            return
        after = Cursor(rows[-1]["epoch"], rows[-1]["xid"], rows[-1]["position"])
