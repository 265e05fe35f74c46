"""The answers in JSON have the members that users' scripts know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.catalogue import COMMANDS
from cli.command import option
from cli.group import load
from tests.cli.conftest import Cli
from tests.cli.life import Life
from tests.cli.owed import opened, this_hour

FOLDERS = [parent.parent / "shared" / "reference" for parent in Path(__file__).resolve().parents]
REFERENCE = next((folder for folder in FOLDERS if folder.is_dir()), None)

pytestmark = pytest.mark.skipif(REFERENCE is None, reason="the reference of the commands is not beside the project")


def reference(name: str) -> Any:
    assert REFERENCE is not None
    return json.loads((REFERENCE / name).read_text())


def shapes(command: str, *, good: bool) -> list[set[str]]:
    """Return the sets of members that a command may answer with."""
    answers = reference("cli-json-answers.json").get(command, [])
    bad = ("error", "not found", "warning", "failure")
    return [set(each["json"]) for each in answers if (each["json"].get("status") not in bad) == good]


def table(name: str) -> set[str]:
    """Return the fields of a table, but those that belong to parts that are still to come."""
    later = {"retention_until", "marked_for_deletion", "setup", "prepared", "success", "fail", "task_id"}
    return {column for column in reference("table-columns.json")[name] if column not in later}


def test_every_option_of_the_reference_is_taken() -> None:
    commands = reference("cli-commands.json")
    for name in COMMANDS.keys() & commands.keys():
        taken = {opt for parameter in load(name).params for opt in parameter.opts}
        for each in commands[name]["options"]:
            wanted = each["name"].lstrip("-")
            assert set(option(wanted).opts) <= taken, f"{name} --{wanted}"
            if each.get("short"):
                assert f"-{each['short'].lstrip('-')}" in taken, f"{name} -{each['short']}"


def test_answers_of_changes_have_the_members_of_the_reference(cli: Cli, template: int, definition: Path) -> None:
    path = str(definition)
    lines = [
        "company:create --name B", "company:update 1 --name C", "company:update 1 --name C", "company:remove 2",
        "run-template:create --name T --app_id 1 --company_id 1", "run-template:schedule 1",
        "job:create --runtemplate_id 1 --scheduled now", f"application:import-json --file {path}",
        f"application:validate-json --file {path}", "run-template:update 1 --name U", "run-template:update 1 --name U",
        "job:delete 1", "queue:truncate --force", "run-template:delete 1", "queue:overview",
    ]  # fmt: skip
    for line in lines:
        words = line.split()
        assert set(cli.json(*words)) in shapes(words[0], good=True), line


def test_refusals_have_the_members_of_the_reference(cli: Cli, template: int, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"name": 1}')
    lines = [
        "company:create --name Acme-Corp --slug acme-corp", "company:get 9", "application:get 9", "job:get 9",
        "run-template:create --name T --app_id 1 --company_id 1 --interv c --cron x", "run-template:update 9 --name X",
        "task:get 9",
        f"application:validate-json --file {wrong}", "application:validate-json --file /nonexistent",
    ]  # fmt: skip
    for line in lines:
        words = line.split()
        members = set(cli.json(*words, code=1)) - {"field"}
        assert members in shapes(words[0], good=False), (line, members)


def test_records_have_the_fields_of_the_reference(cli: Cli, template: int, jobs: Life) -> None:
    cli("run-template:schedule", "1")
    opened(jobs, 1, this_hour())
    jobs.fold()
    definition_alone = {"cmdparams", "deploy", "code", "resultfile", "artifacts", "deffile", "helmchart"}
    for line, name, but in (
        ("company", "company", set()),
        ("run-template", "runtemplate", set()),
        ("job", "job", set()),
        ("task", "task", set()),
        ("application", "apps", definition_alone),
    ):
        wanted = table(name) - but
        assert wanted <= set(cli.json(f"{line}:get", "1")), line
        assert wanted <= set(cli.json(f"{line}:list")[0]), line
