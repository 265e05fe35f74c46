"""Companies on the command line, against a real database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def test_a_company_is_created_listed_and_shown(cli: Cli) -> None:
    assert cli.json("company:create", "--name", "Acme Corp", "--ic", "27082440") == {"company_id": 1}
    assert cli("company:create", "--name", "Žluťoučký kůň", "--dic", "CZ699001237").out == "Company 2 was created.\n"
    assert [row["slug"] for row in cli.json("company:list")] == ["acme-corp", "zlutoucky-kun"]
    shown = cli.json("company:show", "1")
    assert shown == cli.json("company:get", "--id", "1") == cli.json("company", "get", "--slug", "acme-corp")
    assert shown == cli.json("company:get", "--ic", "27082440") == cli.json("company:get", "--name", "Acme Corp")
    assert (shown["name"], shown["ic"], shown["enabled"], shown["time_zone"]) == (
        "Acme Corp", "27082440", True, "Europe/Prague",
    )  # fmt: skip


def test_a_code_is_found_whatever_its_case(cli: Cli) -> None:
    cli("company:create", "--name", "Acme", "--slug", "Acme-Corp")
    for code in ("Acme-Corp", "acme-corp", "ACME-CORP"):
        assert cli.json("company:get", "--slug", code, "--fields", "id") == {"id": 1}
        assert cli.json("run-template:list", "--company", code) == []


def test_of_several_things_of_one_name_none_is_taken_for_the_one_that_is_meant(cli: Cli, definition: Path) -> None:
    cli("application:import-json", "--file", str(definition))
    for code in ("one", "two"):
        cli("company:create", "--name", "Twin", "--slug", code, "--ic", "27082440")
        cli("run-template:create", "--name", "Daily", "--company", code, "--app_id", "1")
    for found in (("company:get", "--name", "Twin"), ("company:get", "--ic", "27082440")):
        refused = cli.json(*found, code=1)
        assert refused["message"] == "There is more than one such company: 1, 2. Give its id: --id 1."
    assert "run template: 1, 2." in cli.json("run-template:get", "--name", "Daily", code=1)["message"]
    assert cli.json("company:get", "--name", "Twin", "--slug", "two", "--fields", "id") == {"id": 2}


def test_text_is_aligned_and_in_the_time_zone_of_the_company(cli: Cli) -> None:
    cli("company:create", "--name", "Long name of a company", "--time_zone", "Asia/Kathmandu")
    cli("company:create", "--name", "Kůň", "--time_zone", "Europe/Prague")
    head, first, second = cli("company:list", "--fields", "name,id,DatCreate").out.splitlines()
    column = head.index("id")
    assert (first[column], second[column]) == ("1", "2")
    assert first.endswith(" +0545")
    assert second.endswith((" CET", " CEST"))


def test_json_has_times_in_utc(cli: Cli) -> None:
    cli("company:create", "--name", "A")
    assert cli.json("company:get", "1")["DatCreate"].endswith("Z")


def test_the_mail_address_is_stored_encrypted_and_shown_in_clear(cli: Cli) -> None:
    cli("company:create", "--name", "A", "--email", "info@acme.example")
    assert cli.json("company:get", "1")["email"] == "info@acme.example"
    assert cli.json("company:list")[0]["email"] == "info@acme.example"
    assert "info@acme.example" in cli("company:show", "1").out
    assert cli("company:list", "--fields", "EMAIL").out.splitlines()[1] == "info@acme.example"


def test_an_erased_mail_address_is_told_as_such(cli: Cli) -> None:
    from tests.cli.life import Life

    cli("company:create", "--name", "A", "--email", "info@acme.example")
    Life(cli.database).run(lambda store: store.keyring.destroy("company:1"))
    assert cli.json("company:get", "1")["email"] is None
    assert "(erased)" in cli("company:get", "1").out


def test_fields_limit_offset_and_order(cli: Cli) -> None:
    for name in "ABC":
        cli("company:create", "--name", name)
    assert cli.json("company:list", "--fields", "id") == [{"id": 1}, {"id": 2}, {"id": 3}]
    assert cli.json("company:list", "--fields", "name,id", "--order", "D", "--limit", "1", "--offset", "1") == [
        {"name": "B", "id": 2}
    ]
    assert [row["name"] for row in cli.json("company:list", "--search", "c")] == ["C"]
    wrong = cli("company:list", "--fields", "id,nonsense")
    assert wrong.code == 2
    assert "There is no field “nonsense”. There are: id, name, slug" in wrong.err


def test_verbose_answers_the_whole_company(cli: Cli) -> None:
    made = cli.json("company:create", "--name", "A", "--email", "a@b.cz", "-v")
    assert (made["id"], made["name"], made["email"]) == (1, "A", "a@b.cz")
    changed = cli.json("company:update", "--id", "1", "--name", "B", "--verbose")
    assert (changed["id"], changed["name"]) == (1, "B")


@pytest.mark.parametrize(
    ("option", "value", "field", "said"),
    [
        ("--name", "  ", "name", "The name is missing"),
        ("--name", "a\nb", "name", "control character"),
        ("--name", "x" * 300, "name", "255"),
        ("--slug", "-a-", "slug", "has not the right form"),
        ("--email", "nobody", "email", "no e-mail address"),
        ("--time_zone", "Europe/Prgue", "time_zone", "Did you mean Europe/Prague?"),
        ("--ic", "1\x01", "ic", "control character"),
        ("--dic", "x" * 40, "dic", "32"),
        ("--zabbix_host", "a\tb", "zabbix_host", "control character"),
        ("--settings", '{"a b": "1"}', "settings", "no name of a setting"),
        ("--logo", "x" * 300_000, "logo", "longest"),
    ],
)
def test_bad_values_are_refused_with_the_option_at_fault(
    cli: Cli, option: str, value: str, field: str, said: str
) -> None:
    words = ["company:create", *([] if option == "--name" else ["--name", "A"]), option, value]
    answer = cli.json(*words, code=1)
    assert answer["status"] == "error"
    assert answer["field"] == field
    assert said in answer["message"] or said == "longest"
    told = cli(*words)
    assert (told.code, told.out) == (1, "")
    assert told.err.startswith("Error: ")
    assert cli.json("company:list") == []


def test_a_code_in_use_is_refused(cli: Cli) -> None:
    cli("company:create", "--name", "Acme Corp")
    answer = cli.json("company:create", "--name", "Acme  corp", code=1)
    assert answer["field"] == "slug"
    assert "in use" in answer["message"]


def test_a_wrong_check_digit_is_warned_of_and_taken(cli: Cli) -> None:
    run = cli("company:create", "--name", "A", "--ic", "12345678", "-f", "json")
    assert json.loads(run.out) == {"company_id": 1}
    assert "Warning: " in run.err


def test_the_same_key_creates_one_company(cli: Cli) -> None:
    words = ("company:create", "--name", "A", "--idempotency-key", "k-1")
    assert cli.json(*words) == cli.json(*words) == {"company_id": 1}
    assert len(cli.json("company:list")) == 1
    assert cli.json("company:create", "--name", "B", "--idempotency_key", "k-1", code=1)["field"] == "idempotency_key"


def test_a_company_that_is_not_there(cli: Cli) -> None:
    assert cli.json("company:get", "--id", "7", code=1)["status"] == "not found"
    assert "no company 7" in cli.json("company:update", "7", "--name", "B", code=1)["message"]
    assert cli("company:show", "7").err.startswith("Error: There is no such company.")


def test_a_company_is_changed_and_removed(cli: Cli) -> None:
    cli("company:create", "--name", "A", "--ic", "27082440")
    assert cli.json("company:update", "1", "--ic", "", "--enabled", "no") == {"updated": True, "company_id": 1}
    shown = cli.json("company:get", "1")
    assert (shown["ic"], shown["enabled"]) == (None, False)
    again = cli.json("company:update", "1", "--enabled", "false")
    assert (again["updated"], again["company_id"]) == (False, 1)
    assert cli.json("company:update", "1", "--enabled") == {"updated": True, "company_id": 1}
    assert cli.json("company:remove", "--id", "1") == {"company_id": 1, "removed": True}
    assert cli.json("company:list") == []


def test_variables_of_jobs_are_set_singly_and_secret_ones_are_masked(cli: Cli) -> None:
    cli("company:create", "--name", "A", "--env", "CITY=Ostrava", "-e", "BANK_TOKEN=hunter2")
    assert cli.json("company:get", "1")["environment"] == {"BANK_TOKEN": "••••••••", "CITY": "Ostrava"}
    changed = cli("company:update", "1", "--environment", "CITY=Brno", "--env", "SHOP=", "--unset-env", "BANK_TOKEN")
    assert changed.out == "Company 1 was changed.\n"
    shown = cli("company:get", "1")
    assert cli.json("company:get", "1", "--fields", "environment") == {"environment": {"CITY": "Brno", "SHOP": ""}}
    assert "hunter2" not in shown.out
    again = cli.json("company:update", "1", "--env", "CITY=Brno")
    assert again["updated"] is False


def test_a_variable_that_no_process_can_have_is_refused(cli: Cli) -> None:
    cli("company:create", "--name", "A")
    assert "“1A” is no name of a variable" in cli("company:update", "1", "--env", "1A=x").err
    assert cli("company:update", "1", "--env", "novalue").code == 2
    refused = cli.json("company:update", "1", "--env", f"BIG={'x' * 131_000}", code=1)
    assert "The value of BIG cannot be given to a process" in refused["message"]
