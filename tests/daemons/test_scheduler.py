"""The scheduler: each due time becomes one job, whoever and however many schedule."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from daemons.scheduler import schedule_due
from projections.queries import query
from tests.testbed.engine import Lab, engine
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store, wait_until

DUE = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def jobs_of(lab: Lab, template: int) -> list[datetime]:
    """Return the due times of a template's jobs in the log."""
    return [
        recorded.event.due  # type: ignore[attr-defined]
        async for recorded in lab.store.read_log(categories=["job"])
        if recorded.type == "JobScheduled" and recorded.event.run_template_id == template  # type: ignore[attr-defined]
    ]


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
        rows = await lab.store.pool.fetch(query("run_template.due"), DUE, 10)
        await lab.change(template, active=False, next_due=None)
        from daemons.scheduler import schedule_one

        await schedule_one(lab.store, rows[0], 1, DUE)
        assert await jobs_of(lab, template) == []


async def test_being_down_for_a_day_makes_one_job_not_twenty_four(database: Database) -> None:
    async with engine(database) as lab:
        template = await lab.template(interval="h", next_due=DUE)
        await schedule_due(lab.store, DUE + timedelta(days=1, minutes=5))
        assert await schedule_due(lab.store, DUE + timedelta(days=1, minutes=5)) == 0
        assert await jobs_of(lab, template) == [DUE]
        assert await lab.store.pool.fetchval(query("run_template.next_due")) == DUE + timedelta(days=1, hours=1)


async def test_the_daemon_wakes_when_a_template_becomes_due_earlier(database: Database) -> None:
    async with engine(database, "scheduler") as lab:
        template = await lab.template(interval="d", next_due=datetime.now(UTC) + timedelta(days=1))
        soon = datetime.now(UTC) + timedelta(seconds=0.2)
        await lab.change(template, interval="h", next_due=soon)

        async def scheduled() -> bool:
            return await jobs_of(lab, template) == [soon]

        await wait_until(scheduled, "the job of the new due time")


async def test_inactive_and_removed_templates_are_never_due(database: Database) -> None:
    async with engine(database) as lab:
        await lab.template(interval="n", next_due=None)
        assert await schedule_due(lab.store, DUE + timedelta(days=1000)) == 0
        assert await lab.store.pool.fetchval(query("run_template.next_due")) is None
