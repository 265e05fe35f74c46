"""Run templates changed, switched on and off, and removed, against a real database."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import DEFINITION, Cli
from tests.cli.life import Life

ALL = (
    "--start_at", "2026-01-01 08:00", "--end_at", "2036-12-31T23:59:59Z", "--delay", "1m", "--jitter", "1h30m",
    "--missed_policy", "ALL", "--missed_limit", "5", "--overlap_policy", "allow", "--when_lost", "retry",
    "--priority", "-5", "--max_parallel", "3", "--labels", "gpu,prague", "--labels", "ssd", "--run_as", "nobody",
    "--limits", "memory=512M", "--limits", "wall_time=10m", "--limits", "output=1 GiB", "--limits", "open_files=256",
    "--limits", "cpu-time=90", "--deadline_offset", "08:00", "--max_attempts", "4", "--retry_backoff", "exponential",
    "--retry_min_gap", "2m", "--allow_late", "true",
)  # fmt: skip
STORED = {
    "start_at": "2026-01-01T07:00:00Z", "end_at": "2036-12-31T23:59:59Z", "delay": 60, "jitter": 5_400,
    "missed_policy": "all", "missed_limit": 5, "overlap_policy": "allow", "when_lost": "retry", "priority": -5,
    "max_parallel": 3, "labels": ["gpu", "prague", "ssd"], "run_as": "nobody",
    "limits": {"memory": 2**29, "wall_time": 600, "output": 2**30, "open_files": 256, "cpu_time": 90},
    "deadline_offset": "08:00", "max_attempts": 4, "retry_backoff": "exponential", "retry_min_gap": 120,
    "allow_late": True,
}  # fmt: skip


def shown(cli: Cli, number: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = cli.json("run-template:get", str(number))
    return {name: found[name] for name in STORED}


def test_every_field_of_the_engine_is_taken_on_create(cli: Cli, template: int) -> None:
    before = shown(cli)
    assert (before["missed_policy"], before["overlap_policy"], before["labels"], before["limits"]) == (
        "once", "queue", [], {},
    )  # fmt: skip
    line = ("run-template:create", "--name", "All", "--app_id", "1", "--company", "acme-corp", "--interv", "d")
    made = cli.json(*line, *ALL)["runtemplate_id"]
    assert shown(cli, made) == STORED
    assert shown(cli) == before


def test_every_field_is_changed_and_taken_away_again(cli: Cli, template: int) -> None:
    assert cli.json("run-template:update", "1", *ALL) == {"runtemplate_id": 1, "updated": True}
    assert shown(cli) == STORED
    assert cli.json("run-template:update", "1", *ALL) == {"runtemplate_id": 1, "updated": False}
    assert "is like that already" in cli("run-template:update", "1", "--delay", "60").out
    emptied = [f"--{name}=" for name in ("start_at", "end_at", "max_parallel", "run_as", "deadline_offset")]
    cli.json("run-template:update", "1", *emptied, "--labels", "", "--limits", "")
    gone = {"start_at": None, "end_at": None, "max_parallel": None, "run_as": None, "deadline_offset": None}
    assert shown(cli) == STORED | gone | {"labels": [], "limits": {}}


def test_only_what_is_given_changes(cli: Cli, template: int) -> None:
    cli.json("run-template:update", "1", "--name", "Renamed", "--config", "MORE=1", "--note", "Ask Jana")
    found = cli.json("run-template:get", "--name", "Renamed")
    assert (found["interv"], found["environment"]) == ("h", {"WORD": "hi", "MORE": "1"})
    cli.json("run-template:update", "1", "--unset", "WORD", "--config", "MORE=2")
    assert cli.json("run-template:get", "1")["environment"] == {"MORE": "2"}
    whole = cli.json("run-template:update", "1", "--note", "", "-v")
    assert (whole["note"], whole["name"]) == (None, "Renamed")


def test_a_moment_without_offset_is_in_the_time_zone_that_the_template_has_then(cli: Cli, template: int) -> None:
    cli.json("run-template:update", "1", "--start_at", "2030-01-01 12:00", "--time_zone", "America/New_York")
    assert shown(cli)["start_at"] == "2030-01-01T17:00:00Z"
    assert cli.json("run-template:get", "1")["next_schedule"] == "2030-01-01T17:00:00Z"


def test_company_and_application_stay(cli: Cli, template: int) -> None:
    cli("company:create", "--name", "Beta")
    answer = cli.json("run-template:update", "1", "--company_id", "2", "--name", "B", code=1)
    assert (answer["field"], "belongs to company 1" in answer["message"]) == ("company_id", True)
    assert cli.json("run-template:update", "1", "--app_uuid", DEFINITION["uuid"], "--name", "C")["updated"] is True
    assert "There is no application" in cli.json(
        "run-template:update", "1", "--app_uuid", "00000000-0000-4000-8000-000000000000", code=1
    )["message"]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--limits", "memory=much"], 2, "“much” is no value of the limit memory: expected bytes, or 64K, 512M, 2G"),
        (["--limits", "wall_time=512M"], 2, "expected seconds"),
        (["--limits", "open_files=1k"], 2, "a whole number"),
        (["--limits", "disk=1G"], 2, "there is no limit “disk”. There are: wall_time"),
        (["--limits", "memory"], 2, "is no value of the limit memory"),
        (["--limits", "memory=0"], 1, "must lie between 1"),
        (["--delay", "-1"], 2, "is no span of time"),
        (["--jitter", "2 weeks"], 2, "is no span of time"),
        (["--jitter", "60d"], 1, "jitter"),
        (["--max_parallel", "0"], 2, "does not count"),
        (["--priority", "high"], 2, "“high” is no whole number"),
        (["--priority", "5000"], 1, "between -1000 and 1000"),
        (["--missed_policy", "perhaps"], 1, "Choose one of skip, once, all"),
        (["--overlap_policy", "perhaps"], 1, "Choose one of allow, skip, queue, cancel"),
        (["--when_lost", "perhaps"], 1, "Choose one of fail, retry"),
        (["--labels", "two words"], 1, "is no label"),
        (["--run_as", "Big Boss"], 1, "is no name of a user"),
        (["--start_at", "2030-01-02", "--end_at", "2030-01-01"], 1, "before it begins"),
        (["--end_at", "soon"], 2, "is no moment"),
        (["--time_zone", "Mars", "--start_at", "2030-01-01"], 1, "Mars"),
        (["--config", "A B=1"], 2, "is no name of a variable"),
        ([], 2, "What is to change?"),
    ],
)
def test_wrong_fields_are_refused(cli: Cli, template: int, words: list[str], code: int, said: str) -> None:
    before = shown(cli)
    assert said in cli.json("run-template:update", "1", *words, code=code)["message"]
    assert shown(cli) == before


def test_a_wrong_cron_expression_is_repeated(cli: Cli, template: int) -> None:
    answer = cli.json("run-template:update", "1", "--interv", "c", "--cron", "0 25 * * *", code=1)
    assert (answer["field"], answer["cron"]) == ("cron", "0 25 * * *")


def test_the_same_key_changes_a_template_once(cli: Cli, template: int) -> None:
    line = ["run-template:update", "1", "--priority", "5", "--idempotency-key", "k"]
    first = cli.json(*line)
    cli.json("run-template:update", "1", "--priority", "6")
    assert cli.json(*line) == first
    assert shown(cli)["priority"] == 6


def test_a_template_is_deactivated_and_activated(cli: Cli, template: int) -> None:
    off = cli.json("run-template:deactivate", "1")
    assert off == {"runtemplate_id": 1, "active": False, "next_schedule": None}
    assert cli.json("run-template:get", "1")["next_schedule"] is None
    assert "was already inactive" in cli("run-template:deactivate", "1").out
    on = cli.json("run-template:activate", "--id", "1")
    assert on["active"] is True
    assert on["next_schedule"].endswith(":00:00Z")
    assert "was already active; it is due next at" in cli("run-template:activate", "1").out
    cli.json("run-template:update", "1", "--interv", "n")
    assert "nothing is due" in cli("run-template:activate", "1").out


def test_a_template_is_removed_and_its_waiting_jobs_are_cancelled(cli: Cli, template: int, jobs: Life) -> None:
    cli("run-template:schedule", "1", "--schedule_time", "+1h")
    cli("run-template:schedule", "1")
    jobs.start(2)
    line = ("run-template:delete", "1", "--idempotency-key", "k")
    assert cli.json(*line) == {"runtemplate_id": 1, "deleted": True}
    assert cli.json(*line) == {"runtemplate_id": 1, "deleted": True}
    jobs.fold()
    assert [row["state"] for row in cli.json("job:list")] == ["cancelled", "running"]
    assert cli.json("run-template:list") == []
    for line in ("delete 1", "update 1 --name A", "activate 1", "deactivate 9"):
        assert "no run template" in cli.json(*f"run-template:{line}".split(), code=1)["message"], line
