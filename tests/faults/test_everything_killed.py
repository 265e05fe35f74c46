"""Whatever is killed under load, at random, a hundred times: no acknowledged event is lost, none counts twice."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from pathlib import Path

import asyncpg
import psycopg
import pytest

from eventstore.verify import verify
from tests.faults.troop import Troop, strike
from tests.projections.scenes import settle
from tests.testbed.engine import engine
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import open_store

KILLS = 110
LONGEST = 150.0
"""Seconds after which the killing stops, however often it has happened."""

VICTIMS = ("writer0", "writer1", "projector", "executor", "backend", "backend", "crash", "postmaster")
AT_MOST = {"postmaster": 12, "crash": 10}


@pytest.mark.slow
@pytest.mark.timeout(280)
async def test_every_acknowledged_event_is_once_in_the_log_and_once_in_each_read_model(tmp_path: Path) -> None:
    chance = random.Random(20260301)
    with Server(18, durable=True) as server:
        database = server.fresh_database()
        async with engine(database) as lab:
            template = await lab.template("/bin/true", overlap_policy="allow")
        troop = Troop(database, commands(database, template, tmp_path), tmp_path)
        killed: Counter[str] = Counter()
        until = time.monotonic() + LONGEST
        try:
            while killed.total() < KILLS and time.monotonic() < until:
                await asyncio.sleep(chance.uniform(0.05, 0.4))
                victim = chance.choice(VICTIMS)
                if victim in AT_MOST and killed[victim] >= AT_MOST[victim]:
                    continue
                with contextlib.suppress(psycopg.OperationalError):  # the server recovers from the kill before
                    await asyncio.to_thread(strike, victim, troop, server, database)
                killed[victim] += 1
        finally:
            troop.stop()
        assert killed.total() >= 100, killed
        told = [line for n in range(2) for line in lines_of(tmp_path / f"told{n}")]
        assert len(told) > 500
        async with open_store(database, inline=True) as store:
            rows = await settle(database, store)
            assert len(rows["job"]) >= len(told)
            await check_log(store.pool, told)
            await check_read_models(store.pool)
            assert (await verify(store)).ok


def commands(database: Database, template: int, folder: Path) -> dict[str, list[str]]:
    """Return what the processes are started with."""
    writers = {
        f"writer{n}": ["tests.faults.writer", database.owner_url, str(template), str(folder / f"told{n}")]
        for n in range(2)
    }
    return {**writers, "projector": ["daemons.projector"], "executor": ["daemons.executor"]}


def lines_of(path: Path) -> list[str]:
    """Return the whole lines of a file; one that was being written when its writer was killed does not count."""
    return path.read_text().split("\n")[:-1] if path.exists() else []


async def check_log(pool: asyncpg.Pool, told: list[str]) -> None:
    """Each stream that was acknowledged has its first event once, and versions have no gap and no double."""
    counts = {
        row[0]: row[1] for row in await pool.fetch(
            "SELECT stream, count(*) FROM events WHERE type = 'JobScheduled' GROUP BY stream"
        )
    }  # fmt: skip
    assert [stream for stream in told if counts.get(stream) != 1] == []
    odd = await pool.fetch(
        "SELECT e.stream FROM events e JOIN streams s ON s.stream = e.stream "
        "GROUP BY e.stream, s.version HAVING count(*) <> s.version OR max(e.version) <> s.version"
    )
    assert odd == []


async def check_read_models(pool: asyncpg.Pool) -> None:
    """Every event counts once: rows by key, sums by number of events."""
    ended = "SELECT count(*) FROM events WHERE type IN ('JobFinished', 'JobCancelled')"
    scheduled = await pool.fetchval("SELECT count(*) FROM events WHERE type = 'JobScheduled'")
    assert await pool.fetchval("SELECT count(*) FROM job") == scheduled
    assert await pool.fetchval("SELECT sum(scheduled) FROM dashboard_day") == scheduled
    assert await pool.fetchval("SELECT count(*) FROM job_queue") == scheduled - await pool.fetchval(ended)
    finished = await pool.fetchval("SELECT count(*) FROM events WHERE type = 'JobFinished'")
    sums = "SELECT coalesce(sum(succeeded + warned + failed + cancelled), 0) FROM dashboard_day"
    assert await pool.fetchval(sums) == finished
    started = "SELECT count(*) FROM events WHERE type = 'JobStarted'"
    assert await pool.fetchval("SELECT count(*) FROM job WHERE started_at IS NOT NULL") == await pool.fetchval(started)
