"""The command line beside a real executor: a process ended, and run again with another setting."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.cli.conftest import Cli
from tests.testbed.engine import engine
from tests.testbed.postgres import Database


async def answer(cli: Cli, *words: str) -> Any:
    """Run a command line in a process of its own and return what it answers."""
    done = await asyncio.to_thread(cli.process, *words, "--format", "json")
    assert done.returncode == 0, done
    return json.loads(done.stdout)


async def test_a_process_is_ended_and_run_again_with_another_setting(cli: Cli, database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        script = 'if [ "$FAST" ]; then echo "fast: $FAST"; else exec sleep 60; fi'
        job = await lab.schedule(await lab.template("/bin/sh", ["-c", script]))
        await lab.running(job)
        ended = await answer(cli, "job:cancel", str(job), "--reason", "Too slow", "--wait")
        assert (ended["cancelled"], ended["outcome"]) == (True, "cancelled")
        again = await answer(cli, "job:retry", str(job), "-e", "FAST=yes")
        assert again["retry_of"] == job
        row = await lab.ended(again["job_id"])
        assert (row["outcome"], await lab.output(again["job_id"])) == ("success", b"fast: yes\n")
        shown = await answer(cli, "job:get", str(job))
        assert "Too slow" in shown["reason"]


async def test_what_is_paused_starts_when_it_goes_on(cli: Cli, database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        await answer(cli, "system:pause", "--reason", "Maintenance")
        job = await lab.schedule(await lab.template("/bin/echo", ["hello"]))
        status = await answer(cli, "status")
        assert (status["oldest_waiting"]["job_id"], status["paused"][0]["reason"]) == (job, "Maintenance")
        await answer(cli, "system:resume")
        assert (await lab.ended(job))["outcome"] == "success"
