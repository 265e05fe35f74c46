"""The scheduler: each due time becomes one job, whoever and however many schedule."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from commands.actor import SYSTEM
from commands.shell import Shell
from daemons.due import due_template
from daemons.expiry import end_expired_tasks
from daemons.scheduler import schedule_due, schedule_page
from domain.application import DisableApplication, EnableApplication
from domain.command import Command
from domain.company import ChangeCompany, RemoveCompany, RestoreCompany, SuspendCompany
from domain.run_template import ChangeRunTemplate
from domain.run_template_events import RunTemplateChanged
from eventstore.errors import EventStoreError
from projections.queries import query
from tests.testbed.engine import COMPANY, Lab, engine
from tests.testbed.postgres import Database
from tests.testbed.stores import OpenTransaction, open_store, raw_connection, wait_until

DUE = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def jobs_of(lab: Lab, template: int) -> list[datetime]:
    """Return the due times of a template's jobs in the log."""
    return [
        recorded.event.due  # type: ignore[attr-defined]
        async for recorded in lab.store.read_log(categories=["job"])
        if recorded.type == "JobScheduled" and recorded.event.run_template_id == template  # type: ignore[attr-defined]
    ]


@pytest.mark.postgres_versions(18, 15)
async def test_a_due_template_becomes_a_job_and_is_due_again_later(database: Database) -> None:
    async with engine(database) as lab:
        template = await lab.template(interval="h", next_due=DUE)
        assert await schedule_due(lab.store, DUE) == 1
        assert await jobs_of(lab, template) == [DUE]
        assert await lab.store.pool.fetchval(query("run_template.next_due")) == DUE + timedelta(hours=1)
        assert await schedule_due(lab.store, DUE) == 0


async def test_ten_schedulers_at_once_make_one_job_for_each_due_time(database: Database) -> None:
    async with engine(database) as lab:
        templates = [await lab.template(interval="h", next_due=DUE) for _ in range(20)]
        async with open_store(database, inline=True) as second:
            await asyncio.gather(*(schedule_due(store, DUE) for store in (lab.store, second) for _ in range(5)))
        for template in templates:
            assert await jobs_of(lab, template) == [DUE]


async def test_a_template_that_changed_meanwhile_is_not_scheduled_by_its_old_plan(database: Database) -> None:
    async with engine(database) as lab:
        template = await lab.template(interval="h", next_due=DUE)
        rows = await lab.store.pool.fetch(query("run_template.due"), DUE, [template])
        await lab.change(template, active=False, next_due=None)
        assert await schedule_page(lab.store, [due_template(row) for row in rows], DUE) == 0
        assert await jobs_of(lab, template) == []


async def test_a_change_that_comes_before_a_job_in_the_log_cannot_move_the_due_time_after_it(
    database: Database,
) -> None:
    async with engine(database) as lab, raw_connection(database) as (connection, epoch):
        template = await lab.template(interval="h", next_due=DUE)
        changed = RunTemplateChanged(run_template_id=template, company_id=COMPANY, next_due=DUE + timedelta(days=9))
        async with connection.transaction():
            await connection.execute("SELECT pg_current_xact_id()")
            assert await schedule_due(lab.store, DUE) == 1
            with pytest.raises(EventStoreError, match="aborted"):  # and is not tried again, as its transaction is ours
                await OpenTransaction(connection, epoch, inline=True).append(
                    f"run_template-{template}", [changed], company_id=COMPANY
                )
        assert await lab.store.pool.fetchval(query("run_template.next_due")) == DUE + timedelta(hours=1)


@pytest.mark.parametrize(
    ("policy", "hours_of_jobs", "missed"), [("once", [24], 24), ("skip", [], 25), ("all", [22, 23, 24], 22)]
)
async def test_what_was_missed_in_a_day_follows_the_policy(
    database: Database, policy: str, hours_of_jobs: list[int], missed: int
) -> None:
    async with engine(database) as lab:
        template = await lab.template(interval="h", next_due=DUE, missed_policy=policy, missed_limit=3)
        back = DUE + timedelta(days=1, minutes=5)
        assert await schedule_due(lab.store, back) == len(hours_of_jobs)
        assert await schedule_due(lab.store, back) == 0
        assert await jobs_of(lab, template) == [DUE + timedelta(hours=hour) for hour in hours_of_jobs]
        assert await lab.store.pool.fetchval(query("run_template.next_due")) == DUE + timedelta(days=1, hours=1)
        rows = await lab.store.pool.fetch("SELECT state, count(*) FROM task GROUP BY state")
        states = {row["state"]: row["count"] for row in rows}
        assert states == {"missed": missed} | ({"open": len(hours_of_jobs)} if hours_of_jobs else {})


