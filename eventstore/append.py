"""Append events: one round trip, one transaction, group commit.

While appends are under way, those that arrive meanwhile wait for the next transaction and share it. A second lane takes
turns with the first when enough callers wait: one transaction is being prepared while the other is being made durable.
The database judges each request by itself, so one caller's conflict is not another's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

import asyncpg

from eventstore.connection import DATABASE_ERRORS, READ_ONLY
from eventstore.errors import DatabaseUnavailableError, EventStoreError, UniqueError
from eventstore.lane import ANYTHING, NEW, NEXT, Entry, Lane, Request
from eventstore.log import Append, Appended, category_of

MAX_GROUP = 512
"""Most entries that share a transaction; a larger request goes alone."""

LANES = 2
"""Transactions that are under way at a time."""

WORTH_A_LANE = 4
"""Requests that must wait before a second transaction starts beside one that is under way."""

ATTEMPTS = 10
"""How often a transaction that lost a race with another is tried again."""

NOTIFY_EVERY = 0.005
"""Seconds between notifications: the first goes out at once, what follows within this time goes together."""


class Appender:
    """Sends requests to the database in groups, each in one transaction, on connections of its own.

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
        connect: Callable[[], Awaitable[tuple[asyncpg.Connection, int]]],
        inline: Mapping[str, Sequence[str]],
        notify: Callable[[set[str]], None],
    ) -> None:
        self._inline = inline
        self._notify = notify
        self._idle = [Lane(connect, inline) for _ in range(LANES)]
        self._busy: dict[Lane, list[Request]] = {}
        self._waiting: list[Request] = []
        self._pumping = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._categories: set[str] = set()
        self._notifying: asyncio.TimerHandle | None = None

    async def append(self, entries: list[Entry], key: str | None, fingerprint: bytes | None) -> list[Appended]:
        """Append the entries as a whole; see :meth:`eventstore.store.EventStore.append_all`."""
        request = Request(entries, key, fingerprint, self._kind(entries, key))
        if not self._busy and not self._waiting:
            await self._run(self._take_lane([request]), [request])
            answer = request.answer
            assert answer is not None
            if isinstance(answer, EventStoreError):
                raise answer
            return answer
        request.future = asyncio.get_running_loop().create_future()
        self._waiting.append(request)
        self._pump_soon()
        return await request.future

    async def close(self) -> None:
        """Finish what is under way and close the connections."""
        while self._tasks or self._waiting:
            await asyncio.sleep(0)
            await asyncio.gather(*self._tasks)
        self._tell()
        for lane in self._idle:
            await lane.close()

    def _kind(self, entries: list[Entry], key: str | None) -> int:
        if key is None and len(entries) == 1:
            entry = entries[0]
            if len(entry.types) == 1 and entry.expected >= 0 and not self._inline.get(entry.types[0]):
                return NEXT if entry.expected else NEW
        return ANYTHING

    def _pump_soon(self) -> None:
        """Let all who are ready to run come first: they may have something to append, too."""
        if not self._pumping:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Start as many transactions as lanes are idle and worth it."""
        self._pumping = False
        while self._waiting and self._idle:
            under_way = sum(len(group) for group in self._busy.values())
            if under_way and len(self._waiting) < max(WORTH_A_LANE, min(under_way // 2, 32)):
                return
            share = len(self._waiting)
            if len(self._idle) > 1 and share >= 2 * WORTH_A_LANE:
                share = (share + 1) // 2
            group = self._take_group(share)
            if not group:
                return
            task = asyncio.create_task(self._run(self._take_lane(group), group), name="group commit")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _take_lane(self, group: list[Request]) -> Lane:
        lane = self._idle.pop()
        self._busy[lane] = group
        return lane

    def _take_group(self, share: int) -> list[Request]:
        """Take up to ``share`` waiting requests that may share a transaction.

        They are of one kind, or the first is of any kind. No stream and no key stands in them twice, none is under way,
        and none overtakes an earlier request.
        """
        group: list[Request] = []
        later: list[Request] = []
        streams = {entry.stream for busy in self._busy.values() for request in busy for entry in request.entries}
        keys = {request.key for busy in self._busy.values() for request in busy}
        keys.discard(None)
        size = 0
        for request in self._waiting:
            touched = [entry.stream for entry in request.entries]
            if (
                len(group) >= share
                or (group and size + len(touched) > MAX_GROUP)
                or (group and group[0].kind not in (ANYTHING, request.kind))
                or not streams.isdisjoint(touched)
                or request.key in keys
            ):
                later.append(request)
            else:
                group.append(request)
                size += len(touched)
            streams.update(touched)
            if request.key is not None:
                keys.add(request.key)
        self._waiting = later
        return group

    async def _run(self, lane: Lane, group: list[Request]) -> None:
        try:
            await self._send(lane, group)
        finally:
            del self._busy[lane]
            self._idle.append(lane)
            if self._waiting:
                self._pump_soon()

    async def _send(self, lane: Lane, group: list[Request]) -> None:
        for attempt in range(ATTEMPTS):
            try:
                await self._send_once(lane, group)
                return
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as error:
                if attempt == ATTEMPTS - 1:
                    fail(group, EventStoreError(f"The append lost {ATTEMPTS} races in a row: {error}. Try again."))
                    return
                await asyncio.sleep(random.uniform(0, 0.002 * 2**attempt))  # noqa: S311 (no secret)
            except asyncpg.UniqueViolationError as error:
                if len(group) == 1:
                    fail(group, UniqueError(error.constraint_name or "", error.detail or ""))
                    return
                for request in group:
                    await self._send(lane, [request])
                return
            except (*DATABASE_ERRORS, EventStoreError) as error:
                fail(group, translate(error))
                return
            except BaseException as error:
                fail(group, EventStoreError(f"The append was interrupted: {type(error).__name__}."))
                raise

    async def _send_once(self, lane: Lane, group: list[Request]) -> None:
        left_out: list[Request] = []
        for request, answer in zip(group, await lane.send(group), strict=True):
            if answer is None:
                request.kind = ANYTHING
                left_out.append(request)
                continue
            request.settle(answer)
            for entry in request.entries:
                if entry.types:
                    self._categories.add(category_of(entry.stream))
        if self._notifying is None and self._categories:
            self._tell()
        if left_out:
            await self._send(lane, left_out)

    def _tell(self) -> None:
        """Pass on the categories that were appended to, and hold back for a moment those that follow."""
        self._notifying = None
        if self._categories:
            categories, self._categories = self._categories, set()
            self._notify(categories)
            self._notifying = asyncio.get_running_loop().call_later(NOTIFY_EVERY, self._tell)


def fail(group: list[Request], error: EventStoreError) -> None:
    """Tell all who wait for the requests of a group what went wrong."""
    for request in group:
        request.settle(error)


def translate(error: Exception) -> EventStoreError:
    """Return an error of the database in the words of the event store."""
    if isinstance(error, EventStoreError):
        return error
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return DatabaseUnavailableError(READ_ONLY)
    if isinstance(error, asyncpg.DiskFullError):
        return DatabaseUnavailableError("The database server has no space left: nothing was written. Free some space.")
    if isinstance(error, asyncpg.CheckViolationError) and "no partition" in str(error):
        return EventStoreError(
            "The log has no partition for this month: nothing was written. Is the projector running? It makes them "
            "ahead of time; `multiflexi-cli database:migrate` makes them now."
        )
    broken = isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError)
    if broken or getattr(error, "sqlstate", "")[:2] in ("08", "57"):
        return DatabaseUnavailableError(
            f"The connection to the database broke during the append: {error}. Whether it was written is not known: "
            "read the stream, or repeat the command with its idempotency key."
        )
    return EventStoreError(f"The database refused the append: {error}.")


def guard(stream: str, company_id: int | None, version: int) -> Append:
    """Return an append of nothing that holds a stream at a version."""
    return Append(stream=stream, company_id=company_id, expected=version)
