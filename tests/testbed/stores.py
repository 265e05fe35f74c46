"""Event stores on the databases of tests.

::

    async with open_store(database) as store:
        await store.append(Append(stream="company-7", company_id=7, events=[...]))
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from domain.event import Event
from eventstore import codec
from eventstore.append import Appender, Entry
from eventstore.connection import Companies, Role, check_log, connect
from eventstore.log import ANY, Cursor, class_of
from eventstore.settings import Settings
from eventstore.store import EventStore
from projections.registry import inline_folds
from tests.testbed.postgres import Database

MASTER_KEY = "5f" * 32
"""Master key of the databases of tests."""

DEADLINE = 30.0
"""Seconds after which waiting for a condition fails a test."""


def settings_of(database: Database, master_key: str = MASTER_KEY) -> Settings:
    """Return the settings of a process that works on a database."""
    return Settings(
        database_url=database.app_url,
        owner_url=database.owner_url,
        daemon_urls=database.daemon_urls,
        master_key=master_key,
        data_folder=Path("/nonexistent"),
    )


def open_store(
    database: Database,
    *,
    role: Role = "owner",
    companies: Companies = "*",
    inline: bool = False,
    master_key: str = MASTER_KEY,
    pool_size: int = 4,
) -> EventStore:
    """Return an event store, to be used as an asynchronous context manager.

    Parameters
    ----------
    database : Database
        Database that is migrated; with ``inline`` also prepared (``daemons.prepare.prepare``).
    role : Role
        Who the store acts as; the owner, unless told, who may do what each part of the program may.
    inline : bool
        Whether appends fold into the inline projections.
    """
    return EventStore(
        settings_of(database, master_key),
        role=role,
        companies=companies,
        inline=inline_folds() if inline else None,
        application="multiflexi-test",
        pool_size=pool_size,
    )


async def wait_until(condition: Callable[[], Awaitable[bool]], what: str, timeout: float = DEADLINE) -> None:
    """Wait until a condition holds; fail after ``timeout`` seconds, saying what did not come."""
    until = time.monotonic() + timeout
    while not await condition():
        if time.monotonic() > until:
            raise AssertionError(f"not within {timeout:.0f} s: {what}")
        await asyncio.sleep(0.005)


async def wait_visible(store: EventStore, cursor: Cursor) -> None:
    """Wait until readers of the log may see up to a cursor: no older transaction runs, in no database of the server."""

    async def visible() -> bool:
        return await store.end_of_log() >= cursor

    await wait_until(visible, f"event {cursor} visible to readers of the log")


class OpenTransaction:
    """Appends in a transaction that the test ends itself: what a caller does that holds its transaction open."""

    def __init__(self, connection: asyncpg.Connection, epoch: int, *, inline: bool = False) -> None:
        self.connection = connection
        self._appender = Appender(self._connect, inline_folds() if inline else {}, lambda _categories: None)
        self._epoch = epoch

    async def _connect(self) -> tuple[asyncpg.Connection, int]:
        return self.connection, self._epoch

    async def append(
        self, stream: str, events: list[Event], *, company_id: int | None = None, expected: int = ANY
    ) -> int:
        """Append events without personal fields to one stream; return its version."""
        (version,) = await self.append_all([(stream, events, company_id, expected)])
        return version

    async def append_all(self, appends: list[tuple[str, list[Event], int | None, int]]) -> list[int]:
        """Append events without personal fields to several streams; return their versions."""
        entries = [
            Entry(
                stream,
                class_of(stream),
                company_id,
                expected,
                [type(event).__name__ for event in events],
                [codec.encode(event) for event in events],
                ['{"v":1,"actor":"system","source":"test"}'] * len(events),
                [None] * len(events),
                [None] * len(events),
            )
            for stream, events, company_id, expected in appends
        ]
        return [done.version for done in await self._appender.append(entries, None, None)]


@asynccontextmanager
async def raw_connection(
    database: Database, role: Role = "owner", companies: Companies = "*"
) -> AsyncIterator[tuple[asyncpg.Connection, int]]:
    """Open a connection as the event store does, with the epoch of the log; close it in the end."""
    connection = await connect(database.url_of(role), role, companies, "multiflexi-test")
    try:
        yield connection, await check_log(connection)
    finally:
        await connection.close()
