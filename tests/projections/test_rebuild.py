"""A rebuild beside what serves: whoever reads, appends or folds meanwhile notices nothing, and no event is lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import asyncpg
import psycopg
import pytest

import projections.rebuild
from domain.job_events import JobStarted
from domain.run_template_events import RunTemplateChanged
from eventstore.log import Append
from eventstore.store import EventStore
from projections.errors import RebuildError
from projections.queries import query
from projections.rebuild import rebuild
from projections.registry import ASYNC
from tests.projections.scenes import NAMES, appends_of_job, furnish, schemas, settle
from tests.testbed.events import DAY, job_scheduled
from tests.testbed.postgres import Database
from tests.testbed.stores import OpenTransaction, open_store, raw_connection, wait_until

WAITS_FOR_STREAMS = """
    SELECT 1 FROM pg_locks l
     WHERE NOT l.granted AND l.relation = 'multiflexi.streams'::regclass
       AND l.waitstart < clock_timestamp() - interval '700 milliseconds'
"""
"""Somebody that has waited for the streams for most of PostgreSQL's ``deadlock_timeout``."""

ASYNC_NAMES = [projection.name for projection in ASYNC]


WAITING = "SELECT 'job-' || job_id FROM job_queue WHERE state = 'queued' LIMIT 5"
STREAMS = "SELECT stream FROM streams WHERE stream = ANY ($1) ORDER BY stream FOR UPDATE SKIP LOCKED"
CLAIMED = """
    SELECT job_id FROM job_queue WHERE state = 'queued' AND 'job-' || job_id = ANY ($1) FOR UPDATE SKIP LOCKED
"""


class Load:
    """Appends, claims, folds and reads for as long as a test wants; what goes wrong in it fails the test."""

    def __init__(self, database: Database, store: EventStore) -> None:
        self.database = database
        self.store = store
        self.jobs = count(1000)
        self.appended = 0
        self.reads = 0
        self.over = False

    async def append(self) -> None:
        while not self.over:
            job = next(self.jobs)
            waiting = Append(stream=f"job-{job + 10**6}", company_id=1, events=[job_scheduled(job + 10**6)])
            changed = RunTemplateChanged(run_template_id=1, company_id=1, name=f"Template {job}")
            template = Append(stream="run_template-1", company_id=1, events=[changed])
            for append in (*appends_of_job(job), waiting, template):
                await self.store.append(append)
                self.appended += len(append.events)

    async def claim(self) -> None:
        """Take waiting jobs as an executor does: locks their streams, then the queue, in one transaction."""
        async with raw_connection(self.database) as (connection, epoch):
            appender = OpenTransaction(connection, epoch, inline=True)
            while not self.over:
                async with connection.transaction():
                    await connection.execute("LOCK TABLE streams IN ROW EXCLUSIVE MODE")
                    waiting = [row[0] for row in await connection.fetch(WAITING)]
                    held = [row[0] for row in await connection.fetch(STREAMS, waiting)]
                    rows = await connection.fetch(CLAIMED, held)
                    for row in rows:
                        job = row["job_id"]
                        started = JobStarted(
                            job_id=job, company_id=1, run_template_id=1, executor_id="c", host="h", started_at=DAY
                        )
                        await appender.append(f"job-{job}", [started], company_id=1)
                self.appended += len(rows)
                await asyncio.sleep(0.002)

    async def project(self) -> None:
        async with raw_connection(self.database) as (connection, _):
            while not self.over:
                for name in ASYNC_NAMES:
                    await connection.fetchval("SELECT project($1, 500)", [name])
                await asyncio.sleep(0.002)

    async def read(self) -> None:
        """Read with prepared statements: no error, and never less than before."""
        async with raw_connection(self.database, "app") as (connection, _):
            growing = [
                await connection.prepare(f"SELECT count(*) FROM {table}")
                for table in ("job", "job_output", "audit_trail", "company", "run_template")
            ]
            pages = [
                await connection.prepare(query("job.list")),
                await connection.prepare(query("dashboard.figures")),
            ]
            seen = [0] * len(growing)
            while not self.over:
                for number, statement in enumerate(growing):
                    found = await statement.fetchval()
                    assert found >= seen[number], statement.get_query()
                    seen[number] = found
                await pages[0].fetch(1, None, None, None, 10, 0)
                await pages[1].fetch(1)
                self.reads += 1
                await asyncio.sleep(0)


@asynccontextmanager
async def under_load(database: Database, store: EventStore) -> AsyncIterator[Load]:
    load = Load(database, store)
    parts: list[Callable[[], Awaitable[None]]] = [load.append, load.append, load.claim, load.project, load.read]
    async with asyncio.TaskGroup() as group:
        for part in (*parts, load.read):
            group.create_task(part())  # type: ignore[arg-type]
        try:
            yield load
        finally:
            load.over = True


@pytest.mark.slow
@pytest.mark.postgres_versions(18, 15)
async def test_rebuilds_while_others_append_claim_fold_and_read(database: Database) -> None:
    async with open_store(database, inline=True) as store:
        await furnish(store)
        async with under_load(database, store) as load:
            for names in (NAMES, ["job_queue"], ["job_history"], ["run_template", "audit_trail"], ASYNC_NAMES, NAMES):
                before = load.reads, load.appended
                await asyncio.to_thread(rebuild, database.owner_url, names, batch=500)

                async def went_on(before: tuple[int, int] = before) -> bool:
                    return load.reads > before[0] and load.appended > before[1]

                await wait_until(went_on, "reading and appending after a rebuild")
        rows = await settle(database, store)
        assert len(rows["job"]) > 40


