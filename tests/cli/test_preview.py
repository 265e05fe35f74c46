"""The next runs of a schedule on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Cli

NIGHTLY = ("--interv", "c", "--cron", "30 2 * * *", "--timezone", "Europe/Prague")


@pytest.fixture
def offline(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return the command line without a database."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@/nothing?host=/nonexistent")
    return cli


def preview(cli: Cli, *words: str) -> Any:
    return cli.json("run-template:preview", *words)


def test_a_run_in_the_skipped_hour_is_shown_where_it_happens(offline: Cli) -> None:
    runs = preview(offline, *NIGHTLY, "--from", "2026-03-28T00:00:00Z", "--count", "5")
    assert [run["due"] for run in runs] == [
        "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z",
        "2026-04-01T00:30:00Z",
    ]  # fmt: skip
    assert [run["moved"] for run in runs] == [False, True, False, False, False]
    assert runs[1] == {"due": "2026-03-29T01:00:00Z", "local": "2026-03-29T03:00:00+02:00", "moved": True}


def test_the_text_says_where_daylight_saving_time_moved_a_run(offline: Cli) -> None:
    head, first, second, third = offline(
        "run-template:preview", *NIGHTLY, "--from", "2026-03-28T00:00:00Z", "--count", "3"
    ).out.splitlines()
    assert head.split() == ["due", "local", "remark"]
    assert "2026-03-29 03:00:00 CEST  moved by daylight saving time: the clock goes from 02:00 to 03:00" in second
    assert "moved" not in first + third
    winter = offline("run-template:preview", *NIGHTLY, "--from", "2026-01-01", "--count", "3").out
    assert "remark" not in winter


def test_a_run_in_the_repeated_hour_happens_once_and_a_wildcard_hour_follows_elapsed_time(offline: Cli) -> None:
    nights = preview(offline, *NIGHTLY, "--from", "2026-10-24T12:00:00Z", "--count", "2")
    assert [run["due"] for run in nights] == ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    hours = preview(
        offline, "--interv", "h", "--timezone", "Europe/Prague", "--from", "2026-10-25T00:00:00Z", "--count", "3"
    )
    assert [run["local"][11:] for run in hours] == ["02:00:00+02:00", "02:00:00+01:00", "03:00:00+01:00"]


def test_the_first_moment_counts_and_one_without_offset_is_in_the_time_zone(offline: Cli) -> None:
    (run,) = preview(offline, *NIGHTLY, "--from", "2026-01-05 02:30", "--count", "1")
    assert run["local"] == "2026-01-05T02:30:00+01:00"
    (run,) = preview(offline, "--cron", "0 12 * * *", "--from", "2026-01-05 12:00:01", "--count", "1")
    assert run["due"] == "2026-01-06T12:00:00Z"


def test_start_and_end_bound_the_runs(offline: Cli) -> None:
    words = ("--start_at", "2026-01-07", "--end_at", "2026-01-09 02:30", "--from", "2026-01-01")
    assert [run["local"][:10] for run in preview(offline, *NIGHTLY, *words)] == [
        "2026-01-07", "2026-01-08", "2026-01-09",
    ]  # fmt: skip
    assert preview(offline, *NIGHTLY, "--from", "2026-02-01", "--end_at", "2026-01-31") == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--cron", "30 25 * * *"], 1, "wrong in its hour: 25 lies outside 0 to 23"),
        (["--cron", "0 0 31 2 *"], 1, "day of month"),
        (["--cron", "* * *"], 1, "it has 3 fields"),
        (["--interv", "c"], 1, "there is no cron expression"),
        (["--interv", "q"], 1, "The interval “q” does not exist"),
        (["--interv", "h", "--timezone", "Europe/Praha"], 1, "Did you mean Europe/Prague?"),
        (["--interv", "h", "--count", "1001"], 2, "At most 1000"),
        (["--interv", "h", "--from", "0001-01-01"], 2, "between the years 1970 and 9997"),
        (["--interv", "h", "--from", "soon"], 2, "is no moment"),
        ([], 2, "Which schedule?"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_told(offline: Cli, words: list[str], code: int, said: str) -> None:
    assert said in offline.json("run-template:preview", *words, code=code)["message"]


def test_an_error_names_the_field_of_the_cron_expression(offline: Cli) -> None:
    answer = offline.json("run-template:preview", "--cron", "0 2 * MAI *", code=1)
    assert (answer["field"], answer["part"], answer["cron"]) == ("cron", "month", "0 2 * MAI *")


def test_a_manual_schedule_is_never_due(offline: Cli) -> None:
    run = offline("run-template:preview", "--interv", "n")
    assert (run.code, run.out) == (0, "")
    assert "It is never due." in run.err
    assert preview(offline, "--interv", "manual") == []


def test_a_run_template_is_previewed_within_its_bounds_in_its_time_zone(cli: Cli, template: int) -> None:
    cli.json(
        "run-template:update", "1", "--interv", "c", "--cron", "30 2 * * *", "--time_zone", "America/New_York",
        "--start_at", "2026-03-07", "--end_at", "2026-03-09",
    )  # fmt: skip
    runs = preview(cli, "--id", "1", "--from", "2026-03-01")
    assert [(run["local"], run["moved"]) for run in runs] == [
        ("2026-03-07T02:30:00-05:00", False),
        ("2026-03-08T03:00:00-04:00", True),
    ]
    tried = preview(cli, "1", "--from", "2026-03-01", "--cron", "0 4 * * *", "--end_at", "", "--count", "3")
    assert [run["local"][:16] for run in tried] == ["2026-03-07T04:00", "2026-03-08T04:00", "2026-03-09T04:00"]
    assert cli.json("run-template:get", "1")["cron"] == "30 2 * * *"


def test_an_inactive_run_template_is_previewed_and_told_as_such(cli: Cli, template: int) -> None:
    cli("run-template:deactivate", "1")
    run = cli("run-template:preview", "1", "--count", "1")
    assert len(run.out.splitlines()) == 2
    assert "Run template 1 is inactive" in run.err
    assert cli.json("run-template:preview", "9", code=1)["status"] == "not found"
