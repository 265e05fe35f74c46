"""What companies keep no longer is gone: output by month, files, contents, history. The log stays verifiable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from commands.retention import Result, Work, keep_newest, remove
from daemons.prepare import prepare
from daemons.projector import fold_all
from domain.company_events import CompanyChanged, CompanyRemoved
from domain.job_events import Artifact, JobFinished, JobScheduled, JobStarted, OutputCaptured
from domain.retention import Rules
from domain.task_events import TaskMissed, TaskOpened
from eventstore.artifacts import ArtifactMissingError, read_artifact, store_artifact
from eventstore.log import Append, Meta
from eventstore.output import encode_payload, key_owner, place, read_output
from eventstore.store import EventStore
from eventstore.tree_heads import TreeHeadSigner
from eventstore.verify import verify
from projections.rebuild import rebuild
from projections.registry import ALL
from tests.eventstore.logs import month, superuser, write
from tests.projections.rows import differences, rows_of
from tests.testbed.events import company_created
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=100)
META = Meta(actor="daemon:projector", source="retention")


@asynccontextmanager
async def two_companies(database: Database, **rules: int) -> AsyncIterator[EventStore]:
    """Give a store with companies 7, which has rules, and 8, which keeps all."""
    await asyncio.to_thread(prepare, database.owner_url)
    async with open_store(database, inline=True, pool_size=8) as store:
        for company, fields in ((7, rules), (8, {})):
            created = company_created(company, **fields)
            await store.append(Append(stream=f"company-{company}", company_id=company, events=[created]))
        yield store


async def over(store: EventStore, **more: Any) -> Result:
    """Remove what is over, after the projector has folded all."""
    await fold_all(store)
    rules = {name: more.pop(name) for name in ("rules", "company_id") if name in more}
    work = Work(**{"store": store, "now": NOW, "meta": META, "stored_for": 0.0, **more})
    result = await remove(work, **rules)
    await fold_all(store)
    return result


async def ended(store: EventStore, job: int, company: int, at: datetime, *files: Artifact) -> None:
    """Let a job end, whose files these are."""
    about: dict[str, Any] = {"job_id": job, "company_id": company, "run_template_id": 1}
    scheduled = JobScheduled(
        uuid="u", application_id=1, application_version="1", not_before=at, scheduled_at=at, **about
    )
    started = JobStarted(executor_id="e", host="h", started_at=at, **about)
    finished = JobFinished(outcome="success", exit_code=0, finished_at=at, artifacts=list(files), **about)
    events = [scheduled, started, finished]
    await store.append(Append(stream=f"job-{job}", company_id=company, events=events))


async def file(store: EventStore, job: int, company: int, data: bytes) -> Artifact:
    """Store a content for a job; return the file that the job may leave."""
    digest = await store_artifact(store, company, job, data)
    return Artifact(name=f"{data.decode()}.txt", content_type="text/plain", size=len(data), digest=digest)


async def wrote(connection: asyncpg.Connection, store: EventStore, job: int, company: int, at: datetime) -> None:
    """Let a job have written its name at a moment."""
    key = await store.keyring.ensure(key_owner(company, at), company)
    data = f"job {job}".encode()
    captured = OutputCaptured(
        job_id=job, company_id=company, channel="stdout", offset=0, length=len(data), captured_at=at
    )
    payload = encode_payload(key, place(job, "stdout", 0), data)
    details: dict[str, Any] = {"type_": "OutputCaptured", "data": msgspec.to_builtins(captured), "payload": payload}
    await write(connection, f"output-{job}", at, company_id=company, **details)


async def output(store: EventStore, job: int) -> list[tuple[bytes, bool]]:
    """Return what can be read of a job's output, with what was erased."""
    return [(chunk.data, chunk.erased) async for chunk in read_output(store, job)]


async def history(store: EventStore) -> list[int]:
    """Return the jobs in the history."""
    return [row[0] for row in await store.pool.fetch("SELECT id FROM job ORDER BY id")]


async def readable(store: EventStore, company: int, kept: Artifact) -> bool:
    """Tell whether a content is there."""
    try:
        return bool(await read_artifact(store, company, kept.digest))
    except ArtifactMissingError:
        return False


