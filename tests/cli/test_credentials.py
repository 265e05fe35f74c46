"""Credentials on the command line: the catalogue, values that are masked, assignments, reminders, keys."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import psycopg
import pytest

from commands.reencryption import renew_keys
from commands.shell import Shell
from tests.cli.conftest import Cli, in_loop
from tests.domain.reference import FOLDER, needs_reference
from tests.testbed.credentials import BANK, prototype_text
from tests.testbed.stores import open_store

TOKEN = "tok-5c1f-hunter2"


@pytest.fixture
def prototype(cli: Cli, tmp_path: Path) -> int:
    file = tmp_path / "bank.credprototype.json"
    file.write_text(prototype_text())
    answer = cli.json("credential-prototype:import-json", "--file", str(file))
    assert answer["status"] == "success"
    return answer["credential_prototype_id"]


@pytest.fixture
def bank(cli: Cli, template: int, prototype: int) -> int:
    """Return the id of a credential of company 1."""
    assert (template, prototype) == (1, 1)
    kind = cli.json(
        "credential-type:create", "--company-id", "1", "--class", "examplebank", "--label", "Our bank",
        "--BANK_URL=https://bank.example",
    )["credential_type_id"]  # fmt: skip
    return cli.json(
        "credential:create", "--name", "Account", "--company-id", "1", "--credential-type-id", str(kind),
        "--field", f"BANK_TOKEN={TOKEN}",
    )["credential_id"]  # fmt: skip


def events(cli: Cli, kind: str) -> list[dict[str, Any]]:
    with psycopg.connect(cli.database.superuser_url) as connection:
        query = "SELECT data FROM multiflexi.events WHERE type = %s ORDER BY position"
        return [row[0] for row in connection.execute(query, [kind])]


@needs_reference
def test_prototypes_in_use_are_imported_and_exported_to_the_same_document(cli: Cli, tmp_path: Path) -> None:
    # All of them, and elsewhere: tests/commands/test_definitions_of_all_kinds.py.
    files = sorted((FOLDER / "credential-prototypes").glob("*.json"))[::4]
    assert len(files) >= 3
    for file in files:
        number = cli.json("credential-prototype:import-json", "--file", str(file))["credential_prototype_id"]
        out = tmp_path / "out.json"
        exported = cli.json("credential-prototype:export-json", "--id", str(number), "--file", str(out))
        assert exported["file"] == str(out)
        # Text compares the order of members, too.
        assert json.dumps(json.loads(out.read_text())) == json.dumps(json.loads(file.read_text())), file.name
        before = len(events(cli, "CredentialPrototypeUpdated"))
        cli.json("credential-prototype:import-json", "--file", str(out))
        assert len(events(cli, "CredentialPrototypeUpdated")) == before, f"{file.name} is the same after its export"


def synced(cli: Cli, folder: Path) -> list[str]:
    done = cli.json("credential-prototype:sync", "--folder", str(folder))
    return [one["outcome"] for one in done["files"]]


def test_prototypes_of_a_folder_are_brought_up_to_date_and_one_that_is_refused_keeps_no_other_out(
    cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "broken.credprototype.json").write_text('{"uuid": "x",}')
    (tmp_path / "bank.credprototype.json").write_text(prototype_text())
    first = cli.json("credential-prototype:sync", "--folder", str(tmp_path), code=1)
    assert first["status"] == "error"
    assert {Path(one["file"]).name: one["outcome"] for one in first["files"]} == {
        "bank.credprototype.json": "imported",
        "broken.credprototype.json": "refused",
    }
    assert "line 1, column 14" in next(one["message"] for one in first["files"] if one["message"])
    (tmp_path / "broken.credprototype.json").unlink()
    assert [one["outcome"] for one in cli.json("credential-prototype:sync", "--folder", str(tmp_path))["files"]] == [
        "unchanged"
    ]
    (tmp_path / "bank.credprototype.json").write_text(prototype_text(version="1.1"))
    assert [one["outcome"] for one in cli.json("credential-prototype:sync", "--folder", str(tmp_path))["files"]] == [
        "updated"
    ]
    versions = cli.json("credential-prototype:get", "--code", "ExampleBank")["versions"]
    assert [one["version"] for one in versions] == ["1.0", "1.1"]


def test_built_in_prototypes_are_imported_without_a_word(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULTIFLEXI_PROTOTYPES", "/nonexistent")
    done = cli.json("credential-prototype:sync")["files"]
    assert {one["code"] for one in done} >= {"HttpApi", "PostgreSQL"}
    assert [one["warnings"] for one in done] == [[]] * len(done)


def test_a_prototype_that_is_none_is_refused_with_every_place(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "wrong.credprototype.json"
    fields = [
        {"keyword": "A=B", "type": "string"},
        {"keyword": "X", "type": "string"},
        {"keyword": "X", "type": "string"},
    ]
    file.write_text(prototype_text(code="a b", fields=fields))
    answer = cli.json("credential-prototype:import-json", "--file", str(file), code=1)
    assert answer["status"] == "error"
    places = [violation.partition(":")[0] for violation in answer["violations"]]
    assert places == ["/code", "/fields/0/keyword", "/fields/2/keyword"]
    assert (
        cli.json("credential-prototype:validate-json", "--file", str(file), code=1)["violations"]
        == answer["violations"]
    )
    assert cli.json("credential-prototype:list") == []


def test_what_leaves_the_format_is_warned_of_with_its_line(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "old.credprototype.json"
    document = {**BANK, "note": "x", "fields": [{"keyword": "LIMIT", "type": "number", "default": 5}]}
    file.write_text(json.dumps(document, indent=1))
    told = [
        "/note: line 20: the format does not know it",
        "/fields/0/type: line 16: the format calls it integer",
        "/fields/0/default: line 17: the format calls it default_value",
    ]
    for command in ("import-json", "validate-json"):
        run = cli(f"credential-prototype:{command}", "--file", str(file))
        assert run.code == 0
        assert [line for line in told if line not in run.err] == []
    (synced,) = cli.json("credential-prototype:sync", "--folder", str(tmp_path))["files"]
    assert [line for line in told if line not in "\n".join(synced["warnings"])] == []


def test_a_version_without_a_field_in_use_is_refused_with_where_it_is_used(cli: Cli, bank: int, tmp_path: Path) -> None:
    file = tmp_path / "bank.credprototype.json"
    file.write_text(prototype_text(version="2.0", fields=BANK["fields"][1:]))
    refused = cli.json("credential-prototype:import-json", "--file", str(file), code=1)
    assert "BANK_TOKEN (1 with a value)" in refused["message"]
    taken = cli("credential-prototype:import-json", "--file", str(file), "--drop-used")
    assert taken.code == 0
    assert "BANK_TOKEN is no longer given to jobs; 1 values of it stay stored" in taken.err
    assert "BANK_TOKEN" not in cli.json("credential:get", str(bank))["values"]


def test_values_are_checked_and_refused_without_being_told(cli: Cli, bank: int) -> None:
    for value, told in (
        ("BANK_LIMIT=many", "The value of BANK_LIMIT is not a whole number."),
        ("BANK_URL=nowhere", "The value of BANK_URL is not an address such as https://example.org/."),
        ("BANK_TOKN=x", "The credential has no field “BANK_TOKN”. Did you mean BANK_TOKEN?"),
    ):
        answer = cli.json("credential:update", str(bank), "--field", value, code=1)
        assert answer["message"] == told


def test_secrets_are_masked_whatever_their_length_and_revealed_on_the_record(cli: Cli, bank: int) -> None:
    shown = cli.json("credential:get", str(bank))["values"]
    assert shown == {
        "BANK_TOKEN": "••••••••",
        "BANK_ACCOUNT": "(not set)",
        "BANK_URL": "https://bank.example",
        "BANK_LIMIT": "50",
    }
    assert events(cli, "CredentialRevealed") == []
    assert "Give --yes" in cli.json("credential:get", str(bank), "--reveal", code=1)["message"]
    revealed = cli.json("credential:get", str(bank), "--reveal", "--yes", "--reason", "The bank asks for it")
    assert revealed["values"]["BANK_TOKEN"] == TOKEN
    (event,) = events(cli, "CredentialRevealed")
    assert event["fields"] == ["BANK_TOKEN", "BANK_URL"]
    assert (event["revealed_to"], event["reason"]) == ("system", "The bank asks for it")
    assert TOKEN not in str(event)


def test_what_is_write_only_is_never_revealed_and_stays_so(cli: Cli, bank: int) -> None:
    cli.json("credential:update", str(bank), "--write-only", "true")
    refused = cli.json("credential:get", str(bank), "--reveal", "--yes", code=1)
    assert "write-only" in refused["message"]
    assert TOKEN not in str(refused)
    assert "stays so" in cli.json("credential:update", str(bank), "--write-only", "false", code=1)["message"]
    assert events(cli, "CredentialRevealed") == []


def test_an_empty_value_stays_and_unset_takes_one_away(cli: Cli, bank: int) -> None:
    cli.json("credential:update", str(bank), "--field", "BANK_TOKEN=")
    assert cli.json("credential:get", str(bank))["values"]["BANK_TOKEN"] == "••••••••"
    cli.json("credential:update", str(bank), "--unset", "BANK_TOKEN")
    assert cli.json("credential:get", str(bank))["values"]["BANK_TOKEN"] == "(not set)"
    assert cli.json("credential:list")[0]["status"] == "incomplete"


def test_secrets_come_from_files_and_those_on_the_command_line_are_warned_of(
    cli: Cli, bank: int, tmp_path: Path
) -> None:
    secret, lines, document = tmp_path / "token", tmp_path / "lines.env", tmp_path / "values.json"
    secret.write_text("from-a-file\n")
    lines.write_text("BANK_TOKEN=from-lines\nBANK_ACCOUNT='123/0100'\n")
    document.write_text('{"BANK_TOKEN": "from-json", "BANK_LIMIT": 7}')
    for option, told in (
        (("--field-from", f"BANK_TOKEN={secret}"), "from-a-file"),
        (("--fields-file", str(lines)), "from-lines"),
        (("--fields-file", str(document)), "from-json"),
    ):
        run = cli("credential:update", str(bank), *option)
        assert (run.code, run.err) == (0, "")
        assert cli.json("credential:get", str(bank), "--reveal", "--yes")["values"]["BANK_TOKEN"] == told
    assert cli.json("credential:get", str(bank))["values"]["BANK_LIMIT"] == "7"
    cli.environment["OF_THE_BANK"] = "from-a-variable"
    run = cli.process("credential:update", str(bank), "--field-from", "BANK_TOKEN=env:OF_THE_BANK")
    assert (run.returncode, run.stderr) == (0, b"")
    assert cli.json("credential:get", str(bank), "--reveal", "--yes")["values"]["BANK_TOKEN"] == "from-a-variable"
    assert "may have seen it" in cli("credential:update", str(bank), "--field", "BANK_TOKEN=x-x-x").err


def test_assigning_takes_away_what_the_credential_hides_and_tells_it(cli: Cli, bank: int, template: int) -> None:
    cli.json("run-template:update", "1", "--config", "BANK_URL=https://old.example", "--config", "WORD=hi")
    run = cli("run-template:assign-credential", "--id", "1", "--credential_id", str(bank), "--format", "json")
    assert run.json == {
        "status": "ok", "runtemplate_id": 1, "credential_id": bank, "prototype": "ExampleBank", "removed": ["BANK_URL"],
    }  # fmt: skip
    assert "The run template's value BANK_URL is hidden by credential 1 “Account”." in run.err
    assert events(cli, "CredentialAssigned")[0]["removed"] == ["BANK_URL"]
    assert cli.json("run-template:get", "1")["environment"] == {"WORD": "hi"}
    hidden = cli("run-template:update", "1", "--config", "BANK_URL=https://new.example")
    assert "The run template's value BANK_URL is hidden by credential 1 “Account”." in hidden.err
    (listed,) = cli.json("run-template:list-credentials", "--id", "1")
    assert (listed["id"], listed["fields"], listed["hidden"]) == (bank, "BANK_TOKEN,BANK_URL", None)
    assert cli.json("run-template:unassign-credential", "--id", "1", "--credential_id", str(bank))["status"] == "ok"
    assert cli.json("run-template:list-credentials", "--id", "1") == []
    again = cli.json("run-template:unassign-credential", "--id", "1", "--credential_id", str(bank), code=1)
    assert "is not assigned" in again["message"]


def test_of_two_credentials_with_the_same_field_the_listing_tells_which_counts(cli: Cli, bank: int) -> None:
    other = cli.json(
        "credential:create", "--name", "Other", "--credential-type-id", "1", "--field", "BANK_TOKEN=other-token"
    )["credential_id"]
    cli.json("run-template:assign-credential", "--id", "1", "--credential_id", str(bank))
    run = cli("run-template:assign-credential", "--id", "1", "--credential_id", str(other))
    assert "The value of credential 1 “Account” for BANK_TOKEN is hidden by credential 2 “Other”." in run.err
    first, second = cli.json("run-template:list-credentials", "1")
    assert (first["fields"], first["hidden"]) == ("", "BANK_TOKEN,BANK_URL")
    assert (second["fields"], second["hidden"]) == ("BANK_TOKEN,BANK_URL", None)


def test_what_is_in_use_is_removed_only_after_it_was_told(cli: Cli, bank: int) -> None:
    cli.json("run-template:assign-credential", "--id", "1", "--credential_id", str(bank))
    told = cli.json("credential:remove", str(bank), code=1)["message"]
    assert told.startswith("Credential 1 is assigned to 1 run templates: 1.")
    assert "1 credentials are of credential type 1: 1." in cli.json("credential-type:delete", "1", code=1)["message"]
    assert "are made of credential prototype 1" in cli.json("credential-prototype:delete", "1", code=1)["message"]
    cli.json("credential:remove", str(bank), "--cascade")
    assert cli.json("run-template:list-credentials", "1") == []
    assert cli.json("credential-type:delete", "1")["deleted"] is True
    assert cli.json("credential-prototype:delete", "1")["deleted"] is True


def test_reminders_tell_what_expires_and_what_is_to_be_rotated(cli: Cli, bank: int) -> None:
    def status() -> str:
        return cli.json("credential:list")[0]["status"]

    assert status() == "ok"
    assert cli.json("credential:list", "--due") == []
    cli.json("credential:update", str(bank), "--expires-at", "+10d")
    assert status() == "expiring"
    assert cli.json("credential:list", "--due", "5") == []
    assert [one["id"] for one in cli.json("credential:list", "--due", "20")] == [bank]
    cli.json("credential:update", str(bank), "--expires-at", "2020-01-01T00:00:00Z")
    assert status() == "expired"
    cli.json("credential:update", str(bank), "--expires-at", "", "--rotate-every", "40")
    assert status() == "ok"
    assert [one["status"] for one in cli.json("credential:list", "--due", "41")] == ["rotate"]


def test_a_credential_of_one_company_cannot_be_used_by_another(cli: Cli, bank: int) -> None:
    other = cli.json("company:create", "--name", "Other Corp")["company_id"]
    template = cli.json(
        "run-template:create", "--name", "Other", "--company_id", str(other), "--app_id", "1"
    )["runtemplate_id"]  # fmt: skip
    refused = cli.json("run-template:assign-credential", "--id", str(template), "--credential_id", str(bank), code=1)
    assert "There is no credential 1 in the company" in refused["message"]
    wrong = cli.json(
        "credential:create", "--name", "x", "--company-id", str(other), "--credential-type-id", "1", code=1
    )
    assert "in this company" in wrong["message"]


def test_a_type_can_be_assigned_directly(cli: Cli, bank: int) -> None:
    first = cli.json("run-template:assign-credential", "--runtemplate", "1", "--credentialtype", "1")
    assert first["credential_id"] != bank, "the one that has a value of its own is somebody else's"
    cli.json("run-template:unassign-credential", "--runtemplate", "1", "--credentialtype", "1")
    again = cli.json("run-template:assign-credential", "--runtemplate", "1", "--credentialtype", "1")
    assert again["credential_id"] == first["credential_id"]


def test_keys_are_replaced_and_all_values_encrypted_anew(cli: Cli, bank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commands.reencryption.CACHED_FOR", 0)
    before = cli.json("encryption:status")["data"]
    assert (before["master_key"], before["values"], before["values_under_older_keys"]) == ("configured", 2, 0)
    done = cli.json("encryption:init", "--force")
    assert (done["companies"], done["reencrypted"]) == (1, 3), "credential, type, and the template's environment"
    after = cli.json("encryption:status")["data"]
    assert after["values_under_older_keys"] == 0
    assert [(key["version"], key["is_active"]) for key in after["keys"]] == [(1, False), (2, True)]
    assert cli.json("credential:get", str(bank), "--reveal", "--yes")["values"]["BANK_TOKEN"] == TOKEN
    assert cli.json("credential:encrypt-existing", "--dry-run")["outdated"] == 0


def test_an_older_key_is_destroyed_once_nothing_needs_it_and_not_before(
    cli: Cli, bank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.reencryption.CACHED_FOR", 0)  # no other process has a key at hand

    def keys() -> list[tuple[str, bool]]:
        with psycopg.connect(cli.database.superuser_url) as connection:
            # As if they had been replaced a while ago: whoever has one at hand may use it for a minute.
            connection.execute("UPDATE multiflexi.data_keys SET retired_at = retired_at - interval '2 minutes'")
            query = "SELECT owner, retired_at IS NULL FROM multiflexi.data_keys WHERE owner LIKE '%:1' ORDER BY id"
            return [tuple(row) for row in connection.execute(query)]

    def forget() -> int:
        return cli.json("encryption:init", "--forget-old")["forgotten"]

    def token() -> str:
        return cli.json("credential:get", str(bank), "--reveal", "--yes")["values"]["BANK_TOKEN"]

    async def replace() -> None:
        async with open_store(cli.database, inline=True) as store:
            await renew_keys(Shell(store), [1])

    in_loop(replace())  # and nothing encrypted anew: as if it had been interrupted then
    assert forget() == 0, "replaced just now"
    assert keys().count(("credentials:1", False)) == 1
    assert (forget(), token()) == (0, TOKEN), "values are still encrypted under it"
    assert cli.json("credential:encrypt-existing")["reencrypted"] == 3
    assert (forget(), token()) == (1, TOKEN)
    assert ("credentials:1", False) not in keys()
    assert cli.json("encryption:status")["data"]["values_without_key"] == 0
    assert cli.json("encryption:init", "--force", "--forget-old")["forgotten"] == 0
    assert (forget(), keys().count(("credentials:1", False)), token()) == (0, 1, TOKEN)
    assert (forget(), forget(), token()) == (1, 0, TOKEN)


def test_a_wrong_or_missing_master_key_is_told_and_nothing_is_overwritten(
    cli: Cli, bank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys() -> list[Any]:
        with psycopg.connect(cli.database.superuser_url) as connection:
            query = "SELECT id, owner, master_id, wrapped, retired_at FROM multiflexi.data_keys ORDER BY id"
            masters = "SELECT id, proof, retired_at FROM multiflexi.master_keys ORDER BY id"
            return [*connection.execute(query), *connection.execute(masters)]

    before = keys()
    for key, state in (("77" * 32, "wrong"), ("", "missing")):
        monkeypatch.setenv("ENCRYPTION_MASTER_KEY", key)
        answer = cli.json("encryption:status", code=1)
        assert (answer["success"], answer["data"]["master_key"]) == (False, state)
        for words in (
            ("encryption:init", "--force"),
            ("credential:update", str(bank), "--field", "BANK_TOKEN=new-token"),
            ("credential:get", str(bank), "--reveal", "--yes"),
        ):
            assert "ENCRYPTION_MASTER_KEY" in cli.json(*words, code=1)["message"]
    assert keys() == before
    monkeypatch.setenv("ENCRYPTION_MASTER_KEY", cli.environment["ENCRYPTION_MASTER_KEY"])
    assert cli.json("credential:get", str(bank), "--reveal", "--yes")["values"]["BANK_TOKEN"] == TOKEN


def test_a_credential_is_tried_and_what_it_came_to_is_put_down(cli: Cli, bank: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    cli.json("credential:update", str(bank), "--field", f"BANK_URL=http://127.0.0.1:{port}")
    answer = cli.json("credential:test", str(bank), code=1)
    assert (answer["outcome"], answer["kind"]) == ("unavailable", "http")
    assert answer["message"] == f"127.0.0.1:{port} refuses connections."
    assert cli.json("credential:list")[0]["status"] == "broken"
    [event] = events(cli, "CredentialChecked")
    assert (event["outcome"], event["credential_id"]) == ("unavailable", bank)
    assert TOKEN not in json.dumps(event)
    assert "There is no credential 99" in cli.json("credential:test", "99", code=1)["message"]
