"""The executor: what a job gets, what is captured of it, and how its end is told."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import psycopg
import pytest

from daemons import leases
from daemons.prepare import prepare
from tests.testbed.engine import engine
from tests.testbed.postgres import Database
from tests.testbed.stores import MASTER_KEY, wait_until


async def test_job_runs_and_all_it_wrote_is_kept(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/bin/sh", ["-c", "echo out; echo err >&2"])
        job = await lab.run(template)
        assert (job["outcome"], job["exitcode"], job["launched_by"]) == ("success", 0, "system")
        assert await lab.output(job["id"]) == b"out\n"
        assert await lab.output(job["id"], "stderr") == b"err\n"
        told = json.loads(job["stdout"])
        assert told == {"length": 4, "digest": hashlib.sha256(b"out\n").hexdigest(), "dropped": 0}


async def test_a_megabyte_of_bytes_that_are_no_text_is_kept_byte_for_byte(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        script = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 8192)"
        job = await lab.run(await lab.template("python3", ["-c", script]))
        assert await lab.output(job["id"]) == bytes(range(256)) * 8192


@pytest.mark.parametrize(
    ("script", "outcome", "exitcode"),
    [
        ("exit 0", "success", 0),
        ("exit 1", "warning", 1),
        ("exit 255", "failure", 255),
        ("exit 3", "warning", 3),
        ("exit 4", "success", 4),
        ("kill -9 $$", "killed", 137),
    ],
)
async def test_exit_codes_are_told_by_their_meaning(
    database: Database, script: str, outcome: str, exitcode: int
) -> None:
    async with engine(database, "executor", "projector") as lab:
        declared = {"3": {"description": "odd", "severity": "warning"}, "4": {"description": "new", "severity": "info"}}
        job = await lab.run(await lab.template("/bin/sh", ["-c", script], exit_codes=declared))
        assert (job["outcome"], job["exitcode"]) == (outcome, exitcode)


async def test_missing_executable_is_told_with_the_path_searched(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template("no-such-program"))
        assert (job["outcome"], job["exitcode"]) == ("not_found", 127)
        assert "no-such-program was not found in PATH (" in job["reason"]


async def test_environment_holds_the_layers_in_order_and_nothing_inherited(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_DAEMON", "leaked")
    fields = {"A": {"type": "string", "defval": "default"}, "B": {"defval": "default"}, "C": {"defval": "default"}}
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/usr/bin/env", environment=fields, values={"B": "template", "C": "template"})
        job = await lab.run(template, environment={"C": "job"})
        lines = dict(line.split("=", 1) for line in (await lab.output(job["id"])).decode().splitlines())
        assert (lines["A"], lines["B"], lines["C"]) == ("default", "template", "job")
        assert lines["MULTIFLEXI_JOB_ID"] == str(job["id"])
        assert lines["TZ"] == "Europe/Prague"
        assert "SECRET_OF_THE_DAEMON" not in lines
        assert "DATABASE_URL" not in lines


async def test_no_value_can_add_an_argument_or_a_command(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        script = "import sys; print(sys.argv[1:])"
        hostile = "a b'; touch /tmp/owned; $(id) \"c"
        template = await lab.template("python3", ["-c", script, "${NAME}", "--x={NAME}"], values={"NAME": hostile})
        job = await lab.run(template)
        assert (await lab.output(job["id"])).decode().strip() == str([hostile, f"--x={hostile}"])


async def test_secret_values_are_masked_in_output_and_command_line(database: Database) -> None:
    fields = {"PASSWORD": {"type": "password"}}
    script = "printf hun; sleep 0.1; printf 'ter2-and-hunter2\\n'; echo hunter2 >&2"
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template(
            "/bin/sh", ["-c", script, "${PASSWORD}"], environment=fields, values={"PASSWORD": "hunter2"}
        )
        job = await lab.run(template)
        assert await lab.output(job["id"]) == b"******-and-******\n"
        assert await lab.output(job["id"], "stderr") == b"******\n"
        assert "hunter2" not in job["command"] and "******" in job["command"]


async def test_working_directory_is_the_jobs_own_and_gone_afterwards(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/bin/sh", ["-c", "pwd; ls -A | wc -l; touch left-behind"])
        first, second = await lab.run(template), await lab.run(template)
        folders = [(await lab.output(job["id"])).decode().split() for job in (first, second)]
        assert [count for _, count in folders] == ["0", "0"]
        assert folders[0][0] != folders[1][0]
        for folder, _ in folders:
            await wait_until(lambda folder=folder: gone(folder), f"{folder} removed")


async def gone(folder: str) -> bool:
    return not Path(folder).exists()


async def test_output_appears_while_the_job_runs(database: Database, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with engine(database, "executor", "projector") as lab:
        script = f"echo first; while [ ! -e {gate} ]; do sleep 0.05; done; echo last"
        job = await lab.schedule(await lab.template("/bin/sh", ["-c", script]))

        async def first_is_there() -> bool:
            return await lab.output(job) == b"first\n"

        await wait_until(first_is_there, "the first line")
        gate.touch()
        await lab.ended(job)
        assert await lab.output(job) == b"first\nlast\n"


async def test_what_a_job_leaves_in_its_group_ends_with_it(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template("/bin/sh", ["-c", "sleep 300 & echo $!"]))
        left = int(await lab.output(job["id"]))

        async def ended() -> bool:
            try:
                return Path(f"/proc/{left}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
            except (FileNotFoundError, ProcessLookupError):
                return True

        await wait_until(ended, f"process {left} ended")


async def test_a_job_waits_for_its_time(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        start = datetime.now(UTC) + timedelta(seconds=0.4)
        job = await lab.run(await lab.template("/bin/true"), not_before=start)
        assert job["begin"] >= start


async def test_more_jobs_than_places_all_run(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTIFLEXI_MAX_PARALLEL", "3")
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/bin/sh", ["-c", "sleep 0.05; echo $MULTIFLEXI_JOB_ID"])
        jobs = await asyncio.gather(*(lab.schedule(template) for _ in range(20)))
        for job in jobs:
            assert (await lab.ended(job))["outcome"] == "success"
            assert await lab.output(job) == f"{job}\n".encode()


async def test_stopping_executor_ends_its_jobs_and_says_so(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTIFLEXI_DRAIN", "0.3")
    async with engine(database, "executor", "projector") as lab:
        job = await lab.schedule(await lab.template("/bin/sh", ["-c", "trap '' TERM; sleep 300"]))
        pid = await lab.running(job)
        lab.daemons["executor"].stopping.set()
        row = await lab.ended(job)
        assert (row["outcome"], row["reason"]) == ("killed", "The executor was stopped.")
        assert not Path(f"/proc/{pid}").exists()


async def test_a_job_whose_lease_ran_out_is_settled_as_lost_and_its_process_ended(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemons.executor.RENEW_EVERY", 3600.0)
    monkeypatch.setattr("daemons.executor.RENEW_SOON", 3600.0)
    async with engine(database, "executor", "projector") as lab:
        job = await lab.schedule(await lab.template("/bin/sh", ["-c", "sleep 300"]))
        pid = await lab.running(job)
        await lab.store.pool.execute(
            "UPDATE job_leases SET daemon_id = 'executor@elsewhere:1', expires_at = now() - interval '1 second'"
        )
        assert await leases.settle_lost(lab.store, lab.daemons["executor"]) == 1
        row = await lab.ended(job)
        assert row["outcome"] == "lost"
        assert "gave no more signs of life" in row["reason"]

        async def process_gone() -> bool:
            return not Path(f"/proc/{pid}").exists()

        await wait_until(process_gone, f"process {pid} ended")
        assert await lab.store.pool.fetchval("SELECT count(*) FROM job_leases") == 0


async def test_a_job_runs_on_while_the_database_is_away(database: Database, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with engine(database, "executor", "projector") as lab:
        script = f"echo before; while [ ! -e {gate} ]; do sleep 0.02; done; echo after"
        job = await lab.schedule(await lab.template("/bin/sh", ["-c", script]))
        await lab.running(job)
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'executor@%'"
        async with asyncio.TaskGroup() as group:
            group.create_task(cut_repeatedly(database, cut, gate))
        row = await lab.ended(job)
        assert row["outcome"] == "success"
        assert await lab.output(job) == b"before\nafter\n"


async def cut_repeatedly(database: Database, statement: str, gate: Path) -> None:
    """Cut all connections of the executor several times, and open the gate in the middle."""
    connection = await asyncpg.connect(database.superuser_url)
    for turn in range(10):
        await connection.execute(statement)
        if turn == 5:
            gate.touch()
        await asyncio.sleep(0.1)
    await connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_daemon_stops_on_a_signal_and_takes_its_sign_of_life_away(
    database: Database, number: signal.Signals
) -> None:
    prepare(database.owner_url)
    environment = {**os.environ, **database.variables, "ENCRYPTION_MASTER_KEY": MASTER_KEY}
    process = subprocess.Popen([sys.executable, "-m", "daemons.executor"], env=environment, stderr=subprocess.PIPE)
    try:
        with psycopg.connect(database.superuser_url, autocommit=True) as connection:
            count = "SELECT count(*) FROM multiflexi.daemons WHERE kind = 'executor'"
            asyncio.run(wait_until(lambda: is_count(connection, count, 1), "a sign of life"))
            process.send_signal(number)
            assert process.wait(timeout=10) == 0
            assert connection.execute(count).fetchone() == (0,)
    finally:
        process.kill()
        process.communicate()


async def is_count(connection: object, statement: str, count: int) -> bool:
    return connection.execute(statement).fetchone() == (count,)  # type: ignore[attr-defined]
