"""Append events: one round trip, one transaction, group commit.

While appends are under way, those that arrive meanwhile wait for the next transaction and share it. The database judges
each request by itself, so one caller's conflict is not another's.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

import asyncpg

from eventstore.connection import DATABASE_ERRORS, READ_ONLY
from eventstore.errors import DatabaseUnavailableError, EventStoreError, UniqueError
from eventstore.log import Append, Appended
from eventstore.request import Answer, Entry, Request
from eventstore.sender import Sender

MAX_GROUP = 512
"""Most events that share a transaction; a larger request goes alone."""

LARGE = 4096
"""From how many events on a request has a connection of its own: others do not wait for it."""

ATTEMPTS = 10
"""How often a transaction that lost a race with another is tried again."""

ONE_AT_FAULT = ("22", "23", "42")
"""Classes of errors for which one request of a group is to blame: its data, what must be unique, its rights."""

NOTIFY_EVERY = 0.01
"""Seconds between notifications: the first goes out at once, what follows within this time goes together."""


class Appender:
    """Sends requests to the database in groups, one transaction at a time, on a connection of its own.

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
        self._sender = Sender(connect, inline)
        self._large = Sender(connect, inline)
        self._one_large = asyncio.Lock()
        self._notify = notify
        self._waiting: list[Request] = []
        self._busy = False
        self._flusher: asyncio.Task[None] | None = None
        self._categories: set[str] = set()
        self._notifying: asyncio.TimerHandle | None = None

    async def append(self, entries: list[Entry], key: str | None, fingerprint: bytes | None) -> list[Appended]:
        """Append the entries as a whole; see :meth:`eventstore.store.EventStore.append_all`."""
        request = Request(entries, key, fingerprint, key is None and self._sender.simple(entries))
        if request.size >= LARGE:
            async with self._one_large:
                await self._send([request], self._large)
            return answered(request)
        if self._busy:
            request.future = asyncio.get_running_loop().create_future()
            self._waiting.append(request)
            return await request.future
        self._busy = True
        try:
            await self._send([request])
        finally:
            self._busy = False
            if self._waiting:
                self._start_flusher()
        return answered(request)

    async def close(self) -> None:
        """Finish what is under way and close the connection."""
        if self._flusher is not None:
            await self._flusher
        self._tell()
        await self._sender.close()
        await self._large.close()

    def _start_flusher(self) -> None:
        self._busy = True
        self._flusher = asyncio.create_task(self._flush(), name="group commit")

    async def _flush(self) -> None:
        try:
            while self._waiting:
                await self._send(self._take_group())
                # Whom this woke may have something to append, too.
                await asyncio.sleep(0)
        finally:
            self._busy = False

    def _take_group(self) -> list[Request]:
        """Take the requests that may share a transaction.

        Nothing is touched twice, and no request overtakes an earlier one that touches the same.
        """
        group: list[Request] = []
        later: list[Request] = []
        touched: set[str] = set()
        size = 0
        for place, request in enumerate(self._waiting):
            if group and size + request.size > MAX_GROUP:
                later += self._waiting[place:]
                break
            if touched.isdisjoint(request.touched):
                group.append(request)
                size += request.size
            else:
                later.append(request)
            touched.update(request.touched)
        self._waiting = later
        return group

    async def _send(self, group: list[Request], sender: Sender | None = None) -> None:
        sender = sender or self._sender
        for attempt in range(ATTEMPTS):
            try:
                tell = self._first_to_tell(group)
                left_out = self._settle(group, await sender.send(group, tell), told=bool(tell))
                if left_out:
                    await self._send(left_out)
                return
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as error:
                if attempt == ATTEMPTS - 1:
                    fail(group, EventStoreError(f"The append lost {ATTEMPTS} races in a row: {error}. Try again."))
                    return
                await asyncio.sleep(random.uniform(0, 0.002 * 2**attempt))
            except (*DATABASE_ERRORS, EventStoreError) as error:
                if len(group) > 1 and getattr(error, "sqlstate", "")[:2] in ONE_AT_FAULT:
                    for request in group:
                        await self._send([request])
                else:
                    fail(group, translate(error))
                return
            except BaseException as error:
                fail(group, EventStoreError(f"The append was interrupted: {type(error).__name__}."))
                raise

    def _first_to_tell(self, group: list[Request]) -> str:
        """Return the categories that a transaction is to tell listeners of by itself, where nothing was told just now.

        Most of what is waited for comes after a silence: this saves it a transaction more. It is no more often than
        notifications are, as such a commit waits for others of its kind, and never with what is simple and quick.
        """
        if self._notifying is not None or all(request.simple for request in group):
            return ""
        entries = (entry for request in group for entry in request.entries if entry.types)
        return ",".join(sorted({entry.stream.partition("-")[0] for entry in entries}))

    def _settle(self, group: list[Request], answers: Sequence[Answer | None], *, told: bool) -> list[Request]:
        """Hand over what the requests came to; return those that were left out."""
        left_out: list[Request] = []
        categories = self._categories
        for request, answer in zip(group, answers, strict=True):
            if answer is None:
                request.simple = False
                left_out.append(request)
                continue
            request.settle(answer)
            if not told:
                for entry in request.entries:
                    if entry[4]:
                        categories.add(entry[0].partition("-")[0])
        if told:
            self._hold_back()
        elif categories and self._notifying is None:
            self._tell()
        return left_out

    def _tell(self) -> None:
        """Pass on the categories that were appended to, and hold back for a moment those that follow."""
        self._notifying = None
        if self._categories:
            categories, self._categories = self._categories, set()
            self._notify(categories)
            self._hold_back()

    def _hold_back(self) -> None:
        self._notifying = asyncio.get_running_loop().call_later(NOTIFY_EVERY, self._tell)


def answered(request: Request) -> list[Appended]:
    """Return what a request that was sent came to, or raise it."""
    answer = request.answer
    assert answer is not None
    if isinstance(answer, EventStoreError):
        raise answer
    return answer


def fail(group: list[Request], error: EventStoreError) -> None:
    """Tell all who wait for the requests of a group what went wrong."""
    for request in group:
        request.settle(error)


def translate(error: Exception) -> EventStoreError:  # noqa: PLR0911 (one answer for each error)
    """Return an error of the database in the words of the event store."""
    if isinstance(error, EventStoreError):
        return error
    if isinstance(error, asyncpg.UniqueViolationError):
        return UniqueError(error.constraint_name or "", error.detail or "")
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return DatabaseUnavailableError(READ_ONLY)
    if isinstance(error, asyncpg.DiskFullError):
        return DatabaseUnavailableError("The database server has no space left: nothing was written. Free some space.")
    if isinstance(error, asyncpg.CheckViolationError) and "no partition" in str(error):
        return EventStoreError(
            "The log has no partition for this month: nothing was written. Is the projector running? It makes them "
            "ahead of time; `multiflexi-cli database:migrate` makes them now."
        )
    if isinstance(error, asyncpg.UndefinedFunctionError | asyncpg.UndefinedColumnError | asyncpg.UndefinedTableError):
        reason = str(error).partition("\n")[0]
        return EventStoreError(
            f"The database is of another version of MultiFlexi: {reason}. Nothing was written. Run `multiflexi-cli "
            "database:migrate` as its owner, and restart all parts in the same version."
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
