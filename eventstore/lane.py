"""One connection that appends, and the statements that do it.

Most appends are single events of single streams that nobody else touches. For them a statement assumes that all is well
and writes nothing where it is not; what it did not write goes to ``append_batch``, which judges.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import asyncpg

from eventstore.errors import ConcurrencyError, EventStoreError, IdempotencyKeyError, StreamCompanyError
from eventstore.log import Appended, Cursor

SETTINGS = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off"
"""A plan that was made while the tables were small must not outlive that: heads are found by index."""

NEW_EVENT = """
    WITH head AS (
        INSERT INTO streams AS s (stream, class, company_id, version, hash, xid, first_time, last_time)
        VALUES ($2, $3, $4, 1, sha256('\\x0000000000000000000000000000000000000000000000000000000000000000'::bytea
                   || event_digest(
                       $2, $5, $4, micros_of(statement_timestamp()), $6::jsonb::text, $7::jsonb::text, $8)),
                pg_current_xact_id(), statement_timestamp(), statement_timestamp())
        ON CONFLICT (stream) DO NOTHING
        RETURNING s.hash
    )
    INSERT INTO events AS e (epoch, class, stream, version, type, company_id, time, data, meta, payload, hash)
    SELECT $1, $3, $2, 1, $5, $4, statement_timestamp(), $6, $7, $8, head.hash FROM head
    RETURNING e.xid, e.position
"""
"""The first event of a new stream; no row if there is one."""

NEXT_EVENT = """
    WITH head AS (
        UPDATE streams AS s
           SET version = s.version + 1, xid = pg_current_xact_id(), last_time = statement_timestamp(),
               hash = sha256(s.hash || event_digest(
                   $2, $5, $4, micros_of(statement_timestamp()), $6::jsonb::text, $7::jsonb::text, $8))
         WHERE s.stream = $2 AND s.version = $9 AND s.company_id IS NOT DISTINCT FROM $4
           AND s.last_time <= statement_timestamp() AND s.xid <= pg_current_xact_id()
        RETURNING s.hash
    )
    INSERT INTO events AS e (epoch, class, stream, version, type, company_id, time, data, meta, payload, hash)
    SELECT $1, $3, $2, $9 + 1, $5, $4, statement_timestamp(), $6, $7, $8, head.hash FROM head
    RETURNING e.xid, e.position
"""
"""The next event of a stream at the expected version; no row if it is not there."""

NEW_EVENTS = """
    WITH sealed AS MATERIALIZED (
        SELECT e.*, at.at,
               sha256('\\x0000000000000000000000000000000000000000000000000000000000000000'::bytea || event_digest(
                   e.stream, e.type, e.company, at.micros, e.data::text, e.meta::text, e.payload)) AS hash
          FROM (SELECT statement_timestamp() AS at, micros_of(statement_timestamp()) AS micros OFFSET 0) at,
               unnest($2::text[], $3::smallint[], $4::integer[], $5::text[], $6::jsonb[], $7::jsonb[], $8::bytea[])
               AS e (stream, class, company, type, data, meta, payload)
    ), head AS (
        INSERT INTO streams AS s (stream, class, company_id, version, hash, xid, first_time, last_time)
        SELECT e.stream, e.class, e.company, 1, e.hash, pg_current_xact_id(), e.at, e.at FROM sealed e
        ON CONFLICT (stream) DO NOTHING
        RETURNING s.stream
    ), written AS (
        INSERT INTO events AS w (epoch, class, stream, version, type, company_id, time, data, meta, payload, hash)
        SELECT $1, e.class, e.stream, 1, e.type, e.company, e.at, e.data, e.meta, e.payload, e.hash
          FROM sealed e JOIN head ON head.stream = e.stream
        RETURNING w.stream, w.position
    )
    SELECT pg_current_xact_id(), array_agg(w.stream), array_agg(w.position) FROM written w
