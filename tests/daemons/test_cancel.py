"""Cancelling a running job: its group ends, politely or by force, and the user sees who wanted it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.job_events import JobCancelRequested
from eventstore.errors import DatabaseUnavailableError
from eventstore.log import Append
from eventstore.read import Recorded
from eventstore.store import EventStore
from tests.testbed.engine import COMPANY, Lab, engine
from tests.testbed.executor_process import ExecutorProcess
from tests.testbed.postgres import Database
from tests.testbed.stores import wait_until


async def cancel(lab: Lab, job: int, template: int, reason: str | None = None) -> None:
    event = JobCancelRequested(
        job_id=job,
        company_id=COMPANY,
        run_template_id=template,
        requested_at=datetime.now(UTC),
        requested_by="user:1",
        reason=reason,
    )
    await lab.store.append(Append(stream=f"job-{job}", company_id=COMPANY, events=[event]))


async def seconds_between(lab: Lab, job: int, first: str, second: str) -> float:
    """Return how long after one event of a job another was recorded."""
    times = {recorded.type: recorded.time async for recorded in lab.store.read_stream(f"job-{job}")}
    return (times[second] - times[first]).total_seconds()


async def test_a_running_job_that_is_cancelled_ends_with_its_reason(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/bin/sh", ["-c", "echo began; sleep 300 & sleep 300"])
        job = await lab.schedule(template)
        pid = await lab.running(job)
        began = time.monotonic()
        await cancel(lab, job, template, "wrong account")
        row = await lab.ended(job)
        assert (row["outcome"], row["reason"]) == ("cancelled", "Cancelled by user:1: wrong account")
        assert time.monotonic() - began < 5
        assert await lab.output(job) == b"began\n"
        assert not Path(f"/proc/{pid}").exists()


async def test_a_job_has_its_grace_to_end_by_itself(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        script = "trap 'echo cleaning up; exit 3' TERM; while :; do sleep 0.05; done"
        template = await lab.template("/bin/sh", ["-c", script])
        job = await lab.schedule(template)
        await lab.running(job)
        await cancel(lab, job, template)
        row = await lab.ended(job)
        assert (row["outcome"], row["exitcode"]) == ("cancelled", 3)
        assert await lab.output(job) == b"cleaning up\n"


async def test_a_job_that_ignores_term_is_killed_after_the_grace(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTIFLEXI_CANCEL_GRACE", "0.4")
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/bin/sh", ["-c", "trap '' TERM; sleep 300"])
        job = await lab.schedule(template)
        await lab.running(job)
        began = time.monotonic()
        await cancel(lab, job, template)
        row = await lab.ended(job)
        assert (row["outcome"], row["signal"]) == ("cancelled", 9)
        assert 0.4 <= time.monotonic() - began < 5.4


async def test_a_job_is_cancelled_though_the_database_went_away_when_its_executor_looked_who_wanted_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_stream, failures = EventStore.read_stream, iter(range(2))

    def fails_at_first(self: EventStore, stream: str, **options: Any) -> AsyncIterator[Recorded]:
        if self is not lab.store and next(failures, None) is not None:
            raise DatabaseUnavailableError("The database is away.")
        return read_stream(self, stream, **options)

    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/bin/sh", ["-c", "trap 'exit 4' TERM; echo on; while :; do sleep 0.05; done"])
        job = await lab.schedule(template)
        await lab.running(job)
        monkeypatch.setattr(EventStore, "read_stream", fails_at_first)
        await cancel(lab, job, template)
        row = await lab.ended(job)
        assert (row["outcome"], row["exitcode"], row["reason"]) == ("cancelled", 4, "Cancelled by user:1.")
        assert next(failures, None) is None


async def test_a_job_that_ended_before_it_was_heard_keeps_how_it_ended(database: Database, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/bin/sh", ["-c", f"while [ ! -e {gate} ]; do sleep 0.01; done; echo done"])
        job = await lab.schedule(template)
        await lab.running(job)
        gate.touch()
        await cancel(lab, job, template)
        row = await lab.ended(job)
        assert row["outcome"] in ("success", "cancelled")
        ends = [e.event async for e in lab.store.read_stream(f"job-{job}") if type(e.event).__name__ == "JobFinished"]
        assert len(ends) == 1


async def test_a_job_whose_executor_is_frozen_is_cancelled_by_another(database: Database) -> None:
    """Within grace time + 5 s, though its executor does not answer; which writes nothing when it wakes up."""
    async with engine(database, "projector") as lab:
        with ExecutorProcess(database, MULTIFLEXI_CANCEL_GRACE="0.5") as frozen:
            template = await lab.template("/bin/sh", ["-c", "trap '' TERM; while :; do echo on; sleep 0.02; done"])
            job = await lab.schedule(template)
            pid = await lab.running(job)
            frozen.freeze()
            with ExecutorProcess(database, MULTIFLEXI_CANCEL_GRACE="0.5") as other:
                await wait_until(lambda: settles(lab, other), "the other executor has reached the database for a while")
                await cancel(lab, job, template)
                row = await lab.ended(job)
                assert row["outcome"] == "cancelled"
                assert await seconds_between(lab, job, "JobCancelRequested", "JobFinished") <= 0.5 + 5
                assert not Path(f"/proc/{pid}/cmdline").exists() or Path(f"/proc/{pid}/cmdline").read_text() == ""
                before = await lab.output(job)
                frozen.thaw()

                async def fenced() -> bool:
                    return "the lease was lost" in frozen.log

                await wait_until(fenced, "the frozen executor notices")
                assert await lab.output(job) == before
                ends = [e async for e in lab.store.read_stream(f"job-{job}") if type(e.event).__name__ == "JobFinished"]
                assert len(ends) == 1


async def settles(lab: Lab, other: ExecutorProcess) -> bool:
    return bool(
        await lab.store.pool.fetchval(
            "SELECT count(*) FROM daemons WHERE id = $1 AND started_at < now() - interval '4 seconds'", other.id
        )
    )
