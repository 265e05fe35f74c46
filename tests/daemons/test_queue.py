"""The queue: who starts next, and who must wait."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from domain.application_events import ApplicationUpdated
from domain.company_events import CompanyChanged, CompanyCreated
from domain.job_events import JobCancelRequested, JobScheduled
from domain.system_events import SystemPaused, SystemResumed
from domain.task_events import TaskOpened
from eventstore.log import Append
from eventstore.verify import verify
from projections.rebuild import rebuild
from projections.registry import JOB_QUEUE, TASK
from tests.projections.rows import differences, rows_of
from tests.testbed.engine import COMPANY, Lab, engine
from tests.testbed.postgres import Database
from tests.testbed.stores import OpenTransaction, raw_connection, wait_until

CLAIM = "SELECT job_id FROM claim_jobs($1, 'host', ARRAY['Native'], $2, 30, $3)"


WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'multiflexi.streams'::regclass"


async def claim(lab: Lab, most: int, *labels: str) -> list[int]:
    """Claim jobs as an executor with these labels; return them in the order of their ids."""
    return sorted(row[0] for row in await lab.store.pool.fetch(CLAIM, "executor@test:1", most, list(labels)))


async def company(lab: Lab, number: int) -> None:
    created = CompanyCreated(
        company_id=number, uuid=f"company-{number}", name=f"C{number}", code=f"c{number}", time_zone="UTC"
    )
    await lab.store.append(Append(stream=f"company-{number}", company_id=number, events=[created], expected=0))


async def job_of(lab: Lab, company_id: int, template: int, **fields: object) -> int:
    """Queue a job of a template in the name of another company."""
    job = await lab.next_id("job_id")
    now = datetime.now(UTC) - timedelta(seconds=1)
    scheduled = JobScheduled(
        job_id=job,
        company_id=company_id,
        run_template_id=template,
        uuid=f"job-{job}",
        application_id=1,
        application_version="1",
        not_before=now,
        scheduled_at=now,
        **fields,  # type: ignore[arg-type]
    )
    await lab.store.append(Append(stream=f"job-{job}", company_id=company_id, events=[scheduled], expected=0))
    return job


async def test_a_company_with_one_job_does_not_wait_for_one_with_many(database: Database) -> None:
    async with engine(database) as lab:
        await company(lab, 2)
        template = await lab.template(overlap_policy="allow")
        many = [await lab.schedule(template) for _ in range(12)]
        single = await job_of(lab, 2, template)
        assert single in await claim(lab, 2)
        assert len(await claim(lab, 20)) == len(many) - 1


async def test_choosing_jobs_reads_of_companies_those_that_hold_jobs_back_and_no_others(database: Database) -> None:
    async with engine(database) as lab:
        template = await lab.template(overlap_policy="allow")
        single = await job_of(lab, COMPANY, template)
        for number in (2, 3):
            await company(lab, number)
            held = await job_of(lab, number, template)
        limited = CompanyChanged(company_id=2, max_parallel=1)
        paused = CompanyChanged(company_id=3, paused=True)
        for changed in (limited, paused):
            stream = f"company-{changed.company_id}"
            await lab.store.append(Append(stream=stream, company_id=changed.company_id, events=[changed]))
        owner = await asyncpg.connect(database.owner_url, server_settings={"search_path": "multiflexi"})
        try:
            await owner.execute(
                "INSERT INTO company (id, document, created_at, changed_at, stream_version)"
                " SELECT n, c.document || jsonb_build_object('company_id', n, 'code', 'many-' || n), now(), now(), 1"
                "  FROM generate_series(101, 2100) n, company c WHERE c.id = 1"
            )
        finally:
            await owner.close()
        async with lab.store.pool.acquire() as connection, connection.transaction():
            chosen = await connection.fetch("SELECT choose_jobs(ARRAY['Native'], 9, '{}', now()) AS job")
            read = await connection.fetchval(
                "SELECT pg_stat_get_xact_tuples_returned(c) + pg_stat_get_xact_tuples_fetched(c)"
                "  FROM CAST('company'::regclass AS oid) c"
            )
        found = {row["job"] for row in chosen}
        assert (len(found), single in found, held in found) == (2, True, False)
        assert read < 50


@pytest.mark.parametrize("jobs", [1, 12])
async def test_a_claim_leaves_what_a_rebuild_makes_of_its_events_and_whole_chains(
    database: Database, jobs: int
) -> None:
    """A claim writes events and read models in a statement of its own, one of few jobs and one of many alike."""
    async with engine(database) as lab:
        now = datetime.now(UTC)
        opened = TaskOpened(
            task_id=1,
            company_id=COMPANY,
            run_template_id=await lab.template(overlap_policy="allow"),
            window_start=now,
            window_end=None,
            deadline=None,
            opened_at=now,
        )
        await lab.store.append(Append(stream="task-1", company_id=COMPANY, events=[opened]))
        queued = [
            await lab.schedule(opened.run_template_id, **({"task_id": 1} if number % 2 == 0 else {}))
            for number in range(jobs)
        ]
        before = rows_of(database, projections=(JOB_QUEUE, TASK))
        assert await claim(lab, 20) == queued
        claimed = rows_of(database, projections=(JOB_QUEUE, TASK))
        assert (
            {row["state"] for row in claimed["job_queue"]} == {row["state"] for row in claimed["task"]} == {"running"}
        )
        assert claimed["task"][0]["attempts"] == (jobs + 1) // 2
        assert differences(before, claimed).keys() == {"job_queue", "task"}
        await asyncio.to_thread(rebuild, database.owner_url, ["job_queue", "task"])
        assert differences(claimed, rows_of(database, projections=(JOB_QUEUE, TASK))) == {}
        assert (await verify(lab.store)).findings == []


async def test_within_a_company_priority_comes_first_then_time(database: Database) -> None:
    async with engine(database) as lab:
        template = await lab.template(overlap_policy="allow")
        now = datetime.now(UTC) - timedelta(minutes=1)
        late = await lab.schedule(template, not_before=now)
        early = await lab.schedule(template, not_before=now - timedelta(minutes=5))
        urgent = await lab.schedule(template, not_before=now + timedelta(seconds=1), priority=5)
        order = [(await claim(lab, 1))[0] for _ in range(3)]
        assert order == [urgent, early, late]


async def test_a_template_runs_one_job_at_a_time_unless_it_allows_more(database: Database) -> None:
    async with engine(database) as lab:
        alone = await lab.template()
        several = await lab.template(overlap_policy="allow", max_parallel=2)
        for _ in range(4):
            await lab.schedule(alone)
            await lab.schedule(several)
        assert len(await claim(lab, 20)) == 3
        assert await claim(lab, 20) == []


async def test_limits_of_company_and_application_hold_together(database: Database) -> None:
    async with engine(database) as lab:
        templates = [await lab.template(overlap_policy="allow") for _ in range(3)]
        limited = ApplicationUpdated(application_id=1, max_parallel=1)
        await lab.store.append(Append(stream="application-1", events=[limited]))
        for template in templates:
            for _ in range(3):
                await lab.schedule(template)
        changed = CompanyChanged(company_id=COMPANY, max_parallel=4)
        await lab.store.append(Append(stream=f"company-{COMPANY}", company_id=COMPANY, events=[changed]))
        claimed = await claim(lab, 20)
        assert len(claimed) == 4
        of_limited = "SELECT count(*) FROM job_queue WHERE state = 'running' AND app_id = 1"
        assert await lab.store.pool.fetchval(of_limited) == 1
        assert await claim(lab, 20) == []


async def test_nothing_starts_while_company_application_or_installation_is_paused(database: Database) -> None:
    async with engine(database) as lab:
        await lab.schedule(await lab.template())
        now = datetime.now(UTC)

        async def change(stream: str, event: object, company_id: int | None = None) -> None:
            await lab.store.append(Append(stream=stream, company_id=company_id, events=[event]))  # type: ignore[list-item]

        await change("system-1", SystemPaused(paused_at=now))
        assert await claim(lab, 5) == []
        await change("system-1", SystemResumed(resumed_at=now))
        await change(f"company-{COMPANY}", CompanyChanged(company_id=COMPANY, paused=True), COMPANY)
        assert await claim(lab, 5) == []
        await change(f"company-{COMPANY}", CompanyChanged(company_id=COMPANY, paused=False), COMPANY)
        await change("application-1", ApplicationUpdated(application_id=1, paused=True))
        assert await claim(lab, 5) == []
        await change("application-1", ApplicationUpdated(application_id=1, paused=False))
        assert len(await claim(lab, 5)) == 1


async def test_labels_say_where_a_job_may_run(database: Database) -> None:
    async with engine(database) as lab:
        template = await lab.template(overlap_policy="allow")
        anywhere = await lab.schedule(template)
        special = await lab.schedule(template, labels=["gpu", "prague"])
        assert await claim(lab, 5, "gpu") == [anywhere]
        assert await claim(lab, 5, "prague", "gpu", "ssd") == [special]


async def test_a_job_that_somebody_is_just_cancelling_is_left_without_waiting_for_it(database: Database) -> None:
    """A claim that held the row of the queue and waited for the stream would be in a deadlock with the other."""
    async with engine(database) as lab, raw_connection(database) as (other, epoch):
        template = await lab.template(overlap_policy="allow")
        free, busy = await lab.schedule(template), await lab.schedule(template)
        cancelling = OpenTransaction(other, epoch, inline=True)
        asked = JobCancelRequested(
            job_id=busy,
            company_id=COMPANY,
            run_template_id=template,
            requested_at=datetime.now(UTC),
            requested_by="user:1",
        )
        async with other.transaction(), asyncio.timeout(20):
            await other.execute("SELECT FROM streams WHERE stream = $1 FOR UPDATE", f"job-{busy}")
            assert await claim(lab, 10) == [free]
            await cancelling.append(f"job-{busy}", [asked], company_id=COMPANY)


async def test_a_claim_waits_for_a_rebuild_without_holding_the_queue_that_it_swaps(database: Database) -> None:
    async with engine(database) as lab:
        job = await lab.schedule(await lab.template("/bin/true"))
        swapping = await asyncpg.connect(database.superuser_url)
        try:
            async with swapping.transaction(), asyncio.timeout(20):
                await swapping.execute("LOCK TABLE multiflexi.streams IN EXCLUSIVE MODE")
                claiming = asyncio.create_task(claim(lab, 1))

                async def waits() -> bool:
                    return bool(await swapping.fetchval(WAITS))

                await wait_until(waits, "the claim waiting for the streams")
                await swapping.execute("SET LOCAL lock_timeout = '2s'")
                await swapping.execute("LOCK TABLE multiflexi.job_queue IN ACCESS EXCLUSIVE MODE")
            assert await claiming == [job]
        finally:
            await swapping.close()


async def test_a_job_that_may_not_start_yet_is_left(database: Database) -> None:
    async with engine(database) as lab:
        await lab.schedule(await lab.template(), not_before=datetime.now(UTC) + timedelta(hours=1))
        assert await claim(lab, 5) == []