"""
"""The first events of many new streams; those of streams that exist are left out."""

NEXT_EVENTS = """
    WITH sealed AS MATERIALIZED (
        SELECT e.*, at.at,
               event_digest(e.stream, e.type, e.company, at.micros, e.data::text, e.meta::text, e.payload) AS digest
          FROM (SELECT statement_timestamp() AS at, micros_of(statement_timestamp()) AS micros OFFSET 0) at,
               unnest($2::text[], $3::smallint[], $4::integer[], $5::text[], $6::jsonb[], $7::jsonb[], $8::bytea[],
                      $9::integer[]) AS e (stream, class, company, type, data, meta, payload, expected)
    ), head AS (
        UPDATE streams AS s
           SET version = s.version + 1, hash = sha256(s.hash || e.digest), xid = pg_current_xact_id(), last_time = e.at
          FROM sealed e
         WHERE s.stream = ANY ($2) AND s.stream = e.stream AND s.version = e.expected
           AND s.company_id IS NOT DISTINCT FROM e.company AND s.last_time <= e.at AND s.xid <= pg_current_xact_id()
        RETURNING e.*, s.version, s.hash
    ), written AS (
        INSERT INTO events AS w (epoch, class, stream, version, type, company_id, time, data, meta, payload, hash)
        SELECT $1, e.class, e.stream, e.version, e.type, e.company, e.at, e.data, e.meta, e.payload, e.hash FROM head e
        RETURNING w.stream, w.position
    )
    SELECT pg_current_xact_id(), array_agg(w.stream), array_agg(w.position) FROM written w
"""
"""The next events of many streams; those of streams that are not at the expected version are left out."""

BATCH = """
    SELECT outcome, version, epoch, xid, position
      FROM append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""

NEW, NEXT, ANYTHING = 0, 1, 2
"""Kinds of requests: one event for a new stream, one for a stream at an exact version, anything else."""


class Entry(NamedTuple):
    """Events of one stream, encoded: what the database is sent."""

    stream: str
    class_: int
    company_id: int | None
    expected: int
    types: list[str]
    data: list[str]
    meta: list[str]
    payloads: list[bytes | None]


Answer: TypeAlias = list[Appended] | EventStoreError
"""What a request came to."""


class Request:
    """What one caller wants appended as a whole, and what it came to.

    Attributes
    ----------
    kind : int
        :data:`NEW`, :data:`NEXT` or :data:`ANYTHING`.
    future : asyncio.Future or None
        What the caller waits for, unless it sends the request itself.
    answer : Answer or None
        None until it is settled.
    """

    __slots__ = ("answer", "entries", "fingerprint", "future", "key", "kind")

    def __init__(self, entries: list[Entry], key: str | None, fingerprint: bytes | None, kind: int) -> None:
        self.entries = entries
        self.key = key
        self.fingerprint = fingerprint
        self.kind = kind
        self.future: asyncio.Future[list[Appended]] | None = None
        self.answer: Answer | None = None

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


