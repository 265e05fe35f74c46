"""Sessions of pooled connections: what somebody changed is gone before the next has them; the rest costs nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from commands.retention import alone
from eventstore.company_view import CompanyView
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

SEEN = "SELECT current_setting('multiflexi.companies')"
LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"


async def test_a_connection_that_acted_for_some_companies_sees_everything_again(database: Database) -> None:
    async with open_store(database, pool_size=1) as store:
        for companies in ([7], [8, 9]):
            view = CompanyView(store.pool, store.keyring, companies)
            assert await view.pool.fetchval(SEEN) == ",".join(map(str, companies))
            assert await store.pool.fetchval(SEEN) == "*"


async def test_also_when_who_used_it_was_interrupted(database: Database) -> None:
    async with open_store(database, pool_size=1) as store:
        view = CompanyView(store.pool, store.keyring, [7])
        acting = asyncio.create_task(view.pool.fetchval("SELECT pg_sleep(60)"))
        while not await other(database, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"):
            await asyncio.sleep(0.01)
        acting.cancel()
        await asyncio.wait([acting])
        assert await store.pool.fetchval(SEEN) == "*"


async def test_a_lock_of_a_session_that_was_interrupted_is_let_go(database: Database) -> None:
    async with open_store(database, pool_size=2) as store:
        entered = asyncio.Event()

        async def hold() -> None:
            async with alone(store):
                entered.set()
                await asyncio.Event().wait()

        holding = asyncio.create_task(hold())
        await entered.wait()
        assert await other(database, LOCKS) == 1
        holding.cancel()
        await asyncio.wait([holding])
        assert await other(database, LOCKS) == 0


async def test_a_connection_that_nobody_changed_goes_back_without_a_word_to_the_server(database: Database) -> None:
    async with open_store(database, pool_size=1) as store:
        heard: list[str] = []
        async with store.pool.acquire() as connection:
            pid = connection.get_server_pid()
        for _ in range(3):
            await store.pool.fetchval("SELECT 1")
            said = await other(database, f"SELECT query FROM pg_stat_activity WHERE pid = {int(pid)}")
            heard.append(said)
        assert heard == ["SELECT 1"] * 3


async def other(database: Database, statement: str) -> Any:
    """Ask as a superuser, on a connection of its own."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