async def test_output_of_a_month_that_is_over_is_unreadable_and_the_log_verifies(database: Database) -> None:
    async with two_companies(database, keep_output=60) as store, superuser(database) as connection:
        await connection.execute("SELECT ensure_partitions($1, 6)", month(-6))
        for job, company, number in ((1, 7, -5), (2, 7, 0), (3, 8, -5)):
            await wrote(connection, store, job, company, month(number))
        await TreeHeadSigner(store).sign()
        dry = await over(store, dry_run=True)
        assert await output(store, 1) == [(b"job 1", False)]
        result = await over(store)
        assert dry.removals == result.removals
        [removal] = result.removals
        told = (removal.company_id, removal.what, removal.month, removal.days, removal.jobs, removal.bytes)
        assert told == (7, "output", f"{month(-5):%Y-%m}", 60, 1, 5)
        assert [await output(store, job) for job in (1, 2, 3)] == [
            [(b"", True)], [(b"job 2", False)], [(b"job 3", False)]
        ]  # fmt: skip
        (event,) = [each.event async for each in store.read_stream("retention-7")]
        assert (event.month, event.days, event.by_hand, event.bytes) == (removal.month, 60, False, 5)  # type: ignore[attr-defined]
        assert (await verify(connection)).ok
        assert (await over(store)).removals == []


async def test_a_month_that_nobody_can_read_any_more_leaves_the_database(database: Database) -> None:
    async with two_companies(database, keep_output=60) as store, superuser(database) as connection:
        await connection.execute("SELECT ensure_partitions($1, 6)", month(-6))
        for job, company in ((1, 7), (2, 8)):
            await wrote(connection, store, job, company, month(-5))
        await wrote(connection, store, 1, 7, month(-4))
        await TreeHeadSigner(store).sign()
        leaf = f"events_output_{month(-5):%Y_%m}"
        assert [each.what for each in (await over(store)).removals] == ["output", "output", "month"]
        assert await connection.fetchval("SELECT to_regclass($1)", leaf) is not None
        changed = CompanyChanged(company_id=8, keep_output=60)
        await store.append(Append(stream="company-8", company_id=8, events=[changed]))
        assert [each.what for each in (await over(store)).removals] == ["output", "month"]
        assert await connection.fetchval("SELECT to_regclass($1)", leaf) is None
        assert (await verify(connection)).ok
        before = rows_of(database)
        assert before["job_output"] == []
        await asyncio.to_thread(rebuild, database.owner_url, [projection.name for projection in ALL])
        assert differences(before, rows_of(database)) == {}


async def test_a_company_without_rules_keeps_all(database: Database) -> None:
    async with two_companies(database) as store, superuser(database) as connection:
        await connection.execute("SELECT ensure_partitions($1, 6)", month(-6))
        await wrote(connection, store, 1, 7, month(-5))
        kept = await file(store, 1, 7, b"a")
        await ended(store, 1, 7, OLD, kept)
        assert (await over(store)).removals == []
        assert await output(store, 1) == [(b"job 1", False)]
        assert await readable(store, 7, kept)


async def test_keys_that_the_removal_of_a_company_left_behind_are_destroyed(database: Database) -> None:
    async with two_companies(database) as store:
        for company in (7, 8):
            for purpose in ("credentials", "environment"):
                await store.keyring.ensure(f"{purpose}:{company}", company)
        gone = CompanyRemoved(company_id=7)
        await store.append(Append(stream="company-7", company_id=7, events=[gone]))
        await over(store, dry_run=True)
        owners = "SELECT array_agg(owner ORDER BY owner) FROM data_keys WHERE owner ~ '^(credentials|environment):'"
        assert len(await store.pool.fetchval(owners)) == 4
        await over(store)
        assert await store.pool.fetchval(owners) == ["credentials:8", "environment:8"]


async def test_files_are_given_up_by_age_and_contents_once_nothing_refers_to_them(database: Database) -> None:
    async with two_companies(database, keep_artifacts=30) as store:
        shared, alone = await file(store, 1, 7, b"shared"), await file(store, 1, 7, b"alone")
        of_another = await file(store, 3, 8, b"alone")
        await ended(store, 1, 7, OLD, shared, alone)
        await file(store, 2, 7, b"shared")
        await ended(store, 2, 7, NOW, shared)
        await ended(store, 3, 8, OLD, of_another)
        dry = await over(store, dry_run=True)
        result = await over(store)
        assert [(each.what, each.things) for each in result.removals] == [("artifacts", 2), ("contents", 1)]
        assert dry.removals == result.removals
        assert [await readable(store, 7, each) for each in (shared, alone)] == [True, False]
        assert await readable(store, 8, of_another)
        rows = await store.pool.fetch("SELECT what, days, things, bytes > 0 AS counted FROM removal ORDER BY id")
        assert [tuple(row) for row in rows] == [("artifacts", 30, 2, True), ("contents", None, 1, True)]
        assert (await over(store)).removals == []


