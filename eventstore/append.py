"""Append events: one round trip, one transaction, group commit.

While an append is in flight, those that arrive meanwhile wait for the next transaction and share it. The database judges each
request by itself, so one caller's conflict is not another's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg

from eventstore.errors import (
    ConcurrencyError,
    DatabaseUnavailableError,
    EventStoreError,
    IdempotencyKeyError,
    StreamCompanyError,
    UniqueError,
)
from eventstore.log import Append, Appended, Cursor, category_of

APPEND_EVENT = "SELECT append_event($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
APPEND_BATCH = """
    SELECT entry, outcome, version, epoch, xid, position
      FROM append_batch($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
MAX_GROUP = 512
"""Most entries that share a transaction; a larger request goes alone."""

ATTEMPTS = 10
"""How often a transaction that lost a race with another is tried again."""


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


class Request:
    """What one caller wants appended as a whole, and the future it waits for."""

    __slots__ = ("entries", "fingerprint", "future", "key")

    def __init__(self, entries: list[Entry], key: str | None, fingerprint: bytes | None) -> None:
        self.entries = entries
        self.key = key
        self.fingerprint = fingerprint
        self.future: asyncio.Future[list[Appended]] = asyncio.get_running_loop().create_future()


class Appender:
    """Sends requests to the database, one transaction at a time, on a connection of its own.

    Parameters
    ----------
    connect : Callable
        Opens a connection; returns it with the epoch of the log.
    inline : Mapping[str, Sequence[str]]
        Of each event type, the folds of the inline projections that it concerns.
    notify : Callable
        Told the categories of the streams that were appended to.
    """

    def __init__(
        self,
        connect: Callable[[], Any],
        inline: Mapping[str, Sequence[str]],
        notify: Callable[[set[str]], None],
    ) -> None:
        self._connect = connect
        self._inline = inline
        self._notify = notify
        self._connection: asyncpg.Connection | None = None
        self._epoch = 0
        self._one: Any = None
        self._many: Any = None
        self._waiting: list[Request] = []
        self._busy = False
        self._flusher: asyncio.Task[None] | None = None

    async def append(self, entries: list[Entry], key: str | None, fingerprint: bytes | None) -> list[Appended]:
        """Append the entries as a whole; see :meth:`eventstore.store.EventStore.append_all`."""
        request = Request(entries, key, fingerprint)
        if self._busy:
            self._waiting.append(request)
            return await request.future
        self._busy = True
        try:
            await self._send([request])
        finally:
            self._busy = False
            if self._waiting:
                self._start_flusher()
        return request.future.result()

    async def close(self) -> None:
        """Finish what is under way and close the connection."""
        if self._flusher is not None:
            await self._flusher
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close(timeout=5)

    def _start_flusher(self) -> None:
        if not self._busy:
            self._busy = True
            self._flusher = asyncio.create_task(self._flush(), name="group commit")

    async def _flush(self) -> None:
        try:
            while self._waiting:
                await self._send(self._take_group())
        finally:
            self._busy = False

    def _take_group(self) -> list[Request]:
        """Take the requests that may share a transaction: no stream and no key twice."""
        group: list[Request] = []
        later: list[Request] = []
        streams: set[str] = set()
        keys: set[str] = set()
        size = 0
        for request in self._waiting:
            touched = {entry.stream for entry in request.entries}
            full = group and size + len(request.entries) > MAX_GROUP
            if full or touched & streams or request.key in keys:
                later.append(request)
            else:
                group.append(request)
                size += len(request.entries)
            streams |= touched
            if request.key is not None:
                keys.add(request.key)
        self._waiting = later
        return group

    async def _send(self, group: list[Request]) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._send_once(group)
                return
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as error:
                if attempt == ATTEMPTS - 1:
                    self._fail(
                        group, EventStoreError(f"The append lost {ATTEMPTS} races in a row: {error}. Try again.")
                    )
                    return
                await asyncio.sleep(random.uniform(0, 0.002 * 2**attempt))
            except asyncpg.UniqueViolationError as error:
                if len(group) == 1:
                    self._fail(group, UniqueError(error.constraint_name or "", error.detail or ""))
                    return
                for request in group:
                    await self._send([request])
                return
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, EventStoreError) as error:
                self._fail(group, translate(error))
                return
            except BaseException as error:
                self._fail(group, EventStoreError(f"The append was interrupted: {type(error).__name__}."))
                raise

    async def _send_once(self, group: list[Request]) -> None:
        if self._connection is None or self._connection.is_closed():
            await self._open()
        first = group[0]
        if len(group) == 1 and len(first.entries) == 1 and len(first.entries[0].types) == 1 and first.key is None:
            await self._send_event(first)
            return
        await self._send_batch(group)

    async def _open(self) -> None:
        self._connection, self._epoch = await self._connect()
        self._one = await self._connection.prepare(APPEND_EVENT)
        self._many = await self._connection.prepare(APPEND_BATCH)

    async def _send_event(self, request: Request) -> None:
        entry = request.entries[0]
        outcome, version, xid, position = await self._one.fetchval(
            self._epoch,
            entry.stream,
            entry.class_,
            entry.company_id,
            entry.expected,
            entry.types[0],
            entry.data[0],
            entry.meta[0],
            entry.payloads[0],
            self._inline.get(entry.types[0]),
        )
        self._settle(request, [(outcome, version, self._epoch, xid, position)])

    async def _send_batch(self, group: list[Request]) -> None:
        entries = [entry for request in group for entry in request.entries]
        of_request = [number for number, request in enumerate(group, 1) for _ in request.entries]
        folds = dict.fromkeys(fold for entry in entries for kind in entry.types for fold in self._inline.get(kind, ()))
        keyed = any(request.key is not None for request in group)
        rows = await self._many.fetch(
            of_request,
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
            [payload for entry in entries for payload in entry.payloads],
            list(folds) or None,
            [request.key for request in group] if keyed else None,
            [request.fingerprint for request in group] if keyed else None,
        )
        answers = iter(rows)
        for request in group:
            self._settle(request, [tuple(next(answers))[1:] for _ in request.entries])

    def _settle(self, request: Request, answers: list[Any]) -> None:
        appended: list[Appended] = []
        for entry, (outcome, version, epoch, xid, position) in zip(request.entries, answers, strict=True):
            if outcome in ("appended", "replayed"):
                place = Cursor(epoch or 0, xid or 0, position or 0)
                appended.append(Appended(entry.stream, version, place, outcome == "replayed"))
            elif outcome != "refused":
                self._fail([request], refusal(request, entry, outcome, version))
                return
        if not request.future.done():
            request.future.set_result(appended)
        self._notify({category_of(entry.stream) for entry in request.entries if entry.types})

    @staticmethod
    def _fail(group: list[Request], error: Exception) -> None:
        for request in group:
            if not request.future.done():
                request.future.set_exception(error)
                request.future.exception()


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


def translate(error: Exception) -> EventStoreError:
    """Return an error of the database in the words of the event store."""
    if isinstance(error, EventStoreError):
        return error
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return DatabaseUnavailableError(
            "The database is read-only: nothing was written. Point DATABASE_URL at the primary, or end the maintenance."
        )
    if isinstance(error, asyncpg.DiskFullError):
        return DatabaseUnavailableError("The database server has no space left: nothing was written. Free some space.")
    if isinstance(error, asyncpg.CheckViolationError) and "no partition" in str(error):
        return EventStoreError(
            "The log has no partition for this month: nothing was written. Is the projector running? It makes them "
            "ahead of time; `multiflexi-cli database:migrate` makes them now."
        )
    if isinstance(error, OSError | asyncpg.InterfaceError) or getattr(error, "sqlstate", "")[:2] in ("08", "57"):
        return DatabaseUnavailableError(
            f"The connection to the database broke during the append: {error}. Whether it was written is not known: "
            "read the stream, or repeat the command with its idempotency key."
        )
    return EventStoreError(f"The database refused the append: {error}.")


def guard(stream: str, company_id: int | None, version: int) -> Append:
    """Return an append of nothing that holds a stream at a version."""
    return Append(stream=stream, company_id=company_id, expected=version)
