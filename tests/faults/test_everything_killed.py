"""Whatever is killed under load, at random, a hundred times: no acknowledged event is lost, none counts twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import asyncpg
import psycopg
import pytest

from eventstore.verify import verify
from tests.projections.scenes import settle
from tests.testbed.engine import engine
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import MASTER_KEY, open_store

KILLS = 110
LONGEST = 150.0
"""Seconds after which the killing stops, however often it has happened."""

VICTIMS = ("writer0", "writer1", "projector", "executor", "backend", "backend", "crash", "postmaster")
AT_MOST = {"postmaster": 12, "crash": 10}

TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM (
        SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
         ORDER BY random() LIMIT 1) victim
"""


VICTIM = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
     ORDER BY random() LIMIT 1
"""


class Troop:
    """The processes of a test: each is started again when it was killed."""

    def __init__(self, database: Database, template: int, folder: Path) -> None:
        self._environment = {
            **os.environ,
            "DATABASE_URL": database.app_url,
            "DATABASE_OWNER_URL": database.owner_url,
            "ENCRYPTION_MASTER_KEY": MASTER_KEY,
            "MULTIFLEXI_WORK_FOLDER": str(folder / "work"),
        }
        self._commands = {
            f"writer{n}": ["tests.faults.writer", database.app_url, str(template), str(folder / f"told{n}")]
            for n in range(2)
        } | {"projector": ["daemons.projector"], "executor": ["daemons.executor"]}
        self._log = (folder / "log").open("wb")
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        for name in self._commands:
            self.start(name)

    def start(self, name: str) -> None:
        """Start a process."""
        command = [sys.executable, "-m", *self._commands[name]]
        self.running[name] = subprocess.Popen(
            command, env=self._environment, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def kill(self, name: str) -> None:
        """Kill a process of ours by its id, and start it anew."""
        self.running[name].kill()
        self.running[name].wait()
        self.start(name)

    def stop(self) -> None:
        """Kill all of them."""
        for process in self.running.values():
            process.kill()
            process.wait()
        self._log.close()


def kill_backend(database: Database) -> None:
    """Cut one session of the database."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(TERMINATE)


def crash_backend(database: Database) -> None:
    """Kill the process of one session of the test's own server: the server ends all others and recovers."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        row = connection.execute(VICTIM).fetchone()
    if row is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(row[0], signal.SIGKILL)


def kill_postmaster(server: Server) -> None:
    """Kill the test's own server, and start it again."""
    pid = server.postgres.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    server.start()


def strike(victim: str, troop: Troop, server: Server, database: Database) -> None:
    """Kill a victim."""
    if victim == "backend":
        kill_backend(database)
    elif victim == "crash":
        crash_backend(database)
    elif victim == "postmaster":
        kill_postmaster(server)
    else:
        troop.kill(victim)


@pytest.mark.slow
@pytest.mark.timeout(280)
async def test_every_acknowledged_event_is_once_in_the_log_and_once_in_each_read_model(tmp_path: Path) -> None:
    chance = random.Random(20260301)
    with Server(18, durable=True) as server:
        database = server.fresh_database()
        async with engine(database) as lab:
            template = await lab.template("/bin/true", overlap_policy="allow")
        troop = Troop(database, template, tmp_path)
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
