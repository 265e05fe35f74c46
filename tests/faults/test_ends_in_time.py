"""Whatever state a job is in, it ends in time: cancelled, out of time, or left behind by its executor."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemons import leases
from daemons.executors.native import NativeExecutor
from daemons.executors.process_tree import descendants, is_zombie
from daemons.job_run import JobRun
from domain.job_events import JobScheduled
from eventstore.connection import DATABASE_ERRORS
from eventstore.log import NO_STREAM, Append
from tests.daemons.test_cancel import cancel, seconds_between
from tests.testbed.engine import COMPANY, Lab, engine
from tests.testbed.executor_process import ExecutorProcess
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import wait_until

GRACE = 0.5
SETTLED_WITHIN = 15.0
"""Seconds after a lease has run out in which a job must be settled."""

STUBBORN = {
    "ignores TERM": "trap '' TERM; while :; do sleep 1; done",
    "has closed its output": "trap '' TERM; exec >/dev/null 2>&1; while :; do sleep 1; done",
    "is frozen": "kill -STOP $$",
    "has detached grandchildren": "trap '' TERM; (setsid sh -c 'sleep 300; sleep 300' &); sleep 300; sleep 300",
    "floods its output": "trap '' TERM; while :; do head -c 100000 /dev/zero; done",
}


@pytest.mark.postgres_versions(18, 15)
async def test_a_job_in_any_state_is_cancelled_within_its_grace_and_five_seconds(database: Database) -> None:
    async with engine(database, "projector") as lab:
        with ExecutorProcess(database, MULTIFLEXI_CANCEL_GRACE=str(GRACE)) as executor:
            jobs: dict[str, tuple[int, int, int]] = {}
            for state, script in STUBBORN.items():
                template = await lab.template("/bin/sh", ["-c", script])
                job = await lab.schedule(template)
                jobs[state] = job, template, await lab.running(job)
            for job, template, _ in jobs.values():
                await cancel(lab, job, template)
            for state, (job, _, pid) in jobs.items():
                row = await lab.ended(job)
                assert (row["outcome"], row["signal"]) == ("cancelled", 9), state
                assert row["reason"] == "Cancelled by user:1.", state
                assert await seconds_between(lab, job, "JobCancelRequested", "JobFinished") <= GRACE + 5, state
                assert is_zombie(pid), state
            leases_left = "SELECT count(*) FROM job_leases"

            async def all_gone() -> bool:
                return await lab.store.pool.fetchval(leases_left) == 0 and not below(executor.process.pid)

            await wait_until(all_gone, "no process and no lease of a job is left")


async def test_a_job_that_is_just_being_started_is_cancelled(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    starting, heard = asyncio.Event(), asyncio.Event()
    start, stop = NativeExecutor.start, JobRun.stop

    def stop_and_tell(self: JobRun, *arguments: Any) -> None:
        stop(self, *arguments)
        heard.set()

    async def slow_start(self: NativeExecutor, *arguments: Any) -> Any:
        starting.set()
        await heard.wait()
        return await start(self, *arguments)

    monkeypatch.setattr(NativeExecutor, "start", slow_start)
    monkeypatch.setattr(JobRun, "stop", stop_and_tell)
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/bin/sh", ["-c", "sleep 300"])
        job = await lab.schedule(template)
        await asyncio.wait_for(starting.wait(), 20)
        await cancel(lab, job, template)
        row = await lab.ended(job)
        assert (row["outcome"], row["signal"]) == ("cancelled", 15)
        assert await seconds_between(lab, job, "JobCancelRequested", "JobFinished") <= 15


async def test_a_job_whose_host_died_is_settled_soon_after_its_lease_ran_out(database: Database) -> None:
    """With the settings that executors have unless told, but for the length of the lease."""
    async with engine(database, "projector") as lab:
        with ExecutorProcess(database) as died:
            job = await lab.schedule(await lab.template("/bin/sh", ["-c", "sleep 300"]))
            await lab.running(job)
            died.freeze()
            # Of another host nobody can tell whether its processes live: only the lease counts.
            expires = await lab.store.pool.fetchval(
                "UPDATE job_leases SET host = 'elsewhere', expires_at = clock_timestamp() + interval '1 second' "
                "WHERE job_id = $1 RETURNING expires_at",
                job,
            )
            with ExecutorProcess(database):
                row = await lab.ended(job)
            assert row["outcome"] == "lost"
            assert "gave no more signs of life" in row["reason"]
            settled = await time_of(lab, job, "JobFinished")
            assert 0 <= (settled - expires).total_seconds() <= SETTLED_WITHIN


def test_a_lease_is_renewed_several_times_before_it_runs_out_and_judged_soon_after() -> None:
    assert 4 * leases.RENEW_EVERY <= leases.LEASE == 30.0
    # At worst somebody has looked just before it ran out, then lost the database, and observes anew.
    assert leases.LOOK_EVERY + leases.OBSERVED + 2 * leases.RENEW_SOON < SETTLED_WITHIN
    assert leases.UNHEARD + leases.LOOK_EVERY < 5.0


async def test_a_job_of_one_second_ends_after_one_second_also_while_the_database_is_away(postgres: Server) -> None:
    with Server(postgres.version, durable=True) as server:
        database = server.fresh_database()
        async with engine(database, "projector") as lab:
            with ExecutorProcess(database):
                made = await lab.template(
                    sys.executable,
                    ["-c", "import time; time.sleep(60)"],
                    limits={"wall_time": 1},
                    overlap_policy="allow",
                )
                jobs = [await lab.schedule(made) for _ in range(4)]
                pids = [await lab.running(job) for job in jobs]
                began = [started_at(pid) for pid in pids]
                ends = [asyncio.create_task(end_of(pid)) for pid in pids]
                server.postgres.stop()
                took = [end - begin for begin, end in zip(began, await asyncio.gather(*ends), strict=True)]
                server.start()
                # One that was not held up by others on a busy machine says how long it is.
                assert min(abs(seconds - 1) for seconds in took) <= 0.2, took
                assert max(took) < 5
                for job in jobs:
                    await wait_until(lambda job=job: has_timed_out(lab, job), "the end is in the log")


def started_at(pid: int) -> float:
    """Return when a process started, in seconds since boot (proc_pid_stat(5), field 22)."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return ticks / os.sysconf("SC_CLK_TCK")


