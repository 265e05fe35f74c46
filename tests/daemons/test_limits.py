"""Limits of a job: what the user sees when one is reached."""

from __future__ import annotations

import json
import sys

import pytest

from daemons.limits import NONE, limits_of
from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import DatabaseUnavailableError
from tests.testbed.engine import Lab, engine
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import wait_until

MIB = 1024 * 1024


async def run(lab: Lab, script: str, **limits: int) -> dict:
    return await lab.run(await lab.template(sys.executable, ["-c", script], limits=limits))


async def reached(lab: Lab) -> bool:
    try:
        return await lab.store.pool.fetchval("SELECT true")
    except (DatabaseUnavailableError, *DATABASE_ERRORS):
        return False


async def test_a_job_ends_at_its_wall_time(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await run(lab, "import time; time.sleep(60)", wall_time=1)
        assert (job["outcome"], job["reason"]) == ("timeout", "The limit of 1 s was reached.")
        assert 0.8 <= job["duration"] <= 1.5  # preparing is in it; the benchmark times it exactly


async def test_a_job_that_ignores_term_ends_at_its_wall_time_too(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template("/bin/sh", ["-c", "trap '' TERM; sleep 60"], limits={"wall_time": 1}))
        assert (job["outcome"], job["signal"]) == ("timeout", 9)
        assert 0.8 <= job["duration"] <= 1.5


async def test_wall_time_ends_a_job_while_the_database_is_away(postgres: Server) -> None:
    with Server(postgres.version, durable=True) as server:
        database = server.fresh_database()
        async with engine(database, "executor", "projector") as lab:
            job = await lab.schedule(
                await lab.template("/bin/sh", ["-c", "echo began; sleep 60"], limits={"wall_time": 1})
            )
            await lab.running(job)
            server.postgres.stop()
            server.start()
            await wait_until(lambda: reached(lab), "the database is back")
            row = await lab.ended(job)
            assert row["outcome"] == "timeout"
            assert 0.8 <= row["duration"] <= 1.5
            assert await lab.output(job) == b"began\n"


async def test_processor_time_is_limited(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await run(lab, "while True: pass", cpu_time=1)
        assert (job["outcome"], job["reason"]) == ("timeout", "The limit of 1 s of processor time was reached.")


async def test_processor_time_of_a_command_of_a_shell_is_limited(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        script = f"{sys.executable} -c 'while True: pass'; exit $?"
        job = await lab.run(await lab.template("/bin/sh", ["-c", script], limits={"cpu_time": 1}))
        assert (job["outcome"], job["reason"]) == ("timeout", "The limit of 1 s of processor time was reached.")


async def test_memory_is_limited(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await run(lab, f"bytearray({600 * MIB})", memory=400 * MIB)
        assert job["outcome"] == "warning"  # Python ends with 1
        assert b"MemoryError" in await lab.output(job["id"], "stderr")
        assert "its memory was limited to 419430400 bytes" in job["reason"]


async def test_the_size_of_files_is_limited(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        script = "exec head -c 10000000 /dev/zero > large"
        job = await lab.run(await lab.template("/bin/sh", ["-c", script], limits={"file_size": MIB}))
        assert (job["outcome"], job["reason"]) == ("killed", "A file grew beyond the limit of 1048576 bytes.")


async def test_open_files_are_limited(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await run(lab, "import os; print([os.open('/', 0) for _ in range(100)])", open_files=50)
        assert job["exitcode"] == 1
        assert b"Too many open files" in await lab.output(job["id"], "stderr")


async def test_the_number_of_processes_is_limited(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        script = "import os, time\nfor _ in range(20):\n    if os.fork() == 0: time.sleep(60)\ntime.sleep(60)"
        job = await run(lab, script, processes=10)
        assert job["outcome"] == "killed"
        assert job["reason"].endswith("processes at once; its limit is 10.")


async def test_output_over_the_limit_is_told_by_an_event(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await run(lab, "print('x' * 9999)", output=4096)
        assert job["outcome"] == "success"
        assert await lab.output(job["id"]) == b"x" * 4096
        told = json.loads(job["stdout"])
        assert (told["length"], told["dropped"]) == (4096, 10000 - 4096)


@pytest.mark.parametrize("value", [None, {}, {"wall_time": 0}, {"memory": "1G"}, {"cpu_time": True}, {"memory": -1}])
def test_what_is_no_positive_number_is_no_limit(value: dict | None) -> None:
    assert limits_of(value) == NONE
