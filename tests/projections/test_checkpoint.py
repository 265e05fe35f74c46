"""Rows and checkpoint move together: whatever dies in between, each event is folded once."""

from __future__ import annotations

import asyncio

import asyncpg
import psycopg
import pytest

from projections.registry import ASYNC
from tests.projections.rows import Rows, rows_of
from tests.projections.scenes import history, settle
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store, raw_connection

NAMES = [projection.name for projection in ASYNC]
PROJECT = "SELECT project($1, 100)"


def places(database: Database) -> list[tuple[object, ...]]:
    with psycopg.connect(database.superuser_url) as connection:
        return connection.execute(
            "SELECT name, xid::text, position FROM multiflexi.projections ORDER BY name"
        ).fetchall()


@pytest.mark.parametrize("end", ["killed", "rolled back"])
async def test_fold_that_is_not_committed_leaves_rows_and_checkpoint_as_they_were(database: Database, end: str) -> None:
    async with open_store(database, inline=True) as store:
        await history(store)
        before: tuple[Rows, object] = rows_of(database), places(database)
        async with raw_connection(database) as (connection, _):
            await connection.execute("BEGIN")
            assert await connection.fetchval(PROJECT, NAMES) == 100
            assert await connection.fetchval("SELECT count(*) FROM job") > 0
            if end == "killed":
                pid = connection.get_server_pid()
                await asyncio.to_thread(kill_backend, database, pid)
                with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
                    await connection.execute("COMMIT")
            else:
                await connection.execute("ROLLBACK")
        assert (rows_of(database), places(database)) == before
        await settle(database, store)


async def test_fold_that_fails_moves_none_of_the_projections_that_it_was_made_with(database: Database) -> None:
    async with open_store(database, inline=True) as store:
        await history(store)
        with psycopg.connect(database.superuser_url, autocommit=True) as connection:
            before = rows_of(database), places(database)
            connection.execute("ALTER TABLE multiflexi.dashboard_day RENAME TO away")
            with pytest.raises(psycopg.errors.UndefinedTable):
                await asyncio.to_thread(fold_together, database)
            connection.execute("ALTER TABLE multiflexi.away RENAME TO dashboard_day")
        assert (rows_of(database), places(database)) == before
        await settle(database, store)


async def test_two_projectors_at_once_fold_each_event_once(database: Database) -> None:
    async with open_store(database, inline=True) as store:
        await history(store)

        async def projector() -> int:
            async with raw_connection(database) as (connection, _):
                folded = 0
                while count := await connection.fetchval("SELECT project($1, 7)", NAMES):
                    folded += count
                return folded

        folded = await asyncio.gather(*(projector() for _ in range(4)))
        assert sum(folded) == await store.pool.fetchval("SELECT count(*) FROM events")
        await settle(database, store)


async def test_projections_that_stand_at_different_places_are_not_folded_together(database: Database) -> None:
    async with open_store(database, inline=True) as store:
        await history(store)
        async with raw_connection(database) as (connection, _):
            await connection.fetchval("SELECT project($1, 10)", NAMES[:1])
            with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="do not stand at the same place"):
                await connection.fetchval("SELECT project($1, 10)", NAMES)


def fold_together(database: Database) -> None:
    options = "-c role=multiflexi_projector -c search_path=multiflexi"
    with psycopg.connect(database.url_of("projector"), autocommit=True, options=options) as connection:
        connection.execute("SELECT project(%s, 100)", [NAMES])


def kill_backend(database: Database, pid: int) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