async def end_of(pid: int) -> float:
    """Wait for the end of a process; return when it was, in seconds since boot."""
    ended = asyncio.get_running_loop().create_future()
    handle = os.pidfd_open(pid)
    asyncio.get_running_loop().add_reader(
        handle, lambda: ended.done() or ended.set_result(time.clock_gettime(time.CLOCK_BOOTTIME))
    )
    try:
        return await asyncio.wait_for(ended, 30)
    finally:
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)


async def has_timed_out(lab: Lab, job: int) -> bool:
    try:
        return await lab.store.pool.fetchval("SELECT outcome = 'timeout' FROM job WHERE id = $1", job) is True
    except DATABASE_ERRORS:
        return False


async def test_the_one_job_of_a_company_starts_within_a_second_beside_ten_thousand_of_another(
    database: Database,
) -> None:
    async with engine(database, "projector") as lab:
        many = await lab.template("/bin/sleep", ["0.1"], overlap_policy="allow")
        queue = [queued(job, COMPANY, many) for job in range(100_001, 110_001)]
        for place in range(0, len(queue), 500):
            await lab.store.append_all(queue[place : place + 500])
        with ExecutorProcess(database, MULTIFLEXI_MAX_PARALLEL="4"):
            await wait_until(lambda: busy(lab), "the jobs of the large company run")
            waited: list[float] = []
            for job in range(1, 6):
                await lab.store.append_all([queued(job, 2, many)])
                await lab.ended(job)
                waited.append(await seconds_between(lab, job, "JobScheduled", "JobStarted"))
            left = await lab.store.pool.fetchval("SELECT count(*) FROM job_queue WHERE state = 'queued'")
            assert left > 5_000
            assert min(waited) <= 1.0, waited
            assert max(waited) <= 5.0, waited


def queued(job: int, company: int, template: int) -> Append:
    now = datetime.now(UTC)
    scheduled = JobScheduled(
        job_id=job,
        company_id=company,
        run_template_id=template,
        uuid=f"job-{job}",
        application_id=1,
        application_version="1",
        not_before=now,
        scheduled_at=now,
    )
    return Append(stream=f"job-{job}", company_id=company, events=[scheduled], expected=NO_STREAM)


async def busy(lab: Lab) -> bool:
    return await lab.store.pool.fetchval("SELECT count(*) FROM job_queue WHERE state = 'running'") >= 4


def below(pid: int) -> list[int]:
    """Return the living processes below one, those included that have detached: it is their parent."""
    return [child for child in descendants(pid) if not is_zombie(child)]


async def time_of(lab: Lab, job: int, kind: str) -> datetime:
    """Return when an event of a job was recorded."""
    (found,) = [recorded.time async for recorded in lab.store.read_stream(f"job-{job}") if recorded.type == kind]
    return found
