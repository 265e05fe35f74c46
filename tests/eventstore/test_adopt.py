"""A dump of a running installation, restored into another cluster: noticed, adopted, and nothing missed or doubled."""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from daemons.postgres import SUPERUSER, find_binaries
from domain.company_events import CompanyCreated
from domain.job_events import JobScheduled
from eventstore.adopt import adopt
from eventstore.audit_errors import AdoptionError
from eventstore.errors import LogMovedError, SettingsError
from eventstore.log import START, Append, Cursor
from eventstore.proofs import check_consistency, prove_consistency
from eventstore.read import Recorded
from eventstore.store import EventStore
from eventstore.tree_heads import TreeHeadSigner
from eventstore.verify import verify
from tests.eventstore.logs import open_store, superuser
from tests.testbed.components import require
from tests.testbed.postgres import Database, Server

BURN = "DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
"""Lets transaction ids run far ahead of those of a new cluster."""

STREAMS = 20
WRITTEN_BEFORE = 200


@pytest.fixture
def target() -> Iterator[Server]:
    """A new cluster: its transaction ids start low."""
    require("postgresql-18")
    with Server(18) as server:
        yield server


def scheduled(number: int) -> JobScheduled:
    now = datetime.now(UTC)
    return JobScheduled(
        job_id=number,
        company_id=7,
        run_template_id=1,
        uuid=f"u{number}",
        application_id=1,
        application_version="1",
        not_before=now,
        scheduled_at=now,
    )


async def write_on(store: EventStore, written: list[tuple[str, int]], stop: asyncio.Event) -> None:
    """Append to a few streams until told to stop; note what was acknowledged."""
    number = 0
    while not stop.is_set():
        job = number % STREAMS + 1
        appended = await store.append(Append(stream=f"job-{job}", company_id=7, events=[scheduled(job)]))
        written.append((appended.stream, appended.version))
        number += 1


class Follower:
    """A subscriber that keeps its cursor and what it saw in the database, in one transaction, as a projection does."""

    def __init__(self, store: EventStore, database: Database) -> None:
        self._store = store
        self._database = database

    @staticmethod
    async def prepare(database: Database) -> None:
        async with superuser(database) as connection:
            await connection.execute(
                "CREATE TABLE seen (number serial, epoch int, xid xid8, position bigint, name text)"
            )
            await connection.execute("INSERT INTO projections (name, version, inline) VALUES ('follower', 1, false)")

    @staticmethod
    async def cursor(connection: asyncpg.Connection) -> Cursor:
        row = await connection.fetchrow("SELECT epoch, xid, position FROM projections WHERE name = 'follower'")
        assert row is not None
        return Cursor(*row)

    async def follow(self) -> None:
        async with superuser(self._database) as connection:
            subscription = self._store.subscribe(after=await self.cursor(connection), categories=["job"])
            async with subscription:
                async for batch in subscription:
                    await self._note(connection, batch)

    @staticmethod
    async def _note(connection: asyncpg.Connection, batch: list[Recorded]) -> None:
        rows = [(*each.cursor, f"{each.stream}@{each.version}") for each in batch]
        async with connection.transaction():
            await connection.executemany("INSERT INTO seen (epoch, xid, position, name) VALUES ($1, $2, $3, $4)", rows)
            await connection.execute(
                "UPDATE projections SET epoch = $1, xid = $2, position = $3 WHERE name = 'follower'", *batch[-1].cursor
            )


@asynccontextmanager
async def running(store: EventStore, database: Database, written: list[tuple[str, int]]) -> AsyncIterator[None]:
    """Keep writers, a follower and a signer busy."""
    stop = asyncio.Event()
    writers = [asyncio.create_task(write_on(store, written, stop)) for _ in range(3)]
    others = [
        asyncio.create_task(Follower(store, database).follow()),
        asyncio.create_task(TreeHeadSigner(store).run(interval=0.05)),
    ]
    try:
        yield
        stop.set()
        await asyncio.gather(*writers)
    finally:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, *writers, return_exceptions=True)


