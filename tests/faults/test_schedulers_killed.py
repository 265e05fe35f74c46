"""Three schedulers as processes, killed at random again and again: each second that was due has one job."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemons.scheduler import schedule_due
from eventstore.store import EventStore
from tests.faults.troop import Troop
from tests.testbed.engine import engine
from tests.testbed.postgres import Database
from tests.testbed.stores import DEADLINE

SCHEDULERS = 3
TEMPLATES = 240
DUE_TIMES = 2_000
KILLS = 30

JOBS = """
    SELECT (e.data->>'run_template_id')::integer AS template,
           array_agg((e.data->>'due')::timestamptz ORDER BY e.data->>'due') AS dues
      FROM events e WHERE e.type = 'JobScheduled' GROUP BY 1
"""
COUNT = "SELECT count(*) FROM events e WHERE e.type = 'JobScheduled'"
TASKS = "SELECT count(*), count(DISTINCT (run_template_id, window_start)) FROM task"


async def kill_at_random(store: EventStore, troop: Troop) -> int:
    """Kill schedulers and start them anew until enough was due and enough were killed; return how many were killed."""
    chance = random.Random(20260301)
    killed = 0
    until = time.monotonic() + 2 * DEADLINE
    while killed < KILLS or await store.pool.fetchval(COUNT) < DUE_TIMES:
        assert time.monotonic() < until, f"{killed} kills"
        await asyncio.sleep(chance.uniform(0.05, 0.3))
        if killed < 2 * KILLS:
            await asyncio.to_thread(troop.kill, chance.choice(list(troop.running)))
            killed += 1
    return killed


@pytest.mark.timeout(150)
async def test_each_due_time_becomes_one_job_whatever_schedulers_are_killed(database: Database, tmp_path: Path) -> None:
    async with engine(database) as lab:
        begin = datetime.now(UTC).replace(microsecond=0)
        templates = [
            await lab.template(
                interval="c",
                cron="* * * * * *",
                next_due=begin,
                missed_policy="all",
                missed_limit=100,
                overlap_policy="allow",
            )
            for _ in range(TEMPLATES)
        ]
        commands = {f"scheduler{number}": ["daemons.scheduler"] for number in range(SCHEDULERS)}
        troop = Troop(database, commands, tmp_path)
        try:
            killed = await kill_at_random(lab.store, troop)
        finally:
            troop.stop()
        end = datetime.now(UTC)
        await schedule_due(lab.store, end)
        rows = {row["template"]: row["dues"] for row in await lab.store.pool.fetch(JOBS)}
        tasks, windows = tuple(await lab.store.pool.fetchrow(TASKS) or ())
    seconds = [begin + timedelta(seconds=n) for n in range((end - begin) // timedelta(seconds=1) + 1)]
    assert sorted(rows) == sorted(templates)
    for dues in rows.values():
        assert dues == seconds
    assert tasks == windows == len(seconds) * TEMPLATES >= DUE_TIMES
    assert killed >= KILLS
