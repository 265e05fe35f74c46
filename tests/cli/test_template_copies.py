"""Run templates copied, made for all applications of a company, changed many at once, and tried without a job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.cli.conftest import DEFINITION, Cli
from tests.testbed.credentials import prototype_text

TOKEN = "tok-5c1f-hunter2"


@pytest.fixture
def bank(cli: Cli, template: int, tmp_path: Path) -> int:
    """Return the id of a credential that template 1 has."""
    file = tmp_path / "bank.credprototype.json"
    file.write_text(prototype_text())
    cli.json("credential-prototype:import-json", "--file", str(file))
    cli.json("credential-type:create", "--company-id", "1", "--class", "examplebank", "--label", "Our bank")
    number = cli.json(
        "credential:create", "--name", "Account", "--credential-type-id", "1", "--field", f"BANK_TOKEN={TOKEN}",
        "--field", "BANK_URL=https://bank.example",
    )["credential_id"]  # fmt: skip
    cli.json("run-template:assign-credential", "--id", str(template), "--credential_id", str(number))
    return number


def another_application(cli: Cli, tmp_path: Path) -> int:
    file = tmp_path / "other.multiflexi.app.json"
    file.write_text(json.dumps({**DEFINITION, "uuid": "0d0f6f7e-3b9c-4a5e-9c52-8a1df1f0b777", "name": "Other"}))
    number = cli.json("application:import-json", "--file", str(file))["imported"]
    cli.json("company-app:assign", "--company_id", "1", "--app_id", str(number))
    return number


def test_a_copy_has_all_but_the_name_and_is_inactive(cli: Cli, template: int, bank: int) -> None:
    cli.json(
        "run-template:update", "1", "--interv", "d", "--config", "WORD=hi", "--config", "API_TOKEN=hunter2",
        "--labels", "bank", "--max_attempts", "3",
    )  # fmt: skip
    answer = cli.json("run-template:clone", "1", "--name", "Second")
    assert (answer["cloned_from"], answer["active"]) == (1, False)
    number = str(answer["runtemplate_id"])
    one, copy = cli.json("run-template:get", "1"), cli.json("run-template:get", number)
    same = ("company_id", "app_id", "interv", "labels", "max_attempts", "environment", "executor")
    assert {name: copy[name] for name in same} == {name: one[name] for name in same}
    assert (copy["name"], copy["active"], copy["next_schedule"]) == ("Second", False, None)
    assert copy["environment"]["API_TOKEN"] == "••••••••"
    assert [each["id"] for each in cli.json("run-template:list-credentials", number)] == [bank]
    with psycopg.connect(cli.database.superuser_url) as connection:
        text = connection.execute("SELECT string_agg(e::text, ' ') FROM multiflexi.events e").fetchone()
    assert text and "hunter2" not in text[0]
    assert "There is no run template 99" in cli.json("run-template:clone", "99", code=1)["message"]


def test_each_application_of_a_company_gets_a_template_once(cli: Cli, template: int, tmp_path: Path) -> None:
    other = another_application(cli, tmp_path)
    made = cli.json("run-template:populate", "--company_id", "1", "--interv", "d")
    [one] = made["created"]
    assert one["app_id"] == other
    found = cli.json("run-template:get", str(one["runtemplate_id"]))
    assert (found["name"], found["interv"], found["active"]) == ("Other", "d", False)
    assert cli.json("run-template:populate", "--company_id", "1")["created"] == []


def test_many_are_changed_at_once_or_none(cli: Cli, template: int, tmp_path: Path) -> None:
    another_application(cli, tmp_path)
    cli.json("run-template:populate", "--company_id", "1", "--active", "true")
    answer = cli.json("run-template:reconfigure", "--company_id", "1", "--interv", "w", "--config", "WORD=all")
    assert answer == {"updated": [1, 2], "chosen": 2}
    assert [one["interv"] for one in cli.json("run-template:list")] == ["w", "w"]
    assert all(one["environment"]["WORD"] == "all" for one in cli.json("run-template:list"))
    assert cli.json("run-template:reconfigure", "--id", "1", "--interv", "w")["updated"] == []
    refused = cli.json("run-template:reconfigure", "--id", "1", "--id", "99", "--interv", "d", code=1)
    assert "99" in refused["message"]
    assert cli.json("run-template:get", "1")["interv"] == "w", "none of them was changed"
    assert cli("run-template:reconfigure", "--interv", "d").code == 2


def test_the_reason_for_which_one_is_switched_off_is_kept(cli: Cli, template: int) -> None:
    cli.json("run-template:deactivate", "1", "--reason", "The bank is closed")
    with psycopg.connect(cli.database.superuser_url) as connection:
        query = "SELECT document->>'inactive_reason' FROM multiflexi.run_template"
        assert connection.execute(query).fetchone() == ("The bank is closed",)


def test_what_a_job_would_be_started_with_is_shown_masked(cli: Cli, template: int, bank: int) -> None:
    cli.json("company:update", "1", "--env", "CITY=Brno", "--env", "SHOP_TOKEN=hunter2-company")
    cli.json("run-template:update", "1", "--config", "API_TOKEN=hunter2-template", "--config", "CITY=Ostrava")
    answer = cli.json("run-template:dry-run", "1", "--env", "WORD=once")
    by_name: dict[str, Any] = {one["name"]: (one["value"], one["source"]) for one in answer["environment"]}
    assert by_name["CITY"] == ("Ostrava", "template")
    assert by_name["WORD"] == ("once", "job")
    assert by_name["SHOP_TOKEN"] == ("******", "company")
    assert by_name["API_TOKEN"] == ("******", "template")
    assert by_name["BANK_TOKEN"] == ("******", "credential")
    assert by_name["BANK_LIMIT"] == ("50", "prototype")
    assert by_name["MULTIFLEXI_COMPANY_ID"] == ("1", "multiflexi")
    assert answer["command"][0] == DEFINITION["executable"]
    assert "hunter2" not in json.dumps(answer)
    assert cli.json("job:list") == []
    text = cli("run-template:dry-run", "1").out
    assert "BANK_TOKEN" in text and "hunter2" not in text


def test_a_job_that_would_not_start_is_told(cli: Cli, template: int, bank: int) -> None:
    cli.json("credential:update", str(bank), "--unset", "BANK_TOKEN")
    told = cli.json("run-template:dry-run", "1", code=1)["message"]
    assert "would not start" in told and "requires BANK_TOKEN" in told
