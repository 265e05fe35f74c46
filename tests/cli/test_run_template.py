"""Applications, run templates and jobs on the command line, against a real database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import DEFINITION, Cli
from tests.cli.life import Life


def test_a_definition_is_imported_once_and_shown(cli: Cli, definition: Path) -> None:
    assert cli.json("application:import-json", "--file", str(definition)) == {"imported": 1}
    assert cli.json("application:import-json", "--file", str(definition)) == {"imported": 1}
    shown = cli.json("application:show", "1")
    assert shown == cli.json("application:get", "--uuid", DEFINITION["uuid"])
    assert shown == cli.json("application:get", "--name", "Echo")
    assert (shown["name"], shown["version"], shown["tags"]) == ("Echo", "1.2.3", "echo,test")
    assert shown["description"] == "Says it again"
    assert shown["definition"] == DEFINITION
    assert "definition" not in cli("application:show", "1").out
    assert "definition" in cli("application:show", "1", "-v").out
    assert [row["executable"] for row in cli.json("application:list")] == ["/bin/echo"]


def test_texts_are_in_the_language_of_the_user(cli: Cli, definition: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("application:import-json", "--file", str(definition))
    monkeypatch.setenv("LANG", "cs_CZ.UTF-8")
    assert cli.json("application:get", "1")["description"] == "Řekne to znovu"


def test_a_definition_is_checked_without_being_imported(cli: Cli, definition: Path) -> None:
    answer = cli.json("application:validate-json", "--file", str(definition))
    assert (answer["status"], answer["file"]) == ("success", str(definition))
    assert json.loads(Path(answer["schema"]).read_text())["$schema"]
    assert cli.json("application:list") == []


def test_a_wrong_definition_is_refused_with_every_place(cli: Cli, definition: Path) -> None:
    definition.write_text(json.dumps({**DEFINITION, "executable": 1, "environment": 2}))
    answer = cli.json("application:validate-json", "--file", str(definition), code=1)
    assert answer["status"] == "error"
    assert [text.partition(":")[0] for text in answer["violations"]] == ["/executable", "/environment"]
    refused = cli.json("application:import-json", "--file", str(definition), code=1)
    assert "/executable" in refused["message"]
    definition.write_text('{"name": "A",}')
    assert "line 1, column" in cli("application:validate-json", "--file", str(definition)).err
    for command in ("application:validate-json", "application:import-json"):
        assert cli.json(command, "--file", "/nonexistent.json", code=1)["field"] == "file"
    assert cli.json("application:list") == []


def test_a_run_template_is_created_listed_and_shown(cli: Cli, template: int) -> None:
    assert template == 1
    shown = cli.json("runtemplate:show", "1")
    assert shown == cli.json("run-template:get", "--id", "1") == cli.json("runtemplate", "get", "--name", "Hourly echo")
    assert (shown["interv"], shown["app_name"], shown["company_slug"]) == ("h", "Echo", "acme-corp")
    assert shown["environment"] == {"WORD": "hi"}
    assert shown["next_schedule"].endswith(":00:00Z")
    for words in (["--company", "acme-corp"], ["--company", "1"], ["--company_id", "1"], ["--company-id", "1"]):
        assert [row["id"] for row in cli.json("run-template:list", *words)] == [1]
    assert [row["id"] for row in cli.json("run-template:list", "--app_uuid", DEFINITION["uuid"])] == [1]
    assert cli.json("run-template:list", "--company_id", "2") == []
    assert "Hourly echo" in cli("run-template:list").out


def test_all_settings_of_a_run_template(cli: Cli, template: int) -> None:
    made = cli.json(
        "run-template:create", "--name", "All", "--app_id", DEFINITION["uuid"], "--company", "acme-corp",
        "--interv", "c", "--cron", "30 2 * * *", "--time_zone", "America/New_York", "--delay", "5", "--active", "false",
        "--deadline_offset", "+3h", "--max_attempts", "3", "--retry_backoff", "linear", "--retry_min_gap", "60",
        "--allow_late", "yes", "--note", "Call Jana", "--executor", "Native", "--config", "A=b=c",
        "--config", "B=", "-v",
    )  # fmt: skip
    expected = {
        "id": 2, "interv": "c", "cron": "30 2 * * *", "time_zone": "America/New_York", "delay": 5, "active": False,
        "deadline_offset": "+3h", "max_attempts": 3, "retry_backoff": "linear", "retry_min_gap": 60,
        "allow_late": True, "note": "Call Jana", "environment": {"A": "b=c", "B": ""}, "next_schedule": None,
    }  # fmt: skip
    assert {name: made[name] for name in expected} == expected
    assert cli.json("run-template:get", "2")["note"] == "Call Jana"


def test_control_characters_in_texts_of_users_do_not_reach_the_terminal(cli: Cli, template: int) -> None:
    words = ("--name", "N", "--app_id", "1", "--company_id", "1", "--note", "red \x1b[31mand\ntwo lines\u202e")
    number = cli.json("run-template:create", *words)["runtemplate_id"]
    shown = cli("run-template:get", str(number), "--fields", "note").out
    assert shown == "note: red \ufffd[31mand⏎two lines\ufffd\n"
    assert cli.json("run-template:get", str(number))["note"] == words[-1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--interv", "q"], 1, "interval"),
        (["--interv", "c"], 1, "cron"),
        (["--interv", "c", "--cron", "61 * * * *"], 1, "61"),
        (["--executor", "Nativ"], 1, "Native"),
        (["--time_zone", "Mars"], 1, "Mars"),
        (["--deadline_offset", "soon"], 1, "soon"),
        (["--retry_backoff", "wild"], 1, "wild"),
        (["--max_attempts", "0"], 2, "does not count"),
        (["--delay", "-1"], 2, "is no span of time"),
        (["--company", "nobody"], 1, "There is no company “nobody”"),
        (["--company_id", "9", "--company", "1"], 2, "different companies"),
        (["--app_uuid", "00000000-0000-4000-8000-000000000000"], 1, "There is no application"),
    ],
)
def test_bad_settings_of_a_run_template_are_refused(
    cli: Cli, template: int, words: list[str], code: int, said: str
) -> None:
    line = ["run-template:create", "--name", "Bad", *words]
    line += [] if any(word.startswith("--app") for word in words) else ["--app_id", "1"]
    line += [] if any(word.startswith("--company") for word in words) else ["--company_id", "1"]
    assert said in cli.json(*line, code=code)["message"]
    assert len(cli.json("run-template:list")) == 1


def test_a_wrong_cron_expression_is_repeated_in_the_answer(cli: Cli, template: int) -> None:
    line = "run-template:create --name X --app_id 1 --company_id 1 --interv c --cron nonsense"
    answer = cli.json(*line.split(), code=1)
    assert (answer["status"], answer["cron"]) == ("error", "nonsense")


def test_a_run_template_needs_company_and_application_that_are_there(cli: Cli, template: int) -> None:
    assert "Which company?" in cli("run-template:create", "--name", "A", "--app_id", "1").err
    assert "Which application?" in cli("run-template:create", "--name", "A", "--company_id", "1").err
    assert (
        "company 9"
        in cli.json(*["run-template:create", "--name", "A", "--app_id", "1", "--company_id", "9"], code=1)["message"]
    )
    assert (
        "application 9"
        in cli.json(*["run-template:create", "--name", "A", "--app_id", "9", "--company_id", "1"], code=1)["message"]
    )


def test_a_template_is_run_now(cli: Cli, template: int, jobs: Life) -> None:
    answer = cli.json("run-template:schedule", "1", "--env", "WORD=once", "--config", "X=1")
    assert answer.keys() == {"runtemplate_id", "scheduled", "executor", "job_id"}
    assert (answer["runtemplate_id"], answer["executor"], answer["job_id"]) == (1, "Native", 1)
    assert abs(datetime.fromisoformat(answer["scheduled"]) - datetime.now(UTC)) < timedelta(minutes=1)
    jobs.fold()
    shown = cli.json("job:get", "1")
    assert (shown["state"], shown["schedule_type"], shown["launched_by"]) == ("queued", "adhoc-cli", "system")
    assert shown["env"] == {"WORD": "once", "X": "1"}
    assert cli.json("run-template:get", "1")["environment"] == {"WORD": "hi"}


def test_a_moment_without_offset_is_in_the_time_zone_of_the_company(cli: Cli, template: int) -> None:
    answer = cli.json("run-template:schedule", "--id", "1", "--schedule_time", "2099-07-01 12:00")
    assert answer["scheduled"] == "2099-07-01T10:00:00Z"
    with_offset = cli.json("run-template:schedule", "--id", "1", "--schedule-time", "2099-07-01T12:00:00-05:00")
    assert with_offset["scheduled"] == "2099-07-01T17:00:00Z"


def test_a_job_is_created_and_cancelled(cli: Cli, template: int, jobs: Life) -> None:
    assert cli.json("job:create", "--runtemplate_id", "1", "--scheduled", "+2h") == {"job_id": 1}
    assert "is in the queue" in cli("job:create", "--runtemplate-id", "1").out
    assert cli.json("job:cancel", "1", "--reason", "too early") == {"cancelled": True, "job_id": 1}
    assert "only a queued job can be cancelled" in cli.json("job:cancel", "1", code=1)["message"]
    jobs.fold()
    shown = cli.json("job:get", "1")
    assert (shown["state"], shown["reason"], shown["schedule_type"]) == ("cancelled", "too early", "CommandLine")
    assert [row["id"] for row in cli.json("job:list", "--status", "pending")] == [2]


def test_what_is_not_there_is_told(cli: Cli, template: int) -> None:
    for line in ("run-template:get 9", "runtemplate:show --name nobody", "run-template:schedule 9", "job:get 9",
                 "job:create --runtemplate_id 9", "application:get 9"):  # fmt: skip
        assert cli.json(*line.split(), code=1)["status"] == "not found", line
    assert "no job 9" in cli.json("job:cancel", "9", code=1)["message"]
    cli("job:create", "--runtemplate_id", "1")
    assert "Does the projector run?" in cli.json("job:get", "1", code=1)["message"]


def test_jobs_are_listed_filtered_and_counted(cli: Cli, template: int, jobs: Life) -> None:
    for _ in range(4):
        cli("run-template:schedule", "1")
    jobs.start(1)
    jobs.finish(1)
    jobs.start(2)
    jobs.finish(2, 3, "failure")
    jobs.start(3)
    jobs.fold()

    def ids(*words: str) -> list[int]:
        return [row["id"] for row in cli.json("job:list", *words)]

    assert ids() == [1, 2, 3, 4]
    assert ids("--order", "D", "--limit", "2", "--offset", "1") == [3, 2]
    assert ids("--status", "success") == [1]
    assert ids("--status", "failed") == [2]
    assert ids("--status", "running") == [3]
    assert ids("--status", "pending") == ids("--status", "queued") == [4]
    assert ids("--runtemplate_id", "1", "--company_id", "1", "--limit", "1") == [1]
    assert ids("--company-id", "2") == []
    shown = cli.json("job:show", "2")
    assert (shown["exitcode"], shown["outcome"], shown["command"]) == (3, "failure", "/bin/echo 'hello world'")
    counts = cli.json("job:status")
    assert counts["states"] == {"success": 1, "failure": 1, "running": 1, "queued": 1}
    figures = ("successful_jobs", "failed_jobs", "incomplete_jobs", "total_jobs", "queue_length")
    assert [counts[name] for name in figures] == [1, 1, 2, 4, 1]
    head, *lines = cli("job:list").out.splitlines()
    assert head.split()[:4] == ["id", "company_slug", "runtemplate_name", "state"]
    assert len(lines) == 4
    template_row = cli.json("run-template:get", "1")
    assert (template_row["successfull_jobs_count"], template_row["failed_jobs_count"]) == (1, 1)


def test_the_same_key_runs_a_template_once(cli: Cli, template: int) -> None:
    line = ["run-template:schedule", "1", "--idempotency-key", "monthly"]
    assert cli.json(*line) == cli.json(*line)
    assert cli.json("status")["jobs"]["queued"] == 1