def moved(source: Server, database: Database, target: Server, folder: Path) -> Database:
    """Dump a database and restore it into another cluster, with the tools of version 18."""
    binaries = find_binaries(18)
    arrived = target.empty_database()
    dump = folder / "dump"
    commands = [
        [binaries.program("pg_dump"), "--format=custom", f"--file={dump}", database.superuser_url],
        [
            *(binaries.program("pg_restore"), "--exit-on-error"),
            f"--dbname={target.postgres.url(SUPERUSER, arrived.name)}",
            str(dump),
        ],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
    return arrived


async def wait_until_seen(connection: asyncpg.Connection, count: int) -> None:
    async with asyncio.timeout(20):
        while await connection.fetchval("SELECT count(*) FROM seen") < count:
            await asyncio.sleep(0.02)


async def wait_until_signed(connection: asyncpg.Connection) -> None:
    async with asyncio.timeout(20):
        while not await connection.fetchval("SELECT count(*) FROM tree_heads"):
            await asyncio.sleep(0.02)


async def check_followed(connection: asyncpg.Connection) -> None:
    """Check that the follower saw every event of jobs once, in the order of the log."""
    seen = [row["name"] for row in await connection.fetch("SELECT name FROM seen ORDER BY number")]
    ordered = await connection.fetch(
        "SELECT stream || '@' || version AS name, epoch FROM events WHERE class = 2 ORDER BY epoch, xid, position"
    )
    assert [name for name, times in Counter(seen).items() if times > 1] == []
    assert seen == [row["name"] for row in ordered]
    versions: dict[str, int] = {}
    for name in seen:
        stream, version = name.split("@")
        assert int(version) == versions.get(stream, 0) + 1
        versions[stream] = int(version)


@pytest.mark.postgres_versions(15, 18)
async def test_a_running_installation_moves_to_another_cluster(
    database: Database, postgres: Server, target: Server, tmp_path: Path
) -> None:
    written: list[tuple[str, int]] = []
    await Follower.prepare(database)
    async with superuser(database) as connection:
        await connection.execute(BURN)
    async with open_store(database) as store:
        company = CompanyCreated(company_id=7, uuid="u", name="A", code="a", time_zone="UTC", email="a@example.com")
        command = Append(stream="company-7", company_id=7, events=[company])
        (first,) = await store.append_all([command], key="a command")
        async with running(store, database, written):
            async with superuser(database) as connection:
                await wait_until_seen(connection, WRITTEN_BEFORE)
                await wait_until_signed(connection)
            acknowledged = list(written)
            arrived = await asyncio.to_thread(moved, postgres, database, target, tmp_path)
        known = await TreeHeadSigner(store).sign()
    assert len(written) > len(acknowledged)

    with pytest.raises(LogMovedError, match="database:adopt"):
        async with open_store(arrived):
            pass
    async with superuser(arrived) as connection:
        assert await connection.fetchval("SELECT pg_current_xact_id()") < await connection.fetchval(
            "SELECT min(xid) FROM events"
        )
        assert (await adopt(arrived.owner_url)).epoch == 2
        with pytest.raises(AdoptionError, match="nothing to adopt"):
            await adopt(arrived.owner_url)
        there = {
            (row["stream"], row["version"]) for row in await connection.fetch("SELECT stream, version FROM events")
        }
        assert set(acknowledged) <= there
        await go_on(arrived, connection)
        async with open_store(arrived) as store:
            (again,) = await store.append_all([command], key="a command")
            assert (again.cursor, again.replayed) == (first.cursor, True)
        found = await verify(connection)
        assert found.ok, found
        assert found.signed == found.events
        # What the old cluster signed after the dump is not of this log any more.
        assert known is not None
        assert not (await verify(connection, known_head=known)).ok


async def go_on(arrived: Database, connection: asyncpg.Connection) -> None:
    """Use the log in its new home: write, follow from the cursor that was reached, sign."""
    count = await connection.fetchval("SELECT count(*) FROM events WHERE class = 2")
    signed = await connection.fetchval("SELECT max(id) FROM tree_heads")
    assert await Follower.cursor(connection) > START
    async with open_store(arrived) as store:
        assert store.epoch == 2
        async with running(store, arrived, []):
            await wait_until_seen(connection, count + WRITTEN_BEFORE)
        following = asyncio.create_task(Follower(store, arrived).follow())
        await wait_until_seen(connection, await connection.fetchval("SELECT count(*) FROM events WHERE class = 2"))
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await check_followed(connection)
        await TreeHeadSigner(store).sign()
        keys = [row["public_key"] for row in await connection.fetch("SELECT public_key FROM signing_keys")]
        proven, _ = check_consistency(await prove_consistency(connection, signed), keys)
        assert proven.id == signed


async def test_a_log_at_home_is_not_adopted(database: Database, postgres: Server) -> None:
    with pytest.raises(AdoptionError, match="nothing to adopt"):
        await adopt(database.owner_url)
    empty = postgres.empty_database()
    try:
        with pytest.raises(SettingsError, match="no log to adopt"):
            await adopt(empty.owner_url)
    finally:
        postgres.drop(empty)