async def test_rebuild_leaves_room_for_a_transaction_that_has_its_id_but_has_not_appended_yet(
    database: Database,
) -> None:
    async with open_store(database, inline=True) as store, raw_connection(database) as (connection, epoch):
        await furnish(store)
        async with connection.transaction():
            await connection.fetchval("SELECT pg_current_xact_id()")
            await store.append_all(appends_of_job(100))
            await asyncio.to_thread(rebuild, database.owner_url, NAMES)
            late = job_scheduled(200)
            await OpenTransaction(connection, epoch, inline=True).append("job-200", [late], company_id=1)
        rows = await settle(database, store)
        assert {100, 200} <= {row["id"] for row in rows["job"]}


async def test_rebuild_and_a_claim_that_wait_for_each_other_both_come_through(database: Database) -> None:
    async with open_store(database, inline=True) as store, raw_connection(database) as (connection, epoch):
        await store.append(Append(stream="job-7", company_id=1, events=[job_scheduled(7)]))
        async with connection.transaction():
            await connection.fetch("SELECT FROM job_queue FOR UPDATE")
            rebuilding = asyncio.create_task(asyncio.to_thread(rebuild, database.owner_url, "job_queue"))
            await wait_until(lambda: waits_for_a_lock(database), "the rebuild waits for the queue")
            started = JobStarted(job_id=7, company_id=1, run_template_id=1, executor_id="c", host="h", started_at=DAY)
            await OpenTransaction(connection, epoch, inline=True).append("job-7", [started], company_id=1)
        await rebuilding
        rows = await settle(database, store)
        assert [row["state"] for row in rows["job_queue"]] == ["running"]


async def test_a_rebuild_that_takes_long_for_the_rest_makes_no_claim_fail(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that wait for each other PostgreSQL ends the one that has waited for a second: never the claim."""
    claimed, folding = threading.Event(), threading.Event()

    def fold_slowly(*arguments: Any, **options: Any) -> int:
        if options.get("alone"):
            folding.set()
            with psycopg.connect(database.superuser_url, autocommit=True) as watcher:
                while not claimed.is_set() and not watcher.execute(WAITS_FOR_STREAMS).fetchone():
                    time.sleep(0.01)
        return fold(*arguments, **options)

    fold = projections.rebuild._fold  # type: ignore[attr-defined]
    monkeypatch.setattr("projections.rebuild._fold", fold_slowly)

    async def folds_or_waits() -> bool:
        return folding.is_set() or await waits_for_a_lock(database)

    async with open_store(database, inline=True) as store, raw_connection(database) as (connection, epoch):
        await store.append(Append(stream="job-7", company_id=1, events=[job_scheduled(7)]))
        try:
            async with connection.transaction():
                await connection.fetch("SELECT FROM job_queue FOR UPDATE")
                rebuilding = asyncio.create_task(asyncio.to_thread(rebuild, database.owner_url, "job_queue"))
                await wait_until(folds_or_waits, "the rebuild has begun to swap")
                started = JobStarted(
                    job_id=7, company_id=1, run_template_id=1, executor_id="c", host="h", started_at=DAY
                )
                await OpenTransaction(connection, epoch, inline=True).append("job-7", [started], company_id=1)
        finally:
            claimed.set()
        await rebuilding
        rows = await settle(database, store)
        assert [row["state"] for row in rows["job_queue"]] == ["running"]


async def test_rebuild_gives_way_to_a_long_reader_and_appends_go_on(database: Database) -> None:
    async with open_store(database, inline=True) as store, raw_connection(database, "app") as (reader, _):
        await furnish(store)
        async with reader.transaction():
            await reader.fetchval("SELECT count(*) FROM company")
            rebuilding = asyncio.create_task(asyncio.to_thread(rebuild, database.owner_url, "company"))
            await wait_until(lambda: waits_for_a_lock(database), "the rebuild waits for the reader")
            for job in range(100, 110):
                await store.append_all(appends_of_job(job))
            assert not rebuilding.done()
            assert await reader.fetchval("SELECT count(*) FROM company") == 1
        await rebuilding
        await settle(database, store)


def test_rebuild_that_never_gets_the_old_tables_changes_nothing_and_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.rebuild.LOCK_TIMEOUT", "10ms")
    monkeypatch.setattr("projections.rebuild.SWAP_ATTEMPTS", 3)
    with psycopg.connect(database.superuser_url, options="-c search_path=multiflexi") as reader:
        reader.execute("SELECT count(*) FROM company")
        with pytest.raises(RebuildError, match=r"3 times .* Nothing was changed.* Try again"):
            rebuild(database.owner_url, "company")
        assert schemas(database, "rebuild_%") == []


async def test_rebuild_that_was_killed_is_cleared_away_by_the_next(database: Database) -> None:
    async with open_store(database, inline=True) as store:
        await furnish(store)

        def killed(_folded: int, _all: int) -> None:
            with psycopg.connect(database.superuser_url, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
                    "WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = %s)",
                    [database.name],
                )

        with pytest.raises(psycopg.OperationalError):
            await asyncio.to_thread(rebuild, database.owner_url, NAMES, killed)
        assert len(schemas(database, "rebuild_%")) == 1
        await asyncio.to_thread(rebuild, database.owner_url, ["company"])
        assert schemas(database, "rebuild_%") == []
        await settle(database, store)


async def waits_for_a_lock(database: Database) -> bool:
    connection = await asyncpg.connect(database.superuser_url)
    try:
        return await connection.fetchval(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
    finally:
        await connection.close()
