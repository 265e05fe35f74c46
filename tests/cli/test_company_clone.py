"""A company set up like another one, without any of its secrets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import company_clone
from domain.errors import StateError
from tests.cli.conftest import Cli
from tests.testbed.credentials import BANK


@pytest.fixture
def pattern(cli: Cli, template: int, tmp_path: Path) -> int:
    """Return a company with a template, a credential with values, and an environment."""
    path = tmp_path / "bank.json"
    path.write_text(json.dumps(BANK))
    prototype = str(cli.json("credential-prototype:import-json", "--file", str(path))["credential_prototype_id"])
    cli.json("company:update", "1", "--env", "CITY=Brno", "--env", "SHOP_TOKEN=s3cret", "--time_zone", "Europe/Vienna",
             "--keep_output", "30", "--ic", "27082440")  # fmt: skip
    cli.json("credential-type:create", "--company_id", "1", "--class", prototype, "--name", "Our bank",
             "--field", "BANK_URL=https://bank.example/", "--field", "BANK_TOKEN=shared-secret")  # fmt: skip
    cli.json("credential:create", "--name", "Bank", "--company_id", "1", "--credential-type-id", "1",
             "--field", "BANK_TOKEN=own-secret", "--field", "BANK_ACCOUNT=123")  # fmt: skip
    cli.json("run-template:update", str(template), "--config", "API_KEY=s3cret", "--priority", "7")
    cli.json("run-template:assign-credential", "--id", str(template), "--credential_id", "1")
    return 1


def test_a_company_is_set_up_like_another_one_without_its_secrets(cli: Cli, pattern: int) -> None:
    made = cli.json("company:clone", str(pattern), "--name", "Twin", "--keep_history", "99")
    assert made["left_out"] == ["API_KEY", "SHOP_TOKEN"]
    twin = cli.json("company:get", str(made["company_id"]))
    assert (twin["slug"], twin["time_zone"], twin["keep_output"], twin["keep_history"], twin["ic"], twin["email"]) == (
        "twin", "Europe/Vienna", 30, 99, None, None,
    )  # fmt: skip
    assert twin["environment"] == {"CITY": "Brno"}
    (template,) = cli.json("run-template:list", "--company", "twin")
    assert (template["name"], template["interv"], template["priority"], template["active"]) == (
        "Hourly echo", "h", 7, False,
    )  # fmt: skip
    assert template["environment"] == {"WORD": "hi"}
    assert template["next_schedule"] is None
    (credential,) = cli.json("run-template:list-credentials", "--id", str(template["id"]))
    assert credential["id"] != 1
    shown = cli.json("credential:get", str(credential["id"]))
    assert shown["company_id"] == made["company_id"]
    assert (shown["values"]["BANK_URL"], shown["values"]["BANK_TOKEN"], shown["values"]["BANK_ACCOUNT"]) == (
        "https://bank.example/", "(not set)", "(not set)",
    )  # fmt: skip
    mine = cli.json("credential:get", "1")["values"]
    assert mine["BANK_ACCOUNT"] == "123", "the pattern is as it was"


def test_what_cannot_be_cloned_is_told(cli: Cli, pattern: int) -> None:
    assert "There is no company 99" in cli.json("company:clone", "99", "--name", "X", code=1)["message"]
    assert cli.json("company:clone", "1", "--name", "X", "--slug", "acme-corp", code=1)["field"] == "slug"
    assert len(cli.json("company:list")) == 1


def test_a_clone_that_is_cut_in_the_middle_leaves_nothing_and_can_be_made_again(
    cli: Cli, pattern: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> object:
        raise StateError("Cut in the middle.", code="cut")

    with monkeypatch.context() as broken:
        broken.setattr(company_clone, "_template", cut)
        assert cli.json("company:clone", str(pattern), "--name", "Twin", code=1)["message"] == "Cut in the middle."
    assert [one["id"] for one in cli.json("company:list")] == [pattern]
    assert [one["company_id"] for one in cli.json("credential:list")] == [pattern]
    again = cli.json("company:clone", str(pattern), "--name", "Twin")
    assert cli.json("company:get", str(again["company_id"]))["slug"] == "twin"
