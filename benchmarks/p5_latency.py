"""P5: from the command that schedules a job until its process runs.

Each job is ``/bin/date +%s%N``: its output says when it ran. What such a process takes from posix_spawn(3) until it has
read the clock is measured beside it, plainly, and the median of that is taken off: the figures are what the system
adds, from the command to the start. First one job at a time with nothing else to do, then 100 a second. The baseline is
what is allowed. An executor and a projector run, as processes.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.p4_throughput import LIMITS, configure, daemons
from benchmarks.place import Place
from commands.actor import Actor
from commands.shell import Shell
from domain.job import ScheduleJob
from eventstore.output import read_output
from eventstore.store import EventStore
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

ALONE, PAUSE = 250, 0.03
"""Jobs that are measured one at a time, and the seconds between them."""

RATE, SECONDS = 100, 8
WARM_UP = 30
ALLOWED = {"median": 0.003, "p99": 0.008, "p99 under load": 0.030}
"""Seconds."""

COMMAND = ("/bin/date", "+%s%N")
DONE = "SELECT count(*) FROM job_output WHERE channel = 'stdout' AND bytes > 0"
ACTOR = Actor.user(1, "*")


def plain_start() -> float:
    """Return the seconds from posix_spawn until the program has read the clock, by the median."""
    took: list[float] = []
    for _ in range(100):
        out, end = os.pipe()
        began = time.time_ns()
        actions = [(os.POSIX_SPAWN_DUP2, end, 1)]
        pid = os.posix_spawn(
            COMMAND[0], COMMAND, {"PATH": "/usr/bin:/bin", "LC_CTYPE": "C.UTF-8"}, file_actions=actions, setsid=True
        )
        os.close(end)
        with os.fdopen(out, "rb") as output:
            took.append((int(output.read()) - began) / 1e9)
        os.waitpid(pid, 0)
        time.sleep(0.005)
    return statistics.median(took)


async def one(shell: Shell, template: int, began: dict[int, int]) -> None:
    """Schedule a job and note when that was begun."""
    now = time.time_ns()
    outcome = await shell.execute(ScheduleJob(run_template_id=template), ACTOR)
    began[outcome.id] = now


async def ran(store: EventStore, began: dict[int, int], before: int) -> list[float]:
    """Wait for the jobs to end; return the seconds from the command until each had read the clock."""
    while await store.pool.fetchval(DONE) < before + len(began):
        await asyncio.sleep(0.05)
    took: list[float] = []
    for job, at in began.items():
        output = b"".join([chunk.data async for chunk in read_output(store, job)])
        took.append((int(output) - at) / 1e9)
    return took


async def latencies(database: Database) -> tuple[list[float], list[float], float]:
    """Return the seconds of each job, one at a time and under load, and those of a plain start."""
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        Path(folder).chmod(0o711)
        async with open_store(database, inline=True) as store:
            template = await configure(store, executable=COMMAND[0], arguments=COMMAND[1], limits=LIMITS)
            shell = Shell(store)
            with daemons(database, Path(folder), "executor", "projector"):
                while await store.pool.fetchval("SELECT count(*) FROM daemons") < 2:
                    await asyncio.sleep(0.05)
                warm: dict[int, int] = {}
                for _ in range(WARM_UP):
                    await one(shell, template, warm)
                    await asyncio.sleep(PAUSE)
                await ran(store, warm, 0)
                plain = plain_start()
                alone: dict[int, int] = {}
                for _ in range(ALONE):
                    await one(shell, template, alone)
                    await asyncio.sleep(PAUSE)
                first = await ran(store, alone, WARM_UP)
                loaded: dict[int, int] = {}
                begin = time.perf_counter()
                async with asyncio.TaskGroup() as group:
                    for number in range(RATE * SECONDS):
                        await asyncio.sleep(max(0.0, begin + number / RATE - time.perf_counter()))
                        group.create_task(one(shell, template, loaded))
                return first, await ran(store, loaded, WARM_UP + ALONE), plain


def measure(where: Place) -> list[Figure]:
    """Measure P5."""
    with where.database(read_models=True) as database:
        alone, loaded, plain = asyncio.run(latencies(database))
    figures: list[Figure] = []
    for name, what, seconds in (
        ("median", "command → process runs, one at a time: median", statistics.median(alone)),
        ("p99", "command → process runs, one at a time: p99", statistics.quantiles(alone, n=100)[98]),
        ("p99 under load", f"command → process runs, {RATE} jobs/s: p99", statistics.quantiles(loaded, n=100)[98]),
    ):
        added = max(seconds - plain, 1e-4)
        told = f"{what} (a plain start of the program: {plain * 1000:.1f} ms, taken off)"
        figures.append(
            Figure("P5", told, f"{added * 1000:.1f} ms", f"{ALLOWED[name] * 1000:.0f} ms", ALLOWED[name] / added, 1.0)
        )
    return figures
