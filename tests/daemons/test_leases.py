"""Executors that die, freeze or lose the database: their jobs are settled once, and nothing of them is left."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from daemons import leases
from daemons.executors import process_tree
from daemons.executors.process_tree import is_zombie, marked
from daemons.job_run import token_of
from daemons.runtime import Daemon, program_version, this_machine
from daemons.work_folder import WorkFolders
from tests.testbed.engine import Lab, engine
from tests.testbed.executor_process import ExecutorProcess
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import open_store, wait_until

EXPIRE = "UPDATE job_leases SET expires_at = now() - interval '1 second' WHERE job_id = $1"


async def ends_of(lab: Lab, job: int) -> list[str]:
    events = [recorded.event async for recorded in lab.store.read_stream(f"job-{job}")]
    return [event.outcome for event in events if type(event).__name__ == "JobFinished"]  # type: ignore[attr-defined]


async def test_an_executor_that_crashed_leaves_no_process_and_no_folder_and_its_jobs_are_told_as_lost(
    database: Database, tmp_path: Path
) -> None:
    detach = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(300)\n"
    )
    settings = {"MULTIFLEXI_WORK_FOLDER": str(tmp_path / "work")}
    async with engine(database, "projector") as lab:
        with ExecutorProcess(database, **settings) as crashed:
            jobs = [
                await lab.schedule(await lab.template(sys.executable, ["-c", detach], overlap_policy="allow"))
                for _ in "ab"
            ]
            pids = [await lab.running(job) for job in jobs]
            for job in jobs:
                await wait_until(lambda job=job: wrote(lab, job, 2), "both processes of the job run")
            rows = await lab.store.pool.fetch("SELECT job_id, daemon_id, version FROM job_leases")
            tokens = [token_of(row["job_id"], row["daemon_id"], row["version"]) for row in rows]
            assert all(len(marked(token)) == 2 for token in tokens)
            crashed.kill()
            with ExecutorProcess(database, **settings):
                for job in jobs:
                    row = await lab.ended(job)
                    assert row["outcome"] == "lost"
                    assert row["reason"].startswith(f"The executor {crashed.id} gave no more signs of life")
                assert all(is_zombie(pid) for pid in pids)
                assert not any(not is_zombie(pid) for token in tokens for pid in marked(token))
                assert list((tmp_path / "work").iterdir()) == []
                assert [await ends_of(lab, job) for job in jobs] == [["lost"], ["lost"]]


async def test_a_program_that_forgot_its_environment_ends_with_the_executor_that_had_started_it(
    database: Database,
) -> None:
    async with engine(database, "projector") as lab:
        with ExecutorProcess(database) as crashed:
            script = "exec env -i /bin/sh -c 'echo on; exec sleep 300'"
            job = await lab.schedule(await lab.template("/bin/sh", ["-c", script]))
            pid = await lab.running(job)
            await wait_until(lambda: wrote(lab, job, 1), "it has forgotten its environment")
            assert process_tree.mark_of(pid) is None
            crashed.kill()
            assert not is_zombie(pid)
            assert await leases.settle_lost(lab.store, Daemon("executor")) == 1
            assert (await lab.ended(job))["outcome"] == "lost"
            assert is_zombie(pid)


async def test_an_executor_of_another_machine_with_the_same_host_name_is_not_taken_for_dead(database: Database) -> None:
    async with engine(database, "projector") as lab:
        with ExecutorProcess(database) as other:
            job = await lab.schedule(
                await lab.template("/bin/sh", ["-c", "read never </dev/null; sleep 0.3; echo done"])
            )
            await lab.running(job)
            # Its process has a number that nobody has here.
            await lab.store.pool.execute("UPDATE daemons SET pid = 4999999, machine = $2 WHERE id = $1", other.id, "B")
            assert await leases.settle_lost(lab.store, Daemon("executor")) == 0
            assert (await lab.ended(job))["outcome"] == "success"


async def test_a_daemon_that_has_the_number_of_one_before_it_tells_its_own_start_and_machine(
    database: Database,
) -> None:
    told = "SELECT machine, version, started_at > now() - interval '1 minute' FROM daemons WHERE id = $1"
    daemon = Daemon("executor")
    async with open_store(database, role="executor") as store:
        await store.pool.execute(
            "INSERT INTO daemons (id, kind, host, pid, version, machine, started_at)"
            " VALUES ($1, 'executor', $2, $3, '1.0', 'before', now() - interval '1 day')",
            daemon.id,
            daemon.host,
            daemon.pid,
        )
        life = asyncio.create_task(daemon.show_life(store))

        async def new() -> bool:
            return tuple(await store.pool.fetchrow(told, daemon.id) or ()) == (
                this_machine(),
                program_version(),
                True,
            )

        await wait_until(new, "what was there before is replaced")
        daemon.stopping.set()
        await life


async def wrote(lab: Lab, job: int, lines: int) -> bool:
    return len((await lab.output(job)).split()) == lines


async def test_a_frozen_executor_writes_nothing_when_its_jobs_were_taken_over(database: Database) -> None:
    async with engine(database, "projector") as lab:
        with ExecutorProcess(database) as frozen:
            job = await lab.schedule(await lab.template("/bin/sh", ["-c", "while :; do echo on; sleep 0.01; done"]))
            pid = await lab.running(job)
            frozen.freeze()
            await lab.store.pool.execute(EXPIRE, job)
            with ExecutorProcess(database):
                row = await lab.ended(job)
                assert row["outcome"] == "lost"
                before = await lab.output(job)
                frozen.thaw()

                async def fenced() -> bool:
                    return "the lease was lost" in frozen.log

                await wait_until(fenced, "the frozen executor notices")
                assert await ends_of(lab, job) == ["lost"]
                assert await lab.output(job) == before
                assert is_zombie(pid)


async def test_a_lease_that_lasts_is_left_alone_and_whoever_lost_one_ends_its_process(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await lab.schedule(await lab.template("/bin/sh", ["-c", "sleep 300"]))
        pid = await lab.running(job)
        other = Daemon("executor")
        other.host = "elsewhere"  # from where nothing can be told of the process
        assert await leases.settle_lost(lab.store, other) == 0
        await lab.store.pool.execute(EXPIRE, job)
        assert await leases.settle_lost(lab.store, other, observed=False) == 0
        assert await ends_of(lab, job) == []
        assert await leases.settle_lost(lab.store, other) == 1
        assert await ends_of(lab, job) == ["lost"]
        monkeypatch.setattr("daemons.executor.RENEW_EVERY", 0.0)

        async def ended() -> bool:
            return is_zombie(pid)

        await wait_until(ended, "its owner hears that it was lost")
        assert await ends_of(lab, job) == ["lost"]


async def test_leases_are_not_judged_by_who_has_just_reached_the_database(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    contact = leases.Contact()
    now = 100.0
    monkeypatch.setattr("daemons.leases.time.monotonic", lambda: now)
    assert not contact.observed
    contact.made()
    assert not contact.observed
    now += leases.OBSERVED
    contact.made()
    assert contact.observed
    contact.broken()
    contact.made()
    assert not contact.observed


async def test_jobs_run_on_while_the_database_is_away_for_longer_than_their_lease(postgres: Server) -> None:
    """The leases have run out when it comes back: who is there first does not take the other's for lost."""
    with Server(postgres.version, durable=True) as server:
        database = server.fresh_database()
        async with engine(database, "projector") as lab:
            with (
                ExecutorProcess(database, MULTIFLEXI_MAX_PARALLEL="1") as first,
                ExecutorProcess(database, MULTIFLEXI_MAX_PARALLEL="1") as late,
            ):
                script = "import time\nfor i in range(20): print(i, flush=True); time.sleep(0.1)"
                made = await lab.template(sys.executable, ["-c", script], overlap_policy="allow")
                jobs = [await lab.schedule(made) for _ in range(2)]
                for job in jobs:
                    await lab.running(job)
                late.freeze()
                await lab.store.pool.execute("UPDATE job_leases SET expires_at = now() + interval '0.5 seconds'")
                server.postgres.stop()
                await asyncio.sleep(0.3)
                await asyncio.sleep(0.3)
                server.start()
                await wait_until(lambda: renewed(database, first), "the first one is back")
                await asyncio.sleep(0.3)  # It looks at the others' leases in the same breath as it renews its own.
                late.thaw()
                for job in jobs:
                    await wait_until(lambda job=job: over(database, job), f"the end of job {job}")
        async with open_store(database) as store:
            rows = await store.pool.fetch("SELECT outcome FROM job ORDER BY id")
            assert [row["outcome"] for row in rows] == ["success", "success"]


async def renewed(database: Database, executor: ExecutorProcess) -> bool:
    """Tell whether the executor has renewed its lease, or has had its job's end written already."""
    async with open_store(database) as store:
        return not await store.pool.fetchval(
            "SELECT EXISTS (SELECT FROM job_leases WHERE daemon_id = $1 AND expires_at < now())", executor.id
        )


async def over(database: Database, job: int) -> bool:
    async with open_store(database) as store:
        return bool(await store.pool.fetchval("SELECT finished_at IS NOT NULL FROM job WHERE id = $1", job))


async def test_the_mark_of_a_job_can_be_worked_out_from_its_lease() -> None:
    assert token_of(7, "executor@host:1", 2) == token_of(7, "executor@host:1", 2)
    assert token_of(7, "executor@host:1", 2) != token_of(7, "executor@host:2", 2)
    assert WorkFolders(Path("/srv")).path(7, "a" * 32) == "/srv/job-7-aaaaaaaaaaaa"
