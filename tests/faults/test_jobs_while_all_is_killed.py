"""Executors, the scheduler, sessions and the server killed three hundred times while real processes run.

Every job says by itself what it does, past the database: it holds a lock of its template for as long as any process of
it lives, and notes its begin and its end. So what the log says can be compared with what happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from daemons.executors.process_tree import PROC, is_zombie
from eventstore.store import EventStore
from tests.faults.troop import Troop, strike
from tests.testbed.engine import Lab, engine
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import open_store, wait_until

KILLS = 300
LONGEST = 200.0
"""Seconds after which the killing stops, however often it has happened."""

KILLS_FOR_ONE = 5
"""Kills for each job that got to its end, at most: on a busy machine the killing is slower, as the jobs are."""

VICTIMS = ("executor",) * 5 + ("scheduler",) * 3 + ("backend",) * 4 + ("crash", "postmaster")
AT_MOST = {"postmaster": 8, "crash": 8, "backend": 140}
AT_LEAST = {"executor": 60, "scheduler": 30, "backend": 60, "crash": 5, "postmaster": 5}

LINES = 6
SCRIPT = f"""
exec 9>>"$PROOF/lock-$MULTIFLEXI_RUNTEMPLATE_ID"
flock -n 9 || echo "$MULTIFLEXI_JOB_ID" >>"$PROOF/twice"
echo "$MULTIFLEXI_JOB_ID" >>"$PROOF/begun"
(setsid sleep 300 >/dev/null 2>&1 &)
i=0; while [ $i -lt {LINES} ]; do echo "$MULTIFLEXI_JOB_ID:$i"; i=$((i+1)); sleep 0.03; done
echo "$MULTIFLEXI_JOB_ID" >>"$PROOF/done"
"""

AT_WORK = """
    SELECT d.kind, d.pid FROM multiflexi.daemons d
     WHERE d.kind = 'scheduler' OR EXISTS (SELECT FROM multiflexi.job_leases l WHERE l.daemon_id = d.id)
     ORDER BY random()
"""
WRITTEN = "SELECT stream, version FROM multiflexi.streams WHERE class = 3 ORDER BY last_time DESC LIMIT 30"
ENDS = """
    SELECT (s.data->>'job_id')::integer AS job_id, (s.data->>'run_template_id')::integer AS template,
           s.data->>'due' AS due,
           (SELECT count(*) FROM events e WHERE e.stream = s.stream AND e.type = 'JobStarted') AS started,
           array(SELECT coalesce(e.data->>'outcome', e.type) FROM events e
                  WHERE e.stream = s.stream AND e.type IN ('JobFinished', 'JobCancelled')) AS ends,
           (SELECT (e.data->'stdout'->>'length')::integer FROM events e
             WHERE e.stream = s.stream AND e.type = 'JobFinished') AS told
      FROM events s WHERE s.type = 'JobScheduled'