async def test_a_content_is_kept_from_the_moment_a_job_stores_it_again_until_its_end_is_known(
    database: Database,
) -> None:
    async with two_companies(database, keep_artifacts=30) as store:
        kept = await file(store, 1, 7, b"again")
        await ended(store, 1, 7, OLD, kept)
        await file(store, 2, 7, b"again")
        await over(store)
        assert await readable(store, 7, kept), "a job that has not ended has stored it"
        await ended(store, 2, 7, NOW, kept)
        work = Work(store=store, now=NOW, meta=META, stored_for=0.0)
        await remove(work)
        assert await readable(store, 7, kept), "the read model of files does not know of it yet"
        await over(store)
        assert await readable(store, 7, kept), "it is a file of job 2"
        await file(store, 3, 7, b"left")
        await ended(store, 3, 7, NOW)
        assert ("contents", 1) in [(each.what, each.things) for each in (await over(store)).removals]


async def test_a_collection_waits_for_a_job_that_is_just_storing_the_same_content(database: Database) -> None:
    async with two_companies(database, keep_artifacts=30) as store:
        kept = await file(store, 1, 7, b"race")
        await ended(store, 1, 7, OLD, kept)
        key = await store.keyring.ensure("artifact:7", 7)
        async with store.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            assert await connection.fetchval("SELECT hold_artifact(7, $1, 2, $2)", kept.digest, key.id) is True
            collecting = asyncio.create_task(over(store))
            waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            async with asyncio.timeout(10):
                while not await store.pool.fetchval(waits):
                    await asyncio.sleep(0.01)
            await transaction.commit()
        await collecting
        assert await readable(store, 7, kept)


async def test_no_content_is_lost_while_many_jobs_store_it_and_others_collect(database: Database) -> None:
    async with two_companies(database, keep_artifacts=30) as store:
        await ended(store, 1, 7, OLD, await file(store, 1, 7, b"busy"))

        async def job(number: int) -> Artifact:
            kept = await file(store, number, 7, b"busy")
            await asyncio.sleep(0.001 * (number % 5))
            assert await readable(store, 7, kept), number
            await ended(store, number, 7, OLD if number % 2 else NOW)
            return kept

        async def collect() -> None:
            for _ in range(15):
                await over(store)

        collecting = asyncio.create_task(collect())
        for start in range(2, 42, 8):
            await asyncio.gather(*(job(number) for number in range(start, start + 8)))
        await collecting
        await over(store)
        assert await store.pool.fetchval("SELECT count(*) FROM artifact_content") == 0
        assert await store.pool.fetchval("SELECT count(*) FROM artifact_use") == 0


async def test_jobs_and_tasks_leave_the_history_and_a_rebuild_gives_the_same(database: Database) -> None:
    async with two_companies(database, keep_history=30) as store:
        for job, company, at in ((1, 7, OLD), (2, 7, NOW), (3, 8, OLD)):
            await ended(store, job, company, at, await file(store, job, company, b"x"))
        about: dict[str, Any] = {"task_id": 1, "company_id": 7, "run_template_id": 1}
        opened = TaskOpened(window_start=OLD, window_end=OLD, deadline=None, opened_at=OLD, **about)
        missed = TaskMissed(missed_at=OLD, reason="Nobody scheduled it.", **about)
        await store.append(Append(stream="task-1", company_id=7, events=[opened, missed]))
        result = await over(store)
        assert [(each.what, each.days, each.jobs, each.things) for each in result.removals] == [
            ("artifacts", 30, 0, 1), ("history", 30, 1, 1)
        ]  # fmt: skip
        assert await history(store) == [2, 3]
        assert await store.pool.fetchval("SELECT count(*) FROM task") == 0
        assert [each.type async for each in store.read_stream("job-1")][-1] == "JobFinished"
        before = rows_of(database)
        await asyncio.to_thread(rebuild, database.owner_url, [projection.name for projection in ALL])
        assert differences(before, rows_of(database)) == {}


async def test_by_hand_a_rule_is_given_for_one_company_and_told_as_such(database: Database) -> None:
    async with two_companies(database) as store:
        for job, company in ((1, 7), (2, 8)):
            await ended(store, job, company, OLD)
        result = await over(store, rules=Rules(history=10), company_id=8, by_hand=True)
        assert [(each.company_id, each.what, each.days) for each in result.removals] == [(8, "history", 10)]
        assert await history(store) == [1]
        assert await store.pool.fetchval("SELECT by_hand FROM removal") is True


@pytest.mark.parametrize(("count", "left"), [(0, []), (2, [3, 4]), (9, [1, 2, 3, 4])])
async def test_the_newest_jobs_can_be_kept_by_number(database: Database, count: int, left: list[int]) -> None:
    async with two_companies(database) as store:
        for job in range(1, 5):
            await ended(store, job, 7 + job % 2, OLD + timedelta(hours=job))
        await fold_all(store)
        await keep_newest(Work(store=store, now=NOW, meta=META, by_hand=True), count)
        await fold_all(store)
        assert await history(store) == left