@pytest.mark.parametrize(
    ("policy", "jobs", "cancelled"), [("allow", 2, 0), ("skip", 1, 0), ("queue", 2, 0), ("cancel", 2, 1)]
)
async def test_a_running_job_at_the_next_due_time_follows_the_policy(
    database: Database, policy: str, jobs: int, cancelled: int
) -> None:
    async with engine(database) as lab:
        template = await lab.template(interval="h", next_due=DUE, overlap_policy=policy)
        await schedule_due(lab.store, DUE)
        assert (
            await lab.store.pool.fetchval("SELECT count(*) FROM claim_jobs('e@h:1', 'h', ARRAY['Native'], 5, 30)") == 1
        )
        hour = DUE + timedelta(hours=1)
        await schedule_due(lab.store, hour)
        assert len(await jobs_of(lab, template)) == jobs
        asked = "SELECT count(*) FROM job_queue WHERE cancel_requested_at IS NOT NULL AND state = 'running'"
        assert await lab.store.pool.fetchval(asked) == cancelled
        assert await lab.store.pool.fetchval(query("run_template.next_due")) == DUE + timedelta(hours=2)


async def test_one_may_wait_but_not_two(database: Database) -> None:
    async with engine(database) as lab:
        template = await lab.template(interval="h", next_due=DUE)
        for hour in range(4):
            await schedule_due(lab.store, DUE + timedelta(hours=hour))
        assert await jobs_of(lab, template) == [DUE]
        skipped = [r.event async for r in lab.store.read_stream(f"schedule-{template}")]
        assert [(event.reason, event.due.hour) for event in skipped] == [  # type: ignore[attr-defined]
            ("overlap", 13),
            ("overlap", 14),
            ("overlap", 15),
        ]


async def test_a_task_whose_window_passed_without_an_attempt_is_missed(database: Database) -> None:
    async with engine(database) as lab:
        await lab.template(interval="h", next_due=DUE)
        await schedule_due(lab.store, DUE)
        assert await end_expired_tasks(lab.store, DUE + timedelta(minutes=59)) == 0
        assert await end_expired_tasks(lab.store, DUE + timedelta(hours=1)) == 1
        assert await lab.store.pool.fetchval("SELECT state FROM task") == "missed"


async def test_many_tasks_end_together_but_those_that_somebody_else_has_ended(database: Database) -> None:
    async with engine(database) as lab:
        for _ in range(60):
            await lab.template(interval="h", next_due=DUE)
        await schedule_due(lab.store, DUE)
        hour = DUE + timedelta(hours=1)
        async with open_store(database, inline=True) as second:
            ended = await asyncio.gather(*(end_expired_tasks(store, hour) for store in (lab.store, second)))
        assert sum(ended) == 60
        counted = await lab.store.pool.fetchval("SELECT count(*) FROM events WHERE type = 'TaskMissed'")
        assert counted == await lab.store.pool.fetchval("SELECT count(*) FROM task WHERE state = 'missed'") == 60


async def test_what_was_missed_beyond_a_hundred_is_counted_also_where_a_job_follows(database: Database) -> None:
    async with engine(database) as lab:
        template = await lab.template(interval="h", next_due=DUE)
        assert await schedule_due(lab.store, DUE + timedelta(hours=250, minutes=5)) == 1
        assert await lab.store.pool.fetchval("SELECT count(*) FROM task WHERE state = 'missed'") == 100
        skipped = [r.event async for r in lab.store.read_stream(f"schedule-{template}")]
        assert [(event.reason, event.due, event.count) for event in skipped] == [("missed", DUE, 150)]  # type: ignore[attr-defined]
        assert await lab.store.pool.fetchval(query("run_template.next_due")) == DUE + timedelta(hours=251)


@pytest.mark.postgres_versions(18, 15)
@pytest.mark.parametrize("policy", ["skip", "queue", "cancel"])
async def test_racing_schedulers_follow_the_overlap_policy_while_jobs_start(database: Database, policy: str) -> None:
    async with engine(database) as lab, open_store(database, inline=True) as second:
        template = await lab.template(interval="h", next_due=DUE, overlap_policy=policy)
        claim = "SELECT job_id FROM claim_jobs('e@h:1', 'h', ARRAY['Native'], 5, 30)"
        for hour in range(12):
            moment = DUE + timedelta(hours=hour)
            schedulers = [schedule_due(store, moment) for store in (lab.store, second) for _ in range(3)]
            await asyncio.gather(*schedulers, *(lab.store.pool.fetch(claim) for _ in range(2)))
            await schedule_due(lab.store, moment)  # each of them may have left it to another
            states = await lab.store.pool.fetch(
                "SELECT state, count(*), count(*) FILTER (WHERE cancel_requested_at IS NOT NULL) AS to_end "
                "FROM job_queue GROUP BY state"
            )
            found = {row["state"]: row["count"] for row in states}
            assert found.get("running", 0) <= 1 and found.get("queued", 0) <= 1
            if policy == "skip":
                assert sum(found.values()) == 1
            if policy == "cancel" and "queued" in found:
                assert found.get("running", 0) == sum(row["to_end"] for row in states)
        due = await jobs_of(lab, template)
        assert len(due) == len(set(due)) == (1 if policy == "skip" else 2)
        told = [r.event async for r in lab.store.read_stream(f"schedule-{template}")]
        assert len(told) + len(due) == 12  # each due time is a job, or is told as passed over, once