class Lane:
    """A connection on which one transaction after another appends.

    Parameters
    ----------
    connect : Callable
        Opens a connection; returns it with the epoch of the log.
    inline : Mapping[str, Sequence[str]]
        Of each event type, the folds of the inline projections that it concerns.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[tuple[asyncpg.Connection, int]]], inline: Mapping[str, Sequence[str]]
    ) -> None:
        self._connect = connect
        self._inline = inline
        self._connection: asyncpg.Connection | None = None
        self._epoch = 0
        self._one: list[Any] = []
        self._many: list[Any] = []
        self._batch: Any = None

    async def send(self, group: list[Request]) -> list[Answer | None]:
        """Append what the requests want in one transaction; return what each came to (None: left out).

        The requests are of one kind, or the first is of any kind; no stream and no key stands in them twice.

        Raises
        ------
        asyncpg.SerializationError, asyncpg.UniqueViolationError, OSError
            And others that the driver raises: nothing was written, or the connection broke.
        """
        if self._connection is None or self._connection.is_closed():
            await self._open()
        kind = group[0].kind
        if kind == ANYTHING:
            return await self._send_batch(group)
        if len(group) > 1:
            return await self._send_events(group, kind)
        (entry,) = group[0].entries
        row = await self._one[kind].fetchrow(
            self._epoch,
            entry.stream,
            entry.class_,
            entry.company_id,
            entry.types[0],
            entry.data[0],
            entry.meta[0],
            entry.payloads[0],
            *((entry.expected,) if kind == NEXT else ()),
        )
        if row is None:
            return [None]
        return [[Appended(entry.stream, entry.expected + 1, Cursor(self._epoch, row[0], row[1]))]]

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close(timeout=5)

    async def _open(self) -> None:
        self._connection, self._epoch = await self._connect()
        await self._connection.execute(SETTINGS)
        self._one = [await self._connection.prepare(statement) for statement in (NEW_EVENT, NEXT_EVENT)]
        self._many = [await self._connection.prepare(statement) for statement in (NEW_EVENTS, NEXT_EVENTS)]
        self._batch = await self._connection.prepare(BATCH)

    async def _send_events(self, group: list[Request], kind: int) -> list[Answer | None]:
        # In the order of their names, so that two processes never wait for each other.
        entries = sorted([request.entries[0] for request in group])
        payloads = [entry.payloads[0] for entry in entries]
        row = await self._many[kind].fetchrow(
            self._epoch,
            [entry.stream for entry in entries],
            [entry.class_ for entry in entries],
            [entry.company_id for entry in entries],
            [entry.types[0] for entry in entries],
            [entry.data[0] for entry in entries],
            [entry.meta[0] for entry in entries],
            payloads if any(payload is not None for payload in payloads) else None,
            *(([entry.expected for entry in entries],) if kind == NEXT else ()),
        )
        epoch, (xid, streams, places) = self._epoch, row
        written: dict[str, int] = dict(zip(streams or (), places or (), strict=True))
        return [
            [Appended(entry.stream, entry.expected + 1, Cursor(epoch, xid, place))] if place else None
            for request in group
            for entry, place in [(request.entries[0], written.get(request.entries[0].stream))]
        ]

    async def _send_batch(self, group: list[Request]) -> list[Answer | None]:
        entries = [entry for request in group for entry in request.entries]
        payloads = [payload for entry in entries for payload in entry.payloads]
        folds = dict.fromkeys(fold for entry in entries for kind in entry.types for fold in self._inline.get(kind, ()))
        keyed = any(request.key is not None for request in group)
        rows = await self._batch.fetch(
            [number for number, request in enumerate(group, 1) for _ in request.entries],
            [entry.stream for entry in entries],
            [entry.class_ for entry in entries],
            [entry.company_id for entry in entries],
            [entry.expected for entry in entries],
            [len(entry.types) for entry in entries],
            [number for number, entry in enumerate(entries, 1) for _ in entry.types],
            [rank for entry in entries for rank in range(1, len(entry.types) + 1)],
            [kind for entry in entries for kind in entry.types],
            [data for entry in entries for data in entry.data],
            [meta for entry in entries for meta in entry.meta],
            payloads if any(payload is not None for payload in payloads) else None,
            list(folds) or None,
            [request.key for request in group] if keyed else None,
            [request.fingerprint for request in group] if keyed else None,
        )
        outcomes = iter(rows)
        return [answer(request, [tuple(next(outcomes)) for _ in request.entries]) for request in group]


def answer(request: Request, outcomes: Sequence[tuple[Any, ...]]) -> Answer:
    """Return what a request came to: the outcomes of its entries as ``append_batch`` gives them, put together."""
    appended: list[Appended] = []
    for entry, (outcome, version, epoch, xid, position) in zip(request.entries, outcomes, strict=True):
        if outcome in ("appended", "replayed"):
            place = Cursor(epoch or 0, xid or 0, position or 0)
            appended.append(Appended(entry.stream, version, place, outcome == "replayed"))
        elif outcome != "refused":
            return refusal(request, entry, outcome, version)
    return appended


def refusal(request: Request, entry: Entry, outcome: str, version: int) -> EventStoreError:
    """Return the error for an entry that the database refused."""
    if outcome == "conflict":
        return ConcurrencyError(entry.stream, entry.expected, version)
    if outcome == "key_reused":
        return IdempotencyKeyError(
            f"The idempotency key {request.key!r} belongs to another command. Use a new key for a new command."
        )
    return StreamCompanyError(
        f"Stream {entry.stream} belongs to company {version}; the events are of company {entry.company_id}."
    )
