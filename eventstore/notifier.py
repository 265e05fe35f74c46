"""Tell listeners that there is something to read: coalesced, after the commit, on a connection of its own.

``pg_notify`` inside an appending transaction would make all commits of the database take turns. A notification lost
here costs a listener up to one poll, never an event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import asyncpg
import structlog

from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import EventStoreError

CHANNEL = "multiflexi_events"
RETRY_AFTER = 0.5
"""Seconds before a broken connection is opened anew."""

log = structlog.get_logger(__name__)


class Notifier:
    """Sends the categories that were appended to, all that came together in one notification."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._pending: set[str] = set()
        self._sending = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sending."""
        self._task = asyncio.create_task(self._run(), name="notifier")

    def notify(self, categories: Iterable[str]) -> None:
        """Note that streams of these categories were appended to; returns at once."""
        self._pending.update(categories)
        self._wake.set()

    async def close(self) -> None:
        """Send what is pending and stop."""
        if self._task is None:
            return
        self._wake.set()
        for _ in range(100):
            if not self._pending and not self._sending:
                break
            await asyncio.sleep(0.005)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        connection: asyncpg.Connection | None = None
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                if not self._pending:
                    continue
                self._sending = True
                try:
                    if connection is None or connection.is_closed():
                        connection = await self._connect()
                        # It need not be durable, and must not make appends wait for the disk.
                        await connection.execute("SET synchronous_commit = off")
                    categories, self._pending = self._pending, set()
                    await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, ",".join(sorted(categories)))
                except (*DATABASE_ERRORS, EventStoreError) as error:
                    log.warning("notification not sent; listeners find the events by polling", error=str(error))
                    connection = None
                    await asyncio.sleep(RETRY_AFTER)
                finally:
                    self._sending = False
        finally:
            if connection is not None:
                connection.terminate()