async def test_the_daemon_wakes_when_a_template_becomes_due_earlier(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemons.scheduler.POLL", 3600.0)  # only the change and the clock can wake it
    async with engine(database, "scheduler") as lab:
        template = await lab.template(interval="d", next_due=datetime.now(UTC) + timedelta(days=1))
        soon = datetime.now(UTC) + timedelta(seconds=0.2)
        await lab.change(template, interval="h", next_due=soon)

        async def scheduled() -> bool:
            return await jobs_of(lab, template) == [soon]

        await wait_until(scheduled, "the job of the new due time")


async def test_a_due_time_that_was_set_back_is_moved_on_from(database: Database) -> None:
    async with engine(database) as lab:
        template = await lab.template(interval="h", next_due=DUE)
        await schedule_due(lab.store, DUE)
        await lab.change(template, next_due=DUE)
        assert await schedule_due(lab.store, DUE) == 0
        assert await jobs_of(lab, template) == [DUE]
        assert await lab.store.pool.fetchval(query("run_template.next_due")) == DUE + timedelta(hours=1)


async def test_inactive_and_removed_templates_are_never_due(database: Database) -> None:
    async with engine(database) as lab:
        await lab.template(interval="n", next_due=None)
        assert await schedule_due(lab.store, DUE + timedelta(days=1000)) == 0
        assert await lab.store.pool.fetchval(query("run_template.next_due")) is None


@pytest.mark.parametrize(
    ("stop", "go_on"),
    [
        (SuspendCompany(company_id=COMPANY), RestoreCompany(company_id=COMPANY)),
        (ChangeCompany(company_id=COMPANY, enabled=False), ChangeCompany(company_id=COMPANY, enabled=True)),
        (DisableApplication(application_id=1), EnableApplication(application_id=1)),
    ],
    ids=["company suspended", "company disabled", "application disabled"],
)
async def test_nothing_is_due_of_what_is_disabled_and_everything_from_then_on_when_it_is_enabled(
    database: Database, stop: Command, go_on: Command
) -> None:
    async with engine(database) as lab:
        shell = Shell(lab.store)
        template = await lab.template(interval="h", next_due=DUE)
        await shell.execute(stop, SYSTEM)
        assert await lab.store.pool.fetchval(query("run_template.next_due")) is None, "the scheduler sleeps"
        await shell.execute(ChangeRunTemplate(run_template_id=template, interval="d"), SYSTEM)
        assert await lab.store.pool.fetchval(query("run_template.next_due")) is None, "also after a change"
        assert await schedule_due(lab.store, datetime.now(UTC) + timedelta(days=9)) == 0
        await shell.execute(go_on, SYSTEM)
        assert await lab.store.pool.fetchval(query("run_template.next_due")) > datetime.now(UTC)
        assert await jobs_of(lab, template) == []


async def test_a_template_is_due_only_when_neither_its_company_nor_its_application_is_disabled(
    database: Database,
) -> None:
    async with engine(database) as lab:
        shell = Shell(lab.store)
        await lab.template(interval="h", next_due=DUE)
        for command in (DisableApplication(application_id=1), SuspendCompany(company_id=COMPANY)):
            await shell.execute(command, SYSTEM)
        await shell.execute(RestoreCompany(company_id=COMPANY), SYSTEM)
        assert await lab.store.pool.fetchval(query("run_template.next_due")) is None
        await shell.execute(SuspendCompany(company_id=COMPANY), SYSTEM)
        await shell.execute(EnableApplication(application_id=1), SYSTEM)
        assert await lab.store.pool.fetchval(query("run_template.next_due")) is None
        await shell.execute(RestoreCompany(company_id=COMPANY), SYSTEM)
        assert await lab.store.pool.fetchval(query("run_template.next_due")) is not None


async def test_nothing_of_a_company_that_was_removed_stays_due(database: Database) -> None:
    async with engine(database) as lab:
        await lab.template(interval="h", next_due=DUE)
        await Shell(lab.store).execute(RemoveCompany(company_id=COMPANY, cascade=True), SYSTEM)
        assert await lab.store.pool.fetchval("SELECT count(*) FROM due") == 0
        assert await schedule_due(lab.store, DUE) == 0
