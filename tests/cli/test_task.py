"""Tasks on the command line, against a real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cli.cells import moment
from domain.job_events import JobScheduled
from tests.cli.conftest import Cli
from tests.cli.life import Life
from tests.cli.owed import HOUR, ended, opened, queued, this_hour
from tests.cli.test_job_changes import event


@pytest.fixture
def tasks(template: int, jobs: Life) -> None:
    """Five tasks: one each of fulfilled, late, failed, missed, and one that is open with a job that runs."""
    for number, how in enumerate(("fulfilled", "late", "failed", "missed"), 1):
        opened(jobs, number, this_hour() - (5 - number) * HOUR)
        ended(jobs, number, how)
    opened(jobs, 5, this_hour(), max_attempts=3)
    queued(jobs, 101, task_id=5)
    jobs.start(101, task_id=5)


def test_tasks_are_listed_and_filtered(cli: Cli, tasks: None) -> None:
    def ids(*words: str) -> list[int]:
        return [row["id"] for row in cli.json("task:list", *words)]

    assert ids() == [1, 2, 3, 4, 5]
    assert ids("--order", "D", "--limit", "2", "--offset", "1") == [4, 3]
    for state, number in (("fulfilled", 1), ("fulfilled_late", 2), ("FAILED", 3), ("missed", 4), ("running", 5)):
        assert ids("--state", state) == [number]
    assert ids("--state", "open") == []
    assert ids("--runtemplate_id", "1", "--company-id", "1") == ids("--runtemplate", "1") == [1, 2, 3, 4, 5]
    assert ids("--runtemplate_id", "2") == ids("--company_id", "2") == []
    begin = this_hour() - 2 * HOUR
    assert ids("--from", begin.isoformat(), "--to", this_hour().isoformat()) == [3, 4]
    local = moment(begin, "Europe/Prague")[:19]
    assert ids("--from", local, "--runtemplate_id", "1") == ids("--from", local, "--company_id", "1") == [3, 4, 5]
    head, *lines = cli("task:list").out.splitlines()
    assert head.split()[:4] == ["id", "company_slug", "runtemplate_name", "window_start"]
    assert len(lines) == 5
    assert cli.json("task:list", "--fields", "id,state", "--limit", "1") == [{"id": 1, "state": "fulfilled"}]
    assert cli("task:list", "--state", "happy").code == 2


def test_a_task_is_shown_with_its_attempts(cli: Cli, tasks: None, jobs: Life) -> None:
    jobs.finish(101, 3, "failure", task_id=5)
    queued(jobs, 102, task_id=5, attempt=2, retry_of=101, schedule_type="retry")
    queued(jobs, 103)
    jobs.fold()
    shown = cli.json("task:get", "5")
    assert (shown["state"], shown["attempts"], shown["max_attempts"]) == ("open", 1, 3)
    assert "jobs" not in shown
    attempts = cli.json("task:get", "--id", "5", "--with-jobs")["jobs"]
    assert [(row["id"], row["attempt"], row["retry_of"], row["state"], row["outcome"]) for row in attempts] == [
        (101, 1, None, "finished", "failure"),
        (102, 2, 101, "queued", None),
    ]
    text = cli("task:get", "5", "--with_jobs").out
    assert text.splitlines()[-1].split()[:3] == ["102", "2", "101"]
    assert "No attempt is in the history." in cli("task:get", "4", "--with-jobs").out
    assert cli.json("task:get", "5", "--with-jobs", "--fields", "id").keys() == {"id", "jobs"}
    assert cli.json("task:get", "9", code=1)["status"] == "not found"
    assert "Which task?" in cli("task:get").err


def test_the_headline_tells_how_many_were_fulfilled_on_time(cli: Cli, template: int, jobs: Life) -> None:
    for number in range(1, 25):
        opened(jobs, number, this_hour() - (24 - number) * HOUR)
        ended(jobs, number, "late" if number == 7 else "fulfilled")
    status = cli.json("task:status")
    assert status["headline"] == "23/24 fulfilled on time, 1 late"
    assert (status["total"], status["fulfilled"], status["fulfilled_late"], status["missed"]) == (24, 23, 1, 0)
    assert "23/24 fulfilled on time, 1 late" in cli("task:status").out
    last_hours = cli.json("task:status", "--from", (this_hour() - 2 * HOUR).isoformat(), "--runtemplate_id", "1")
    assert last_hours["headline"] == "3/3 fulfilled on time"
    assert cli.json("task:status", "--company_id", "2")["headline"] == "there are none"
    assert cli.json("task:status", "--to", "2000-01-01")["total"] == 0


def test_open_tasks_are_told_apart_from_those_that_ended(cli: Cli, tasks: None) -> None:
    assert cli.json("task:status")["headline"] == "1/4 fulfilled on time, 1 late, 1 failed, 1 missed; 1 running"


def test_a_task_of_an_attempt_that_never_ran_is_tried_by_the_one_run_again(cli: Cli, template: int, jobs: Life) -> None:
    opened(jobs, 1, this_hour())
    queued(jobs, 101, task_id=1)
    cli("job:cancel", "101")
    line = ("job:retry", "101", "--idempotency-key", "k")
    first = cli.json(*line)
    assert cli.json(*line) == first
    again = event(jobs, f"job-{first['job_id']}", JobScheduled)
    assert (again.task_id, again.attempt, again.retry_of) == (1, 1, 101)
    # Another one beside it would be an attempt of its own, which nobody waits for.
    beside = event(jobs, f"job-{cli.json('job:retry', '101')['job_id']}", JobScheduled)
    assert (beside.task_id, beside.attempt, beside.retry_of) == (None, 1, 101)


def test_status_tells_of_the_tasks_of_today_and_of_the_job_that_waits_longest(
    cli: Cli, template: int, jobs: Life
) -> None:
    nothing = cli.json("status")
    assert (nothing["oldest_waiting"], nothing["tasks_today"]["missed"]) == (None, 0)
    now = datetime.now(UTC)
    opened(jobs, 1, now - timedelta(days=2))
    ended(jobs, 1, "missed")
    opened(jobs, 2, now - timedelta(seconds=1))
    opened(jobs, 3, now - timedelta(seconds=2))
    ended(jobs, 3, "missed")
    queued(jobs, 101, not_before=now - timedelta(hours=2, minutes=45))
    queued(jobs, 102)
    queued(jobs, 103, not_before=now + HOUR)
    status = cli.json("status")
    assert (status["oldest_waiting"]["job_id"], round(status["oldest_waiting"]["seconds"]) // 60) == (101, 165)
    today = {state: number for state, number in status["tasks_today"].items() if number}
    assert today == {"open": 1, "missed": 1}
    text = cli("status").out
    assert "job 101 of run template 1, for 2h 45m" in text
    assert "0/1 fulfilled on time, 1 missed; 1 open" in text
