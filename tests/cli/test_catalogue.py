"""The catalogue on the command line: definitions go in and come out the same, and what they change is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import DEFINITION, Cli
from tests.domain.reference import FOLDER, files, needs_reference
from tests.testbed.postgres import Server

TIMES = {"DatCreate", "DatUpdate"}


def imported(cli: Cli, path: Path) -> tuple[dict[str, Any], str]:
    """Import a file; return the application as it stands then, but for its times, and its export."""
    number = cli.json("application:import-json", "--file", str(path))["imported"]
    state = cli.json("application:get", str(number))
    exported = cli("application:export-json", str(number), "--file", "-")
    assert exported.code == 0
    return {name: value for name, value in state.items() if name not in TIMES}, exported.out


@needs_reference
def test_every_definition_in_use_comes_back_from_another_database_as_it_was(
    cli: Cli, postgres: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first: dict[Path, tuple[dict[str, Any], str]] = {}
    for path in files("apps"):
        first[path] = state, exported = imported(cli, path)
        # As text, since that compares the order of members, too.
        assert json.dumps(json.loads(exported)) == json.dumps(json.loads(path.read_bytes())), path.name
        assert state["definition"] == json.loads(path.read_bytes())
    assert len(first) == 27
    other = postgres.fresh_database()
    try:
        monkeypatch.setenv("DATABASE_URL", other.app_url)
        monkeypatch.setenv("DATABASE_OWNER_URL", other.owner_url)
        for path, before in first.items():
            again = tmp_path / path.name
            again.write_text(before[1])
            assert imported(cli, again) == before, path.name
            run = cli("application:import-json", "--file", str(again))
            assert "nothing was changed" in run.out
    finally:
        postgres.drop(other)


@needs_reference
def test_every_wrong_definition_is_refused_with_line_and_reason_and_leaves_nothing(cli: Cli) -> None:
    for path in files("invalid"):
        refused = cli.json("application:import-json", "--file", str(path), code=1)
        assert refused["violations"]
        assert all("line " in one for one in refused["violations"]), refused
        told = cli.json("application:validate-json", "--file", str(path), code=1)["violations"]
        assert told == refused["violations"]
    assert cli.json("application:list") == []


@needs_reference
def test_a_folder_is_imported_with_a_summary_and_what_is_refused_keeps_nothing_out(cli: Cli, tmp_path: Path) -> None:
    for path in [*files("apps")[:3], FOLDER / "invalid" / files("invalid")[0].name]:
        (tmp_path / "below").mkdir(exist_ok=True)
        (tmp_path / "below" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "notes.json").write_text("{}")
    (tmp_path / "outside.app.json").symlink_to(files("apps")[4])
    dry = cli.json("application:import-json", "--file", str(tmp_path), "--dry-run", code=1)
    assert (dry["summary"], dry["dry_run"]) == ({"imported": 3, "updated": 0, "unchanged": 0, "refused": 1}, True)
    assert cli.json("application:list") == []
    done = cli.json("application:import-json", "--file", str(tmp_path), code=1)
    assert (done["status"], done["summary"]) == ("error", dry["summary"])
    assert [one["violations"] != [] for one in done["files"] if one["outcome"] == "refused"] == [True]
    again = cli.json("application:import-json", "--file", str(tmp_path), code=1)
    assert again["summary"] == {"imported": 0, "updated": 0, "unchanged": 3, "refused": 1}
    assert cli("application:import-json", "--file", str(tmp_path / "none")).code == 1


def test_the_applications_of_the_project_are_built_in(cli: Cli) -> None:
    done = cli.json("application:sync")
    assert {one["name"]: one["outcome"] for one in done["files"]} == {"MultiFlexi Host Probe": "imported"}
    assert cli.json("application:sync")["summary"]["unchanged"] == 1


def newer(tmp_path: Path, **changed: Any) -> Path:
    path = tmp_path / "newer.multiflexi.app.json"
    path.write_text(json.dumps({**DEFINITION, **changed}))
    return path


def test_an_update_tells_what_it_changes_for_the_templates_in_use(cli: Cli, template: int, tmp_path: Path) -> None:
    environment = {
        "WORD": {"type": "integer", "defval": 5},
        "LOUD": {"type": "bool", "required": True},
    }
    path = newer(tmp_path, version="2.0.0", environment=environment)
    dry = cli.json("application:import-json", "--file", str(path), "--dry-run")
    assert (dry["outcome"], cli.json("application:get", "1")["version"]) == ("updated", "1.2.3")
    changes = cli.json("application:import-json", "--file", str(path))["changes"]
    assert changes == dry["changes"]
    assert (changes["from"], changes["to"]) == ("1.2.3", "2.0.0")
    assert (changes["used_by"], changes["looked_at"]) == (1, 1)
    assert {one["name"]: one["change"] for one in changes["fields"]} == {"WORD": "changed", "LOUD": "added"}
    parts = {part["name"]: (part["before"], part["after"]) for part in changes["fields"][0]["parts"]}
    assert (parts["type"], parts["default"]) == (("string", "integer"), ("hello", "5"))
    [affected] = changes["run_templates"]
    assert (affected["id"], affected["name"]) == (template, "Hourly echo")
    assert {one["field"]: one["code"] for one in affected["effects"]} == {"WORD": "unfit", "LOUD": "missing"}
    assert "hi" not in {word for one in affected["effects"] for word in one["reason"].split()}
    versions = cli.json("application:versions", "1")
    assert [(one["version"], one["current"]) for one in versions] == [("2.0.0", True), ("1.2.3", False)]
    compared = cli.json("application:diff", "1")
    assert compared["fields"] == changes["fields"]
    assert cli.json("application:diff", "1", "--from", "2.0.0", "--to", "1.2.3")["to"] == "1.2.3"
    out = tmp_path / "old.json"
    assert cli.json("application:export-json", "1", "--appversion", "1.2.3", "--file", str(out))["exported"] is True
    # As text, since that compares the order of members, too.
    assert json.dumps(json.loads(out.read_text())) == json.dumps(DEFINITION)
    latest = cli("application:export-json", "1", "--file", "-").out
    assert json.dumps(json.loads(latest)) == json.dumps(json.loads(path.read_text()))
    assert cli("application:diff", "1", "--file", str(out)).out.count("\n") > 2
    assert cli("application:export-json", "1", "--appversion", "9", "--file", str(out)).code == 1


def test_a_version_that_goes_back_or_stays_is_warned_of(cli: Cli, tmp_path: Path) -> None:
    def told(version: str, description: str) -> str:
        path = newer(tmp_path, version=version, description=description)
        return "".join(cli("application:import-json", "--file", str(path), *dry).err for dry in (["--dry-run"], []))

    assert "/version" not in told("1.10.0", "First")
    assert told("1.10.0", "Other").count("version 1.10.0 was imported before with other content") == 2
    assert told("1.9.9", "Older").count("version 1.9.9 is older than 1.10.0, whose place it takes") == 2
    assert "is older than" not in told("1.9.9-beta", "Nobody can tell")
    newer(tmp_path, version="1.10.1")
    assert "warnings" not in cli("application:import-json", "--file", str(tmp_path)).err
    newer(tmp_path, version="1.10.2", nothing="known")
    assert (
        "1 updated. 1 of them with warnings, which --verbose shows."
        in cli("application:import-json", "--file", str(tmp_path)).err
    )


def test_an_application_is_made_and_changed_without_a_file(cli: Cli) -> None:
    made = cli.json(
        "application:create", "--name", "Small", "--executable", "true", "--tags", "a, b", "--appversion", "1.0"
    )
    assert made == {"application_id": 1}
    shown = cli.json("application:get", "1")
    assert (shown["tags"], shown["version"], shown["executable"]) == ("a,b", "1.0", "true")
    changed = cli.json("application:update", "1", "--tags", "", "--requirements", "Bank", "--appversion", "1.1")
    assert changed == {"updated": True, "application_id": 1}
    shown = cli.json("application:get", "1")
    assert (shown["tags"], shown["requirements"], shown["version"]) == (None, "Bank", "1.1")
    assert cli.json("application:update", "1", "--appversion", "1.1")["updated"] is False
    uuid = shown["uuid"]
    assert (
        "already"
        in cli.json("application:create", "--name", "X", "--executable", "x", "--uuid", uuid, code=1)["message"]
    )
    assert cli("application:create", "--name", "X").code == 2


def test_a_company_is_given_an_application_and_told_which_credentials_it_lacks(cli: Cli, tmp_path: Path) -> None:
    cli.json("company:create", "--name", "Acme")
    path = newer(tmp_path, requirements=["ExampleBank"])
    cli.json("application:import-json", "--file", str(path))
    pair = ("--company", "acme", "--app_uuid", DEFINITION["uuid"])
    assert cli.json("company-app:assign", *pair) == {"assigned": True, "company_id": 1, "app_id": 1}
    [row] = cli.json("companyapp:list", "--company_id", "1")
    assert (row["app_name"], row["requirements"], row["unmet"], row["run_templates"]) == (
        "Echo",
        "ExampleBank",
        "ExampleBank",
        0,
    )
    cli.json("run-template:create", "--name", "T", "--app_id", "1", "--company_id", "1")
    assert "1 run templates" in cli.json("company-app:unassign", *pair, code=1)["message"]
    assert cli.json("company-app:unassign", *pair, "--cascade")["unassigned"] is True
    assert cli.json("company-app:unassign", *pair)["unassigned"] is False
    assert cli.json("company-app:list") == []
    assert cli("company-app:assign", "--company_id", "1").code == 2
    assert cli("company-app:assign", "--company_id", "1", "--app_id", "99").code == 1
