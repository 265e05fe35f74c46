"""Hear that there is something to read, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg
import structlog

from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import EventStoreError
from eventstore.notifier import CHANNEL

POLL = 1.0
"""Seconds after which whoever waits looks by itself."""

log = structlog.get_logger(__name__)


class Listener:
    """One LISTEN connection for all waiters of a process; it reconnects by itself.

    A waiter is woken by a notification of a category it cares for, by a reconnection (something may have been missed),
    and after :data:`POLL` seconds at the latest.
    """

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._waiters: dict[asyncio.Event, frozenset[str] | None] = {}
        self._task: asyncio.Task[None] | None = None
        self.reconnections = 0

    def start(self) -> None:
        """Start listening; harmless if already started."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="listener")

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def register(self, categories: frozenset[str] | None) -> asyncio.Event:
        """Return an event that is set when streams of these categories (None: any) were appended to."""
        event = asyncio.Event()
        self._waiters[event] = categories
        return event

    def forget(self, event: asyncio.Event) -> None:
        """Take a waiter off the list."""
        self._waiters.pop(event, None)

    async def wait(self, event: asyncio.Event, timeout: float = POLL) -> None:
        """Wait until the event is set or the poll is due, then clear it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await event.wait()
        event.clear()

    def _wake(self, categories: frozenset[str] | None = None) -> None:
        for event, wanted in self._waiters.items():
            if categories is None or wanted is None or wanted & categories:
                event.set()

    def _heard(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._wake(frozenset(str(payload).split(",")))

    async def _run(self) -> None:
        while True:
            lost = asyncio.Event()
            try:
                connection = await self._connect()
            except (*DATABASE_ERRORS, EventStoreError) as error:
                log.warning("not listening; polling meanwhile", error=str(error))
                await asyncio.sleep(POLL)
                continue
            try:
                connection.add_termination_listener(lambda _connection, lost=lost: lost.set())
                await connection.add_listener(CHANNEL, self._heard)
                self.reconnections += 1
                self._wake()
                await lost.wait()
            except DATABASE_ERRORS as error:
                log.warning("listening was interrupted", error=str(error))
            finally:
                connection.terminate()
