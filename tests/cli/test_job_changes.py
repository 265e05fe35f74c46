"""Jobs ended wherever they stand, run again, and what is said of deleting one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.environment import environment_in
from domain.job_events import JobCancelRequested, JobScheduled
from eventstore.store import EventStore
from tests.cli.conftest import Cli
from tests.cli.life import Life
from tests.testbed.stores import wait_until


def event(jobs: Life, stream: str, kind: type) -> Any:
    """Return the newest event of a kind in a stream."""
    found: list[Any] = []

    async def work(store: EventStore) -> None:
        found.extend([recorded.event async for recorded in store.read_stream(stream)])

    jobs.run(work)
    return [one for one in found if isinstance(one, kind)][-1]


def test_a_running_job_is_asked_to_end_once(cli: Cli, template: int, jobs: Life) -> None:
    cli("run-template:schedule", "1")
    jobs.start(1)
    line = ("job:cancel", "1", "--reason", "wrong month", "--idempotency-key", "k")
    assert cli.json(*line) == {"cancelled": False, "requested": True, "job_id": 1}
    assert cli.json(*line) == {"cancelled": False, "requested": True, "job_id": 1}
    assert "it was asked to end before" in cli("job:cancel", "1").out
    wish = event(jobs, "job-1", JobCancelRequested)
    assert (wish.reason, wish.requested_by) == ("wrong month", "system")
    jobs.finish(1, 143, "cancelled")
    assert cli.json(*line) == {"cancelled": False, "requested": True, "job_id": 1}
    assert "Job 1 is finished" in cli.json("job:cancel", "1", code=1)["message"]


def test_a_cancelled_job_with_the_same_key_answers_the_same(cli: Cli, template: int) -> None:
    cli("run-template:schedule", "1")
    line = ("job:cancel", "1", "--idempotency-key", "k")
    assert cli.json(*line) == cli.json(*line) == {"cancelled": True, "job_id": 1}


@pytest.mark.parametrize(("outcome", "code"), [("cancelled", 0), ("success", 1)])
def test_the_end_of_a_cancelled_job_is_waited_for(cli: Cli, template: int, jobs: Life, outcome: str, code: int) -> None:
    cli("run-template:schedule", "1")
    jobs.start(1)
    waiting = cli.start("job:cancel", "1", "--wait", "--format", "json")
    jobs.run(asked)
    assert waiting.poll() is None
    jobs.finish(1, 0 if code else 143, outcome)
    out, err = waiting.communicate(timeout=30)
    assert waiting.returncode == code, err
    assert f'"outcome": "{outcome}"'.encode() in out
    assert f'"cancelled": {"false" if code else "true"}'.encode() in out


async def asked(store: EventStore) -> None:
    """Wait until job 1 is to end."""

    async def requested() -> bool:
        return bool(await store.pool.fetchval("SELECT cancel_requested_at FROM job_queue WHERE job_id = 1"))

    await wait_until(requested, "the request to end")


def test_deleting_says_what_happens_instead(cli: Cli, template: int, jobs: Life) -> None:
    for _ in range(3):
        cli("run-template:schedule", "1")
    assert cli.json("job:delete", "1") == {"deleted": True, "job_id": 1}
    assert "stays in the history as cancelled" in cli("job:delete", "--id", "2").out
    jobs.start(3)
    running = cli.json("job:delete", "3", code=1)["message"]
    assert "Job 3 is running" in running
    assert "`multiflexi-cli job:cancel 3` ends it" in running
    jobs.finish(3)
    ended = cli.json("job:delete", "3", code=1)["message"]
    assert "Job 3 is finished, not waiting. What happened is never deleted" in ended
    assert "no job 9" in cli.json("job:delete", "9", code=1)["message"]
    jobs.fold()
    assert [row["state"] for row in cli.json("job:list")] == ["cancelled", "cancelled", "finished"]


def test_a_job_is_run_again_with_the_same_and_with_another_environment(cli: Cli, template: int, jobs: Life) -> None:
    cli("job:create", "--runtemplate_id", "1", "-e", "MONTH=5", "--env", "WORD=first", "-e", "WORD=a=b")
    jobs.start(1)
    jobs.finish(1, 3, "failure")
    assert cli.json("job:retry", "1") == {"job_id": 2, "retry_of": 1}
    assert "Job 3 is in the queue; it runs job 1 again." in cli("job:retry", "--id", "1", "-e", "MONTH=6").out
    same, other = event(jobs, "job-2", JobScheduled), event(jobs, "job-3", JobScheduled)
    assert (environment_in(same.environment), same.retry_of) == ({"MONTH": "5", "WORD": "a=b"}, 1)
    assert (same.attempt, same.task_id, same.schedule_type, same.launched_by) == (1, None, "adhoc-cli", "system")
    assert (environment_in(other.environment), other.retry_of) == ({"MONTH": "6", "WORD": "a=b"}, 1)
    jobs.fold()
    shown = cli.json("job:get", "3")
    assert (shown["retry_of"], shown["attempt"], shown["task_id"], shown["labels"]) == (1, 1, None, [])


def test_a_job_is_run_again_later_and_once_with_the_same_key(cli: Cli, template: int, jobs: Life) -> None:
    cli("run-template:schedule", "1")
    cli("job:cancel", "1")
    line = ("job:retry", "1", "--scheduled", "2099-07-01 12:00", "--idempotency-key", "k")
    assert cli.json(*line) == cli.json(*line) == {"job_id": 2, "retry_of": 1}
    assert event(jobs, "job-2", JobScheduled).not_before.isoformat() == "2099-07-01T10:00:00+00:00"
    assert cli.json("job:retry", "1", "--idempotency-key", "k", code=1)["field"] == "idempotency_key"


def test_only_a_job_that_has_ended_is_run_again(cli: Cli, template: int, jobs: Life) -> None:
    cli("run-template:schedule", "1")
    waiting = cli.json("job:retry", "1", code=1)["message"]
    assert "Job 1 is queued; only one that has ended can be run again" in waiting
    jobs.start(1)
    assert "Job 1 is running" in cli.json("job:retry", "1", code=1)["message"]
    jobs.finish(1)
    cli("application:pause", "1")
    assert cli.json("job:retry", "1")["job_id"] == 2
    cli("run-template:delete", "1")
    assert "no run template 1" in cli.json("job:retry", "1", code=1)["message"]
    assert "no job 9" in cli.json("job:retry", "9", code=1)["message"]


def test_a_setting_of_a_job_and_a_file_of_settings_are_told_apart(
    cli: Cli, template: int, jobs: Life, tmp_path: Path
) -> None:
    file = tmp_path / "my.env"
    file.write_text("NO_COLOR=1\n")
    assert cli.json("job:create", "--runtemplate_id", "1", "-e", str(file), "-e", "A=1")["job_id"] == 1
    assert cli.json("run-template:schedule", "1", "-e", "A=2")["job_id"] == 2
    assert event(jobs, "job-1", JobScheduled).environment == '{"A":"1"}'
    assert event(jobs, "job-2", JobScheduled).environment == '{"A":"2"}'
    assert cli("job:create", "--runtemplate_id", "1", "-e", "nonexistent.env").code == 2
    assert cli("company:list", "-e", "A=1").code == 2


def test_a_job_that_waits_is_changed(cli: Cli, template: int, jobs: Life) -> None:
    job = cli.json("job:create", "--runtemplate_id", str(template), "--scheduled", "+2h")["job_id"]
    change = ("job:update", str(job), "--scheduled", "2099-01-01T12:00:00Z", "--priority", "7", "--schedule_type", "x")
    assert cli.json(*change, "--runtemplate_id", str(template)) == {"updated": True, "job_id": job}
    assert cli.json(*change) == {"updated": False, "job_id": job}
    (waiting,) = cli.json("queue:list")
    assert (waiting["after"], waiting["priority"], waiting["schedule_type"]) == ("2099-01-01T12:00:00Z", 7, "x")
    jobs.fold()
    shown = cli.json("job:get", str(job))
    assert (shown["schedule"], shown["schedule_type"]) == ("2099-01-01T12:00:00Z", "x")
    assert cli.json("queue:fix", "--dry-run")["found"] == 0


def test_a_job_that_runs_or_belongs_elsewhere_is_not_changed(cli: Cli, template: int, jobs: Life) -> None:
    job = cli.json("job:create", "--runtemplate_id", str(template))["job_id"]
    refused = cli.json("job:update", str(job), "--app_id", "9", code=1)
    assert (refused["field"], "is of application 1" in refused["message"]) == ("app_id", True)
    assert "What is to change?" in cli("job:update", str(job)).err
    assert "Nowhere" in cli.json("job:update", str(job), "--executor", "Nowhere", code=1)["message"]
    jobs.start(job)
    assert "only a queued job can be changed" in cli("job:update", str(job), "--priority", "1").err
    assert cli.json("job:update", "99", "--priority", "1", code=1)["message"].startswith("There is no job 99.")
