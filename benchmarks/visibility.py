"""P8: from the commit of an event until it is visible in the asynchronous read models, at 1,000 events a second.

A projector runs as a process of its own. An event is visible when the checkpoint of the job history has passed it: the
checkpoint moves in the transaction that writes the rows. The baseline is what is allowed.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import asyncpg

from benchmarks.figures import Figure
from benchmarks.place import Place
from benchmarks.workload import SCHEDULER, Life, configuration
from eventstore.connection import connect
from eventstore.log import Cursor
from eventstore.store import EventStore
from tests.testbed.postgres import Database
from tests.testbed.stores import MASTER_KEY, open_store

RATE = 1_000
"""Events a second."""

SECONDS = 15
WARM_UP = 3
ALLOWED = 0.050
"""Seconds that 99 of 100 events may take."""

CHECKPOINT = "SELECT epoch, xid, position FROM projections WHERE name = 'job_history'"
READY = "SELECT count(*) FROM daemons WHERE kind = 'projector'"


@contextmanager
def projector(database: Database) -> Iterator[None]:
    """Run a projector."""
    environment = {**os.environ, **database.variables, "ENCRYPTION_MASTER_KEY": MASTER_KEY}
    process = subprocess.Popen(
        [sys.executable, "-m", "daemons.projector"],
        env=environment,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


async def watch(connection: asyncpg.Connection, seen: list[tuple[Cursor, float]]) -> None:
    """Note each place that the checkpoint comes to, and when."""
    while True:
        row = await connection.fetchrow(CHECKPOINT)
        now = time.perf_counter()
        if row is not None and (not seen or Cursor(*row) > seen[-1][0]):
            seen.append((Cursor(*row), now))
        await asyncio.sleep(0.002)


async def load(store: EventStore, seconds: int) -> list[tuple[Cursor, float, float]]:
    """Append events evenly; return of each its cursor, when it was acknowledged, and how long that took."""
    chance = random.Random(1)
    done: list[tuple[Cursor, float, float]] = []
    running: set[asyncio.Task[None]] = set()

    async def one(job: int) -> None:
        began = time.perf_counter()
        life = Life(job, datetime.now(UTC), chance)
        appended = await store.append(life.append(0, life.scheduled), meta=SCHEDULER)
        now = time.perf_counter()
        done.append((appended.cursor, now, now - began))

    begin = time.perf_counter()
    for job in range(1, RATE * seconds + 1):
        delay = begin + job / RATE - time.perf_counter()
        if delay > 0.001:
            await asyncio.sleep(delay)
        task = asyncio.create_task(one(job))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return done


async def delays(database: Database) -> tuple[list[float], list[float]]:
    """Return the seconds until each event was visible, and those until it was acknowledged."""
    seen: list[tuple[Cursor, float]] = []
    async with open_store(database, inline=True) as store:
        await store.append_all(list(configuration(random.Random(1))))
        with projector(database):
            while not await store.pool.fetchval(READY):
                await asyncio.sleep(0.05)
            watching = await connect(database.owner_url, "owner")
            watcher = asyncio.create_task(watch(watching, seen))
            done = (await load(store, WARM_UP + SECONDS))[WARM_UP * RATE :]
            while seen[-1][0] < max(cursor for cursor, _, _ in done):
                await asyncio.sleep(0.01)
            watcher.cancel()
            await watching.close()
    places = [place for place, _ in seen]
    visible = [max(0.0, seen[bisect_left(places, cursor)][1] - acknowledged) for cursor, acknowledged, _ in done]
    return visible, [took for _, _, took in done]


def measure(where: Place) -> list[Figure]:
    """Measure P8."""
    with where.database(read_models=True) as database:
        visible, acknowledged = asyncio.run(delays(database))
    p99 = statistics.quantiles(visible, n=100)[98]
    median = statistics.median(visible)
    commit = statistics.quantiles(acknowledged, n=100)[98]
    what = (
        f"from commit to visible, p99 at {RATE:,} events/s "
        f"(median {median * 1000:.1f} ms; the commit itself {commit * 1000:.1f} ms)"
    )
    return [Figure("P8", what, f"{p99 * 1000:.1f} ms", f"{ALLOWED * 1000:.0f} ms", ALLOWED / p99, 1.0)]
