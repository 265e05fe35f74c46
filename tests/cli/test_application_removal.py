"""Applications taken out of the catalogue, and their settings listed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import DEFINITION, Cli


def test_an_application_in_use_goes_only_with_its_run_templates(cli: Cli, template: int) -> None:
    refused = cli.json("application:delete", "1", code=1)
    assert "1 run templates use application 1." in refused["message"]
    assert cli.json("application:delete", "--id", "1", "--cascade") == {"deleted": True, "application_id": 1}
    assert (cli.json("application:list"), cli.json("run-template:list")) == ([], [])
    assert cli.json("application:delete", "1", code=1)["message"].startswith("There is no application 1.")


def test_an_application_goes_by_its_definition(cli: Cli, definition: Path, tmp_path: Path) -> None:
    cli("application:import-json", "--file", str(definition))
    other = tmp_path / "other.json"
    other.write_text(json.dumps(DEFINITION | {"uuid": "00000000-0000-4000-8000-000000000001"}))
    assert cli.json("application:remove-json", "--file", str(other), code=1)["status"] == "not found"
    assert cli.json("application:remove-json", "--file", str(definition)) == {"removed": 1}
    assert cli.json("application:list") == []
    other.write_text("{}")
    assert cli.json("application:remove-json", "--file", str(other), code=1)["status"] == "error"


def test_its_settings_are_listed_as_the_definition_has_them(cli: Cli, template: int) -> None:
    (setting,) = cli.json("application:show-config", "1")
    assert setting == {
        "name": "WORD",
        "type": "string",
        "required": False,
        "default": "hello",
        "secret": False,
        "category": "Other",
        "description": "What to say",
    }
    assert cli.json("application:show-config", "--uuid", DEFINITION["uuid"], "--fields", "name") == [{"name": "WORD"}]
    assert "Which application?" in cli("application:show-config").err
    assert cli.json("application:show-config", "9", code=1)["status"] == "not found"
