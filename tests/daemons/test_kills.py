"""Executors that are killed at random under load: each job ends once, no process is left, acknowledged output stays."""

from __future__ import annotations

import asyncio
import random

import pytest

from daemons.executors.process_tree import PROC, is_zombie, mark_of
from tests.testbed.engine import engine
from tests.testbed.executor_process import ExecutorProcess
from tests.testbed.postgres import Server
from tests.testbed.stores import wait_until

JOBS, KILLS = 100, 12
SCRIPT = "echo a; (setsid sleep 60 >/dev/null 2>&1 &); sleep 0.1; echo b"
WAITING = "SELECT count(*) FROM job_queue"


@pytest.mark.slow
async def test_each_job_ends_once_whatever_is_killed(postgres: Server) -> None:
    chance = random.Random(7)
    database = postgres.fresh_database()
    async with engine(database, "projector") as lab:
        template = await lab.template("/bin/sh", ["-c", SCRIPT], overlap_policy="allow", values={"CHAOS": "yes"})
        jobs = [await lab.schedule(template) for _ in range(JOBS)]
        executors = [ExecutorProcess(database), ExecutorProcess(database)]
        try:
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.2, 0.45))
                which = chance.randrange(2)
                executors[which].kill()
                executors[which] = ExecutorProcess(database)

            async def settled() -> bool:
                return await lab.store.pool.fetchval(WAITING) == 0

            await wait_until(settled, "every job has ended", timeout=60)
            for job in jobs:
                events = [recorded.event async for recorded in lab.store.read_stream(f"job-{job}")]
                ends = [event.outcome for event in events if type(event).__name__ == "JobFinished"]  # type: ignore[attr-defined]
                assert ends in (["success"], ["lost"])
                output = await lab.output(job)
                assert output == b"a\nb\n" if ends == ["success"] else output in (b"", b"a\n", b"a\nb\n")

            async def alone() -> bool:
                return not any(is_of_this_test(int(p.name)) for p in PROC.iterdir() if p.name.isdigit())

            await wait_until(alone, "no process of a job is left")
        finally:
            for executor in executors:
                executor.__exit__()
    postgres.drop(database)


def is_of_this_test(pid: int) -> bool:
    if is_zombie(pid) or mark_of(pid) is None:
        return False
    try:
        return b"CHAOS=yes" in (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
