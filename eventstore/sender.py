"""One connection that appends, and the statements that do it.

Most appends are single events of single streams that nobody else touches. For them a statement assumes that all is well
and writes nothing where it is not; what it did not write goes to ``append_batch``, which judges.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import asyncpg

from eventstore.errors import ConcurrencyError, EventStoreError, IdempotencyKeyError, StreamCompanyError
from eventstore.log import Appended, Cursor
from eventstore.notifier import CHANNEL
from eventstore.request import Answer, Entry, Request

SEPARATOR = "\x1f"
"""Stands between the texts of a column."""

LONG_DATA = 65536
"""From how many characters of data on an event is not put into one document with others."""

SETTINGS = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off"
"""A plan that was made while the tables were small must not outlive that: heads are found by index."""

NEW_EVENT = """
    WITH head AS (
        INSERT INTO streams AS s (stream, class, company_id, version, hash, xid, first_time, last_time)
        VALUES ($2, $3, $4, 1, sha256('\\x0000000000000000000000000000000000000000000000000000000000000000'::bytea
                   || event_digest(
                       $2, $5, $4, micros_of(statement_timestamp()), $6::jsonb::text, $7::jsonb::text, NULL)),
                pg_current_xact_id(), statement_timestamp(), statement_timestamp())
        ON CONFLICT (stream) DO NOTHING
        RETURNING s.hash
    )
    INSERT INTO events AS e (epoch, class, stream, version, type, company_id, time, data, meta, hash)
    SELECT $1, $3, $2, 1, $5, $4, statement_timestamp(), $6, $7, head.hash FROM head
    RETURNING e.xid, e.position
"""
"""The first event of a new stream; no row if there is one."""

NEXT_EVENT = """
    WITH head AS (
        UPDATE streams AS s
           SET version = s.version + 1, xid = pg_current_xact_id(), last_time = statement_timestamp(),
               hash = sha256(s.hash || event_digest(
                   $2, $5, $4, micros_of(statement_timestamp()), $6::jsonb::text, $7::jsonb::text, NULL))
         WHERE s.stream = $2 AND s.version = $8 AND s.company_id IS NOT DISTINCT FROM $4
           AND s.last_time <= statement_timestamp() AND s.xid <= pg_current_xact_id()
        RETURNING s.hash
    )
    INSERT INTO events AS e (epoch, class, stream, version, type, company_id, time, data, meta, hash)
    SELECT $1, $3, $2, $8 + 1, $5, $4, statement_timestamp(), $6, $7, head.hash FROM head
    RETURNING e.xid, e.position
"""
"""The next event of a stream at the expected version; no row if it is not there."""

EVENTS = """
    WITH sealed AS MATERIALIZED (
        SELECT e.*, at.at,
               event_digest(e.stream, e.type, e.company, at.micros, e.data::text, e.meta::text, NULL) AS digest
          FROM (SELECT statement_timestamp() AS at, micros_of(statement_timestamp()) AS micros OFFSET 0) at,
               (SELECT j->>0 AS stream, (j->1)::smallint AS class, (j->>2)::integer AS company, j->>3 AS type,
                       j->4 AS data, j->5 AS meta, (j->6)::integer AS expected
                  FROM jsonb_array_elements($2::jsonb) j) e
    ), moved AS (
        UPDATE streams AS s
           SET version = s.version + 1, hash = sha256(s.hash || e.digest), xid = pg_current_xact_id(), last_time = e.at
          FROM sealed e
         WHERE s.stream = ANY (ARRAY(SELECT n.stream FROM sealed n WHERE n.expected <> 0)) AND s.stream = e.stream
           AND e.expected IN (-1, s.version) AND s.company_id IS NOT DISTINCT FROM e.company AND s.last_time <= e.at
           AND s.xid <= pg_current_xact_id()
        RETURNING s.stream, s.version, s.hash
    ), created AS (
        INSERT INTO streams AS s (stream, class, company_id, version, hash, xid, first_time, last_time)
        SELECT e.stream, e.class, e.company, 1,
               sha256('\\x0000000000000000000000000000000000000000000000000000000000000000'::bytea || e.digest),
               pg_current_xact_id(), e.at, e.at
          FROM sealed e WHERE e.expected <= 0
        ON CONFLICT (stream) DO NOTHING
        RETURNING s.stream, s.version, s.hash
    ), written AS (
        INSERT INTO events AS w (epoch, class, stream, version, type, company_id, time, data, meta, hash)
        SELECT $1, e.class, e.stream, h.version, e.type, e.company, e.at, e.data, e.meta, h.hash
          FROM sealed e JOIN (SELECT * FROM moved UNION ALL SELECT * FROM created) h ON h.stream = e.stream
        RETURNING w.stream, w.version, w.position
    )
    SELECT pg_current_xact_id(), array_agg(w.stream), array_agg(w.version), array_agg(w.position) FROM written w
"""
"""One event for each of many streams, new or not; those of streams not at the expected version are left out."""

BATCH = """
    SELECT outcome, version, epoch, xid, position
      FROM append_batch($1, string_to_array($2, E'\\x1f'), $3, $4, $5, $6, $7, $8, string_to_array($9, E'\\x1f'),
                        string_to_array($10, E'\\x1f')::jsonb[], string_to_array($11, E'\\x1f')::jsonb[],
                        $12, $13, $14, $15, $16)