"""


async def furnish(lab: Lab, proof: Path) -> list[int]:
    """Make templates that are due every second, never two jobs of one at a time; half of them try again."""
    common: dict[str, Any] = {
        "values": {"PROOF": str(proof)},
        "interval": "c",
        "cron": "* * * * * *",
        "missed_policy": "all",
        "next_due": datetime.now(UTC).replace(microsecond=0),
    }
    more = {"when_lost": "retry", "max_attempts": 3}
    return [
        await lab.template("/bin/sh", ["-c", SCRIPT], **common, **(more if number % 2 else {})) for number in range(12)
    ]


class Storm:
    """Kills at random, and remembers what was acknowledged before each kill."""

    def __init__(self, database: Database, server: Server, troop: Troop) -> None:
        self.database = database
        self.server = server
        self.troop = troop
        self.chance = random.Random(20260707)
        self.killed: Counter[str] = Counter()
        self.written: dict[str, int] = {}

    def blow(self) -> None:
        """Kill one of what is at work."""
        victim = self.chance.choice(VICTIMS)
        if self.killed[victim] >= AT_MOST.get(victim, KILLS):
            return
        with psycopg.connect(self.database.superuser_url, autocommit=True) as connection:
            self.written |= dict(connection.execute(WRITTEN).fetchall())
            at_work = connection.execute(AT_WORK).fetchall()
        name = victim
        if victim in ("executor", "scheduler"):
            processes = {process.pid: name for name, process in self.troop.running.items()}
            found = [processes[pid] for kind, pid in at_work if kind == victim and pid in processes]
            if not found:
                return
            name = found[0]
        strike(name, self.troop, self.server, self.database)
        self.killed[victim] += 1


@pytest.mark.slow
@pytest.mark.timeout(280)
async def test_every_job_ends_once_and_never_runs_twice_at_once_whatever_is_killed(tmp_path: Path) -> None:
    with Server(18, durable=True) as server:
        database = server.fresh_database()
        async with engine(database) as lab:
            templates = await furnish(lab, tmp_path)
        commands = {f"executor{n}": ["daemons.executor"] for n in range(3)} | {"scheduler": ["daemons.scheduler"]}
        troop = Troop(database, commands, tmp_path)
        storm = Storm(database, server, troop)
        try:
            until = time.monotonic() + LONGEST
            while storm.killed.total() < KILLS and time.monotonic() < until:
                await asyncio.sleep(storm.chance.uniform(0.01, 0.06))
                if storm.killed.total() > KILLS_FOR_ONE * (1 + ends_of(tmp_path)):
                    continue
                with contextlib.suppress(psycopg.OperationalError):  # the server recovers from the kill before
                    await asyncio.to_thread(storm.blow)
            assert storm.killed.total() >= KILLS, storm.killed
            assert {kind: storm.killed[kind] >= least for kind, least in AT_LEAST.items()} == dict.fromkeys(
                AT_LEAST, True
            ), storm.killed
            await calm_down(database, troop, templates)
            async with open_store(database, inline=True) as store:
                await check(Lab(store, {}), tmp_path, storm)
            await wait_until(lambda: nobody_left(tmp_path), "no process of a job is left")
        finally:
            troop.stop()


async def calm_down(database: Database, troop: Troop, templates: list[int]) -> None:
    """Let nothing more become due, and wait until what waits or runs has ended."""
    async with open_store(database, inline=True) as store:
        lab = Lab(store, {})
        for template in templates:
            await lab.change(template, active=False, next_due=None)
        # A claim whose answer was lost is settled when its executor is gone, otherwise when its lease has run out.
        for name in troop.running:
            troop.kill(name)

        async def settled() -> bool:
            return await store.pool.fetchval("SELECT count(*) FROM job_queue") == 0

        await wait_until(settled, "every job has ended", timeout=60)


async def check(lab: Lab, proof: Path, storm: Storm) -> None:
    """Compare what the log says with what the jobs themselves have noted."""
    assert not (proof / "twice").exists(), (proof / "twice").read_text()
    begun, done = noted(proof / "begun"), noted(proof / "done")
    assert max(begun.values()) == 1
    rows = await lab.store.pool.fetch(ENDS)
    outcomes = Counter(row["ends"][0] if len(row["ends"]) == 1 else str(row["ends"]) for row in rows)
    assert set(outcomes) <= {"success", "lost"}, outcomes
    assert min(outcomes["success"], outcomes["lost"]) >= 40, outcomes
    dues = [(row["template"], row["due"]) for row in rows if row["due"] is not None]
    assert len(dues) == len(set(dues))
    for row in rows:
        job = row["job_id"]
        assert row["started"] == 1, job
        whole = "".join(f"{job}:{line}\n" for line in range(LINES)).encode()
        output = await lab.output(job)
        if row["ends"] == ["success"]:
            assert (output, begun[job], done[job], row["told"]) == (whole, 1, 1, len(whole))
        else:
            assert whole.startswith(output), (job, output)
    await check_written(lab.store, storm.written)


async def check_written(store: EventStore, written: dict[str, int]) -> None:
    """What a reader saw of any output before a kill is still there."""
    assert len(written) > 50
    rows = await store.pool.fetch("SELECT stream, version FROM streams WHERE stream = ANY ($1)", list(written))
    now: dict[str, int] = {row["stream"]: row["version"] for row in rows}
    assert {stream: version for stream, version in written.items() if now.get(stream, 0) < version} == {}


def ends_of(proof: Path) -> int:
    """Return how many jobs have got to their end."""
    done = proof / "done"
    return len(done.read_bytes().splitlines()) if done.exists() else 0


def noted(path: Path) -> Counter[int]:
    """Return how often each job is in a file."""
    return Counter(int(line) for line in path.read_text().split())


async def nobody_left(proof: Path) -> bool:
    """Tell whether no process of a job of this test lives."""
    mark = f"PROOF={proof}".encode()
    for entry in PROC.iterdir():
        if entry.name.isdigit() and not is_zombie(int(entry.name)):
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    return False
    return True
