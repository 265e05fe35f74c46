"""The log and the read models as the companies see them that somebody acts for, on connections that see everything.

::

    view = CompanyView(store, [7])
    await view.pool.fetch("SELECT id FROM run_template")   # those of company 7
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from eventstore import read
from eventstore.connection import Companies, companies_setting, note_change
from eventstore.keyring import Keyring

ACT_FOR = "SELECT set_config('multiflexi.companies', $1, false)"

Connection = asyncpg.pool.PoolConnectionProxy


class CompanyPool:
    """Connections of a pool that act for some companies while they are used.

    A connection goes back to what it was started with when it goes back to the pool, which resets it.
    """

    def __init__(self, pool: asyncpg.Pool, companies: Companies) -> None:
        self._pool = pool
        self._companies = companies_setting(companies)

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[Connection]:
        """Give a connection."""
        async with self._pool.acquire() as connection:
            note_change(connection)
            await connection.execute(ACT_FOR, self._companies)
            yield connection

    async def fetch(self, statement: str, *arguments: object) -> list[Any]:
        """Return the rows of a statement."""
        async with self.acquire() as connection:
            return await connection.fetch(statement, *arguments)

    async def fetchrow(self, statement: str, *arguments: object) -> Any:
        """Return the first row of a statement."""
        async with self.acquire() as connection:
            return await connection.fetchrow(statement, *arguments)

    async def fetchval(self, statement: str, *arguments: object) -> Any:
        """Return the first value of a statement."""
        async with self.acquire() as connection:
            return await connection.fetchval(statement, *arguments)


class CompanyView:
    """The log and the read models as some companies see them.

    Parameters
    ----------
    pool : asyncpg.Pool
        Connections that act for more.
    keyring : Keyring
        Opens personal fields.
    companies : Companies
        Those that row-level security lets through.
    """

    def __init__(self, pool: asyncpg.Pool, keyring: Keyring, companies: Companies) -> None:
        self.pool = CompanyPool(pool, companies)
        self._keyring = keyring

    def read_stream(
        self, stream: str, *, start: int = 1, end: int | None = None, backwards: bool = False
    ) -> AsyncIterator[read.Recorded]:
        """Iterate over the events of a stream; see :meth:`eventstore.store.EventStore.read_stream`."""
        return read.read_stream(self.pool, self._keyring, stream, start=start, end=end, backwards=backwards)
