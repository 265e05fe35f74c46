"""A simulated day: what the tasks become is what the script says, server by server and hour by hour."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from daemons.prepare import prepare
from daemons.simulation.day import Made, Simulation, report
from daemons.simulation.script import STATES, Script, name
from domain.company import CreateCompany
from eventstore.store import EventStore
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

START = datetime(2026, 3, 1, tzinfo=UTC)
TASKS = "SELECT run_template_id, window_start, state FROM task WHERE company_id = $1"


def script_with_everything(servers: int, hours: int) -> Script:
    """Return a script in which each condition leads to each state that it can, other than by the outage."""
    wanted = {
        ("healthy", "fulfilled"),
        ("slow", "fulfilled_late"),
        ("flaky", "fulfilled"),
        ("flaky", "fulfilled_late"),
        ("failing", "failed"),
        ("down", "missed"),
    }
    for seed in range(10_000):
        script = Script(seed=seed, servers=servers, hours=hours)
        found = {
            (script.condition(server, hour), script.truth(server, hour))
            for server in range(servers)
            for hour in range(hours)
            if hour != script.outage_hour
        }
        if wanted <= found:
            return script
    raise AssertionError("no such script")


async def lived(store: EventStore, script: Script) -> Made:
    company = CreateCompany(name="Server watch", code="servers")
    return await Simulation(store, script, START).run(company)


async def test_each_task_becomes_what_the_script_says(database: Database) -> None:
    script = script_with_everything(servers=8, hours=6)
    await asyncio.to_thread(prepare, database.owner_url)
    async with open_store(database, inline=True) as store:
        made = await lived(store, script)
        found = {
            (made.templates.index(template), round((begin - START) / timedelta(hours=1))): state
            for template, begin, state in await store.pool.fetch(TASKS, made.company_id)
        }
        wanted = {(server, hour): script.truth(server, hour) for server in range(8) for hour in range(6)}
        assert found == wanted
        rows = await report(store, made, 6)
        for server in range(8):
            counted = Counter(wanted[server, hour] for hour in range(6))
            told = next(row for row in rows if row["name"] == name(server))
            assert {state: told[state] for state in STATES} == {state: counted[state] for state in STATES}, server
        assert sum(row["unfinished"] for row in rows) == 0
        assert await store.pool.fetchval("SELECT count(*) FROM job_queue") == 0
        assert await store.pool.fetchval("SELECT count(*) FROM job_leases") == 0
        assert await store.pool.fetchval("SELECT count(*) FROM due WHERE next_due IS NOT NULL") == 0


async def test_attempts_take_their_time_in_the_virtual_day(database: Database) -> None:
    script = script_with_everything(servers=8, hours=6)
    await asyncio.to_thread(prepare, database.owner_url)
    async with open_store(database, inline=True) as store:
        made = await lived(store, script)
        server, hour = next(
            (server, hour) for server in range(8) for hour in range(6)
            if script.truth(server, hour) == "fulfilled_late" and hour != script.outage_hour
        )  # fmt: skip
        late = await store.pool.fetchrow(
            "SELECT fulfilled_at, deadline, attempts FROM task WHERE run_template_id = $1 AND window_start = $2",
            made.templates[server],
            START + timedelta(hours=hour),
        )
        assert late is not None
        assert late["deadline"] == START + timedelta(hours=hour, minutes=20)
        assert late["deadline"] < late["fulfilled_at"] < START + timedelta(hours=hour + 1)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_is_the_same_day_and_another_is_not(seed: int) -> None:
    def told(seed: int) -> list[str]:
        script = Script(seed=seed, servers=50, hours=24)
        hours = [hour for hour in range(24) if hour != script.outage_hour]
        return [script.truth(server, hour) for server in range(50) for hour in hours]

    assert told(seed) == told(seed)
    assert told(seed) != told(seed + 1)
    assert set(told(seed)) == set(STATES)
