"""The queue on the command line: seen, emptied, mended, against a real database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain.job_events import JobFinished
from domain.run_template_events import RunTemplateRemoved
from tests.cli.conftest import Cli
from tests.cli.life import Life
from tests.cli.owed import HOUR, ended, opened, queued, this_hour
from tests.cli.test_job_changes import event


@pytest.fixture
def hand(cli: Cli) -> Iterator[psycopg.Connection]:
    """Return a hand in the database, past the log."""
    with psycopg.connect(
        cli.database.superuser_url, autocommit=True, options="-c search_path=multiflexi"
    ) as connection:
        yield connection


def test_the_queue_is_listed_by_start_and_by_id(cli: Cli, template: int, jobs: Life) -> None:
    now = datetime.now(UTC)
    queued(jobs, 101, not_before=now + timedelta(hours=2, minutes=45, seconds=30), schedule_type="h")
    queued(jobs, 102, not_before=now - HOUR, schedule_type="adhoc-cli")
    queued(jobs, 103, not_before=now + HOUR, schedule_type="c")
    queued(jobs, 104)
    jobs.start(104)

    def ids(*words: str) -> list[int]:
        return [row["id"] for row in cli.json("queue:list", *words)]

    assert ids() == ids("--order", "after", "--direction", "ASC") == [102, 103, 101]
    assert ids("--order", "after", "--direction", "DESC") == ids("--direction", "d") == [101, 103, 102]
    assert ids("--order", "id") == [101, 102, 103]
    assert ids("--order", "id", "--direction", "D", "--limit", "2", "--offset", "1") == [102, 101]
    assert ids("--company_id", "2") == []
    (first, *_) = cli.json("queue:list", "--fields", "id,after,schedule_type,runtemplate_name,waiting")
    assert first | {"after": ""} == {
        "id": 102, "after": "", "schedule_type": "adhoc-cli", "runtemplate_name": "Hourly echo", "waiting": "overdue",
    }  # fmt: skip
    assert [row["schedule_type"] for row in cli.json("queue:list")] == ["adhoc-cli", "custom", "hourly"]
    text = cli("queue:list", "--limit", "1").out
    assert text.endswith("Total scheduled jobs: 3\n")
    assert "2h 45m" in cli("queue:list").out
    assert "There are none." in cli("queue:list", "--company_id", "2").err
    assert cli("queue:list", "--order", "name").code == 2


def test_the_overview_counts_what_waits(cli: Cli, template: int, jobs: Life) -> None:
    now = datetime.now(UTC)
    for number, after in enumerate((-2 * HOUR, timedelta(0), timedelta(days=400)), 101):
        queued(jobs, number, not_before=now + after, schedule_type="h")
    queued(jobs, 104, attempt=2)
    queued(jobs, 105)
    jobs.start(105)
    found = cli.json("queue:overview")
    metrics = found["comprehensive_queue_metrics"]
    names = ("waiting", "ready", "later", "running", "ending", "retries")
    assert [metrics[name] for name in names] == [4, 3, 1, 1, 0, 1]
    oldest = datetime.fromisoformat(metrics["oldest"])
    assert abs(oldest - (now - 2 * HOUR)) < timedelta(seconds=1)
    unique = ("orphaned_jobs", "unique_applications", "unique_companies", "unique_runtemplates")
    assert [found[name] for name in unique] == [0, 1, 1, 1]
    assert found["schedule_breakdown"] == {"hourly": 3, "adhoc": 1}
    horizons = ("jobs_today", "jobs_tomorrow", "jobs_this_week", "jobs_this_month")
    assert [found[name] for name in horizons] == [3, 0, 3, 3]
    assert cli.json("queue:overview", "--company_id", "2")["comprehensive_queue_metrics"]["waiting"] == 0
    text = cli("queue:overview").out
    assert "jobs waiting:" in text
    assert "type hourly:" in text


def test_all_that_waits_is_cancelled_as_events(cli: Cli, template: int, jobs: Life) -> None:
    for number in range(101, 105):
        queued(jobs, number)
    jobs.start(104)
    refused = cli.json("queue:truncate", code=1)
    assert refused["message"] == "3 jobs wait; none was cancelled. --force cancels all of them."
    assert cli.json("queue:overview")["comprehensive_queue_metrics"]["waiting"] == 3
    line = ("queue:truncate", "--force", "--reason", "Wrong price list", "--idempotency-key", "k")
    first = cli.json(*line)
    assert first == {"result": "3 jobs that waited were cancelled.", "waiting": 3}
    queued(jobs, 106)
    assert cli.json(*line) == first
    assert cli("queue:truncate", "--force").out == "1 job that waited was cancelled.\n"
    assert cli.json("queue:truncate")["waiting"] == 0
    jobs.fold()
    states = {row["id"]: (row["state"], row["reason"]) for row in cli.json("job:list")}
    assert states[101] == states[103] == ("cancelled", "Wrong price list")
    assert states[104] == ("running", None)
    reused = ("queue:truncate", "--force", "--company_id", "1", "--idempotency-key", "k")
    assert cli.json(*reused, code=1)["field"] == "idempotency_key"


def test_a_queue_as_it_should_be_needs_no_mending(cli: Cli, template: int, jobs: Life) -> None:
    opened(jobs, 1, this_hour())
    for number in (101, 102, 103):
        queued(jobs, number, task_id=1)
    jobs.start(102, task_id=1)
    jobs.start(103)
    jobs.finish(103)
    cli("run-template:create", "--name", "Manual", "--app_id", "1", "--company_id", "1")
    cli(
        "run-template:create",
        "--name",
        "Over",
        "--app_id",
        "1",
        "--company_id",
        "1",
        "--interv",
        "h",
        "--end_at",
        "now",
    )
    jobs.fold()
    assert cli.json("queue:fix") == {"found": 0, "mended": 0, "findings": []}
    assert cli("queue:fix", "--dry-run").out == "The queue is as it should be.\n"


def fixed(cli: Cli, *expected: tuple[str, int, str], left: int = 0) -> Any:
    """Look without mending, mend, look again."""
    told = cli.json("queue:fix", "--dry-run", code=1)
    assert told["mended"] == 0
    answer = cli.json("queue:fix", code=1 if left else 0)
    findings = [(one["kind"], one["id"], one["problem"]) for one in answer["findings"]]
    assert len(findings) == len(expected)
    for (kind, number, problem), (wanted_kind, wanted_number, said) in zip(findings, expected, strict=True):
        assert (kind, number) == (wanted_kind, wanted_number)
        assert said in problem
    assert (answer["found"], answer["mended"]) == (len(expected), len(expected) - left)
    assert cli.json("queue:fix", "--dry-run", code=1 if left else 0)["found"] == left
    return answer


def test_jobs_that_the_queue_shows_wrongly_are_mended_from_the_log(
    cli: Cli, template: int, jobs: Life, hand: psycopg.Connection
) -> None:
    for number in (101, 102, 103):
        queued(jobs, number)
    jobs.fold()
    hand.execute("CREATE TEMP TABLE kept AS SELECT * FROM job_queue")
    jobs.start(101)
    jobs.finish(101)
    jobs.start(103)
    hand.execute("DELETE FROM job_queue")
    hand.execute("INSERT INTO job_queue SELECT * FROM kept WHERE job_id <> 102")
    fixed(
        cli,
        ("job", 101, "It is in the queue, but has ended."),
        ("job", 103, "The queue does not show what happened to it last (JobStarted)."),
        ("job", 102, "It has not ended and is not in the queue."),
    )
    assert hand.execute("SELECT job_id, state FROM job_queue ORDER BY 1").fetchall() == [
        (102, "queued"),
        (103, "running"),
    ]


def test_a_job_that_the_log_does_not_know_leaves_the_queue(
    cli: Cli, template: int, jobs: Life, hand: psycopg.Connection
) -> None:
    hand.execute(
        "INSERT INTO job_queue (job_id, company_id, run_template_id, state, stream_version) "
        "VALUES (77, 1, 1, 'queued', 1)"
    )
    fixed(cli, ("job", 77, "the log does not know it"))


def test_a_job_whose_template_is_gone_is_cancelled(cli: Cli, template: int, jobs: Life) -> None:
    queued(jobs, 101)
    jobs.append("run_template-1", RunTemplateRemoved(run_template_id=1, company_id=1))
    assert cli.json("queue:overview")["orphaned_jobs"] == 1
    fixed(cli, ("orphan", 101, "its run template 1 is gone"))
    jobs.fold()
    assert cli.json("job:get", "101")["state"] == "cancelled"


def test_a_job_that_no_executor_holds_ends_as_lost_and_its_task_is_settled(cli: Cli, template: int, jobs: Life) -> None:
    opened(jobs, 1, this_hour())
    queued(jobs, 101, task_id=1)
    jobs.start(101, task_id=1, started_at=datetime.now(UTC) - timedelta(minutes=2))
    fixed(cli, ("run", 101, "no executor holds it"))
    finished = event(jobs, "job-101", JobFinished)
    assert (finished.outcome, finished.exit_code, "executor@host:1" in finished.reason) == ("lost", 255, True)
    assert cli.json("task:get", "1")["state"] == "failed"


def test_a_lease_without_a_job_is_dropped(cli: Cli, template: int, hand: psycopg.Connection) -> None:
    for number, expires in ((101, "-1"), (102, "1")):
        hand.execute(
            "INSERT INTO job_leases (job_id, company_id, daemon_id, host, version, expires_at) "
            "VALUES (%s, 1, 'executor@host:1', 'host', 2, now() + make_interval(mins => %s))",
            (number, int(expires)),
        )
    fixed(cli, ("lease", 101, "executor@host:1 holds it"))
    assert hand.execute("SELECT job_id FROM job_leases").fetchall() == [(102,)]


def test_a_task_of_which_no_job_runs_is_mended_from_the_log(
    cli: Cli, template: int, jobs: Life, hand: psycopg.Connection
) -> None:
    opened(jobs, 1, this_hour())
    hand.execute("UPDATE task SET running_job_id = 101")
    fixed(cli, ("task", 1, "Job 101 is said to run for it"))
    assert cli.json("task:get", "1")["state"] == "open"


def test_an_active_template_without_a_due_time_gets_one(cli: Cli, template: int, hand: psycopg.Connection) -> None:
    due = cli.json("run-template:get", "1")["next_schedule"]
    hand.execute("UPDATE due SET next_due = NULL")
    fixed(cli, ("template", 1, "It is active, but has no due time."))
    assert cli.json("run-template:get", "1")["next_schedule"] >= due
    assert cli.json("run-template:get", "1")["stream_version"] == 2


def test_a_template_that_is_due_though_it_is_inactive_is_mended_from_the_log(
    cli: Cli, template: int, hand: psycopg.Connection
) -> None:
    cli("run-template:deactivate", "1")
    hand.execute("UPDATE due SET next_due = now()")
    fixed(cli, ("template", 1, "but is inactive, manual or removed"))


def test_what_cannot_be_mended_is_told(
    cli: Cli, template: int, jobs: Life, hand: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand.execute("UPDATE due SET next_due = NULL")
    hand.execute('UPDATE run_template SET document = document || \'{"interval": "c", "cron": "nonsense"}\'')
    opened(jobs, 1, this_hour())
    hand.execute("UPDATE task SET running_job_id = 101")
    monkeypatch.setenv("DATABASE_OWNER_URL", cli.database.app_url)
    answer = cli.json("queue:fix", code=1)
    problems = {one["kind"]: one for one in answer["findings"]}
    assert "Run `multiflexi-cli projection:rebuild task`" in problems["task"]["error"]
    assert "Its schedule cannot be read" in problems["template"]["problem"]
    run = cli("queue:fix")
    assert run.code == 1
    assert "task 1: Job 101 is said to run for it, but does not. (not mended)" in run.out


def test_templates_that_should_have_run_are_listed_with_the_reason(
    cli: Cli, template: int, jobs: Life, hand: psycopg.Connection
) -> None:
    for number in (2, 3, 4, 5):
        cli.json("run-template:create", "--name", f"T{number}", "--app_id", "1", "--company_id", "1", "--interv", "d")
    assert cli.json("run-template:stale") == []
    hand.execute("UPDATE due SET next_due = now() - interval '30 hours' WHERE run_template_id = 1")
    queued(jobs, 102, template=2, not_before=datetime.now(UTC) - 3 * HOUR)
    opened(jobs, 3, this_hour() - 4 * HOUR, template=3)
    ended(jobs, 3, "missed")
    opened(jobs, 4, this_hour() - 5 * HOUR, template=4)
    opened(jobs, 5, this_hour() - 5 * HOUR, template=5)
    queued(jobs, 105, template=5, task_id=5)
    cli("company:pause", "1")

    def stale(*words: str) -> list[tuple[int, str]]:
        return [(row["id"], row["reason"]) for row in cli.json("run-template:stale", *words)]

    assert stale() == [(1, "not scheduled"), (4, "missed"), (3, "missed"), (2, "waiting")]
    assert stale("--tolerance-hours", "24") == stale("--tolerance_hours=24") == [(1, "not scheduled")]
    assert stale("--tolerance-hours", "0") == [*stale(), (5, "waiting")]
    (first, *_) = cli.json("run-template:stale")
    assert (round(first["hours"]), first["paused"]) == (30, True)
    assert "not scheduled" in cli("run-template:stale").out
    cli("run-template:deactivate", "4")
    assert 4 not in [number for number, _ in stale()]
    assert cli("run-template:stale", "--tolerance-hours", "9999999").code == 2