"""
"""Text comes as one string for each column, which the driver encodes faster; JSON escapes the character between."""

BATCH_TELLING = BATCH.replace("position\n", "position, (SELECT pg_notify($17, $18))\n")
"""The same, and whoever listens hears of it as soon as it is committed."""


class Sender:
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
        self._new_event: Any = None
        self._next_event: Any = None
        self._events: Any = None
        self._batch: Any = None
        self._batch_telling: Any = None

    def simple(self, entries: Sequence[Entry]) -> bool:
        """Return whether this is one event that may be tried without being judged first."""
        if len(entries) != 1:
            return False
        _, _, _, _, types, data, _, payloads, _ = entries[0]
        return len(types) == 1 and payloads[0] is None and len(data[0]) < LONG_DATA and not self._inline.get(types[0])

    async def send(self, group: list[Request], tell: str = "") -> Sequence[Answer | None]:
        """Append what the requests want in one transaction; return what each came to.

        No stream and no key stands in the requests twice. One that came to None was left out: it is not simple after
        all and is to be sent again. With ``tell``, listeners are told these categories by the same transaction, unless
        all requests are simple.

        Raises
        ------
        asyncpg.SerializationError, asyncpg.UniqueViolationError, OSError
            And others that the driver raises: nothing was written, or the connection broke.
        """
        if self._connection is None or self._connection.is_closed():
            await self._open()
        for request in group:
            if not request.simple:
                return await self._send_batch(group, tell)
        if len(group) == 1 and group[0].entries[0].expected >= 0:
            return await self._send_event(group[0].entries[0])
        return await self._send_events(group)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close(timeout=5)

    async def _open(self) -> None:
        connection, epoch = await self._connect()
        try:
            await connection.execute(SETTINGS)
            self._new_event = await connection.prepare(NEW_EVENT)
            self._next_event = await connection.prepare(NEXT_EVENT)
            self._events = await connection.prepare(EVENTS)
            self._batch = await connection.prepare(BATCH)
            self._batch_telling = await connection.prepare(BATCH_TELLING)
        except BaseException:
            # The caller may have gone away in between: a connection that is half ready is none.
            connection.terminate()
            raise
        self._connection, self._epoch = connection, epoch

    async def _send_event(self, entry: Entry) -> Sequence[Answer | None]:
        stream, class_, company, expected, types, data, meta, _, _ = entry
        epoch = self._epoch
        if expected:
            row = await self._next_event.fetchrow(epoch, stream, class_, company, types[0], data[0], meta[0], expected)
        else:
            row = await self._new_event.fetchrow(epoch, stream, class_, company, types[0], data[0], meta[0])
        return (None if row is None else [Appended(stream, expected + 1, Cursor(epoch, row[0], row[1]))],)

    async def _send_events(self, group: list[Request]) -> Sequence[Answer | None]:
        # In the order of their names, so that two processes never wait for each other.
        entries = sorted([request.entries[0] for request in group])
        rows = [
            f'["{stream}",{class_},{"null" if of is None else of},"{types[0]}",{data[0]},{meta[0]},{expected}]'
            for stream, class_, of, expected, types, data, meta, _, _ in entries
        ]
        epoch = self._epoch
        xid, streams, versions, positions = await self._events.fetchrow(epoch, f"[{','.join(rows)}]")
        written: dict[str, Answer] = {
            stream: [Appended(stream, version, Cursor(epoch, xid, position))]
            for stream, version, position in zip(streams or (), versions or (), positions or (), strict=True)
        }
        return [written.get(request.entries[0].stream) for request in group]

    async def _send_batch(self, group: list[Request], tell: str) -> Sequence[Answer]:
        entries = [entry for request in group for entry in request.entries]
        payloads = [payload for entry in entries for payload in entry.payloads]
        bare = all(payload is None for payload in payloads)
        metas = {meta for entry in entries for meta in entry.meta}
        folds = dict.fromkeys(fold for entry in entries for kind in entry.types for fold in self._inline.get(kind, ()))
        keyed = any(request.key is not None for request in group)
        rows = await (self._batch_telling if tell else self._batch).fetch(
            [number for number, request in enumerate(group, 1) for _ in request.entries],
            SEPARATOR.join([entry.stream for entry in entries]),
            [entry.class_ for entry in entries],
            [entry.company_id for entry in entries],
            [entry.expected for entry in entries],
            [len(entry.types) for entry in entries],
            [number for number, entry in enumerate(entries, 1) for _ in entry.types],
            [rank for entry in entries for rank in range(1, len(entry.types) + 1)],
            SEPARATOR.join([kind for entry in entries for kind in entry.types]),
            SEPARATOR.join([data for entry in entries for data in entry.data]),
            metas.pop() if len(metas) == 1 else SEPARATOR.join([meta for entry in entries for meta in entry.meta]),
            None if bare else payloads,
            None if bare else [digest for entry in entries for digest in entry.payload_digests],
            list(folds) or None,
            [request.key for request in group] if keyed else None,
            [request.fingerprint for request in group] if keyed else None,
            *([CHANNEL, tell] if tell else []),
        )
        outcomes = iter(rows)
        return [answer(request, [tuple(next(outcomes))[:5] for _ in request.entries]) for request in group]


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
