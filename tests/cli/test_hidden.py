"""What is of another company is not there for a user of the command line, and that they tried is put down."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from commands import denials
from tests.cli.conftest import Cli, Run

MISSING = "987"
"""Id of nothing."""


@pytest.fixture
def things(cli: Cli, definition: Path) -> dict[str, str]:
    """Company 1, whose admin is jane; company 2 with a run template, a job in the queue and a request for access."""
    for name in ("Acme", "Beta"):
        cli.json("company:create", "--name", name)
    for login in ("jane", "john"):
        cli.json("user:create", "--login", login)
    cli.json("user-company:assign", "--company_id", "1", "--login", "jane", "--role", "admin")
    application = str(cli.json("application:import-json", "--file", str(definition))["imported"])
    template = cli.json("run-template:create", "--name", "T", "--company_id", "2", "--app_id", application)
    number = str(template["runtemplate_id"])
    job = cli.json("run-template:schedule", "--id", number)["job_id"]
    asked = cli.json("access-request:create", "--company_id", "2", "--as", "john")["access_request_id"]
    return {"company": "2", "template": number, "job": str(job), "request": str(asked)}


def refusals(cli: Cli) -> list[dict[str, Any]]:
    with psycopg.connect(cli.database.superuser_url) as connection:
        rows = connection.execute("SELECT data FROM multiflexi.events WHERE type = 'AccessDenied' ORDER BY position")
        return [row[0] for row in rows.fetchall()]


def told(run: Run) -> tuple[int, str]:
    return run.code, re.sub(r"\d+", "N", run.out + run.err).replace("beta", "nobody")


LINES: dict[str, str | None] = {
    "company:get {company}": "company:get",
    "company:get --slug beta": None,
    "company:update {company} --name Mine": "ChangeCompany",
    "run-template:get {template}": "run-template:get",
    "run-template:list --company_id {company}": "run-template:list",
    "run-template:list --company beta": "run-template:list",
    "run-template:update {template} --name Mine": "run-template:update",
    "run-template:schedule {template}": "run-template:schedule",
    "run-template:create --name Mine --company_id {company} --app_id 1": "CreateRunTemplate",
    "job:get {job}": "job:get",
    "job:cancel {job}": "CancelJob",
    "job:list --runtemplate_id {template}": "job:list",
    "access-request:approve {request}": "ApproveRequest",
}
"""Command lines that name something of company 2, and as what each is put down."""


def test_what_is_of_another_company_is_answered_like_what_is_not_there_and_put_down(
    cli: Cli, things: dict[str, str]
) -> None:
    for line, wish in LINES.items():
        missing = cli(*line.format(**dict.fromkeys(things, MISSING)).replace("beta", "nobody").split(), "--as", "jane")
        already = refusals(cli)
        hidden = cli(*line.format(**things).split(), "--as", "jane")
        assert told(hidden) == told(missing), line
        left = [(one["user_id"], one["wish"], one["company_id"]) for one in refusals(cli)[len(already) :]]
        assert left == ([] if wish is None else [(1, wish, 2)]), line
    # Who names a company is refused whether there is one or not.
    assert {one["wish"] for one in refusals(cli) if one["company_id"] == int(MISSING)} == {
        "ChangeCompany", "CreateRunTemplate",
    }  # fmt: skip


def test_refusals_are_put_down_so_many_times_and_the_last_says_so(
    cli: Cli, things: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(denials.MOST, "hidden", 2)
    monkeypatch.setitem(denials.MOST, "any", 4)
    for _ in range(4):
        assert cli("job:get", things["job"], "--as", "jane").code == 1
    assert [one["last"] for one in refusals(cli)] == [False, True]
    for _ in range(3):
        assert cli("user:list", "--as", "jane").code == 1  # more than those of what is hidden were counted
    assert len(refusals(cli)) == 2
    with psycopg.connect(cli.database.superuser_url, autocommit=True) as connection:
        connection.execute("UPDATE multiflexi.refusal_count SET since = since - interval '61 minutes'")
    assert cli("user:list", "--as", "jane").code == 1
    assert [(one["wish"], one["last"]) for one in refusals(cli)[2:]] == [("user:list", False)]


def test_what_a_user_sees_and_what_the_owner_of_the_machine_does_is_no_refusal(
    cli: Cli, things: dict[str, str]
) -> None:
    for line in ("company:get 1", "run-template:list --company_id 1", f"job:get {MISSING}"):
        cli(*line.split(), "--as", "jane")
    assert cli("run-template:get", things["template"]).code == 0
    assert json.dumps(refusals(cli)) == "[]"
