"""Many companies from one CSV file by one command: each job sees its own credential and nobody else's."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.testbed.credentials import BANK
from tests.testbed.engine import daemons_on
from tests.testbed.postgres import Database

CLIENTS = 50
PARTS = ("company", "credential_type", "credential", "run_template", "assignment")
DIGEST = 'printf "%s" "$BANK_TOKEN" | sha256sum; env | grep -c token-of-client; echo "$BANK_ACCOUNT"'


def token(number: int) -> str:
    return f"token-of-client-{number:02}-\U0001f511"


def sheet(folder: Path, *lines: str, name: str = "clients.csv") -> str:
    head = (
        "name,code,ic,dic,email,time_zone,application,template,interval,credential_type,credential.BANK_TOKEN,"
        "credential.BANK_ACCOUNT"
    )
    path = folder / name
    path.write_text("\n".join([head, *lines]) + "\n")
    return str(path)


def clients(count: int = CLIENTS) -> list[str]:
    return [
        f"Client {n:02},client-{n:02},,,office@client{n:02}.example,Europe/Prague,Statements,Daily import,d,"
        f"ExampleBank,{token(n)},CZ{n:02}"
        for n in range(1, count + 1)
    ]


@pytest.fixture
def catalogue(cli: Cli, tmp_path: Path) -> None:
    """Put the application and the credential prototype of the made-up bank into the catalogue."""
    program = {
        "name": "Statements", "description": "Prints a digest of its credential", "version": "1.0",
        "executable": "/bin/sh", "cmdparams": f"-c '{DIGEST}'", "environment": {},
    }  # fmt: skip
    for command, document in (("application", program), ("credential-prototype", BANK)):
        path = tmp_path / f"{command}.json"
        path.write_text(json.dumps(document))
        cli.json(f"{command}:import-json", "--file", str(path))


async def run_all(database: Database) -> dict[str, list[str]]:
    """Run each template by the real executor; return what its job wrote, by the code of the company."""
    async with daemons_on(database, "executor", "projector") as lab:
        rows = await lab.store.pool.fetch(
            "SELECT t.id, t.company_id, c.slug, d.next_due FROM run_template t JOIN company c ON c.id = t.company_id "
            "LEFT JOIN due d ON d.run_template_id = t.id ORDER BY t.id"
        )
        assert all(row["next_due"] for row in rows), "each is scheduled"
        jobs = [(row["slug"], await lab.schedule(row["id"], company=row["company_id"])) for row in rows]
        seen = dict[str, list[str]]()
        for slug, job in jobs:
            found = await lab.ended(job)
            assert (found["outcome"], found["reason"]) == ("success", None)
            seen[slug] = (await lab.output(job)).decode().split()
        return seen


@pytest.mark.usefixtures("catalogue")
def test_fifty_clients_from_one_file_and_each_job_sees_its_own_credential_alone(
    cli: Cli, database: Database, tmp_path: Path
) -> None:
    answer = cli.json("company:import", "--file", sheet(tmp_path, *clients()))
    assert answer["made"] == dict.fromkeys(PARTS, CLIENTS)
    for part in ("company_id", "credential_id", "runtemplate_id"):
        assert [line[part] for line in answer["lines"]] == [*range(1, CLIENTS + 1)], "ids follow the lines"
    seen = asyncio.run(run_all(database))
    for number in range(1, CLIENTS + 1):
        digest = hashlib.sha256(token(number).encode()).hexdigest()
        assert seen[f"client-{number:02}"] == [digest, "-", "1", f"CZ{number:02}"]
    assert len(seen) == CLIENTS


@pytest.mark.usefixtures("catalogue")
def test_importing_again_makes_what_is_missing_and_nothing_twice(cli: Cli, tmp_path: Path) -> None:
    cli.json("company:import", "--file", sheet(tmp_path, *clients(3)))
    again = cli.json("company:import", "--file", sheet(tmp_path, *clients(4)))
    assert again["unchanged"] == 3
    assert again["made"] == dict.fromkeys(PARTS, 1)
    assert [row["name"] for row in cli.json("run-template:list")] == ["Daily import"] * 4
    assert len(cli.json("credential:list")) == 4
    line = clients(1)[0].replace("Client 01", "Other name").replace("Europe/Prague", "Europe/Vienna")
    told = cli("company:import", "--file", sheet(tmp_path, line))
    assert "client-01 has another name, time_zone, which stays as it is" in told.err
    assert told.out == "Nothing was made: all that the line tells is there already.\n"
    assert cli.json("company:get", "1")["name"] == "Client 01"


@pytest.mark.usefixtures("catalogue")
def test_an_import_that_broke_off_before_the_credential_was_assigned_is_finished(cli: Cli, tmp_path: Path) -> None:
    cli.json("company:import", "--file", sheet(tmp_path, *clients(1)))
    cli.json("run-template:unassign-credential", "--id", "1", "--credential_id", "1")
    cli.json("run-template:update", "1", "--interv", "n")
    answer = cli.json("company:import", "--file", sheet(tmp_path, *clients(1)))
    assert (answer["made"], answer["lines"][0]["differs"]) == ({"assignment": 1}, [])
    template = cli.json("run-template:get", "1")
    assert (template["interv"], template["next_schedule"] is not None) == ("d", True)
    assert [row["id"] for row in cli.json("run-template:list-credentials", "--id", "1")] == [1]


@pytest.mark.usefixtures("catalogue")
def test_what_is_there_is_changed_where_the_sheet_says_otherwise_once_that_is_wished(cli: Cli, tmp_path: Path) -> None:
    cli.json("company:import", "--file", sheet(tmp_path, *clients(2)))
    one, two = clients(2)
    line = (
        one.replace("Client 01", "Other name").replace("Europe/Prague", "Europe/Vienna").replace(",d,", ",c,")
        .replace(token(1), "token-of-client-new").replace("office@", "new@")
    )  # fmt: skip
    path = tmp_path / "changed.csv"
    head = Path(sheet(tmp_path, line, two)).read_text().splitlines()
    path.write_text("\n".join([f"{head[0]},cron,keep_output", f"{head[1]},30 2 * * *,30", f"{head[2]},,"]) + "\n")
    dry = cli.json("company:import", "--file", str(path), "--update", "--dry-run")
    assert (dry["changed"], dry["unchanged"], dry["made"]) == (1, 1, {})
    changes = {one["column"]: (one.get("before"), one.get("after")) for one in dry["lines"][0]["changes"]}
    assert changes == {
        "name": ("Client 01", "Other name"),
        "email": ("office@client01.example", "new@client01.example"),
        "time_zone": ("Europe/Prague", "Europe/Vienna"),
        "keep_output": (None, "30"),
        "interval": ("d", "c"),
        "cron": (None, "30 2 * * *"),
        "credential.BANK_TOKEN": (None, None),
    }
    assert "token-of-client-new" not in str(dry)
    assert cli.json("company:get", "1")["name"] == "Client 01", "a dry run writes nothing"
    told = cli("company:import", "--file", str(path), "--update")
    assert told.out.startswith(
        "Changed: 1 line. Of 1 line of 2, all is there already.\nline 2, client-01: name: Client 01 →"
    )
    company, [template] = cli.json("company:get", "1"), cli.json("run-template:list", "--company_id", "1")
    assert (company["name"], company["time_zone"], company["keep_output"]) == ("Other name", "Europe/Vienna", 30)
    assert (template["interv"], template["cron"]) == ("c", "30 2 * * *")
    again = cli.json("company:import", "--file", str(path), "--update")
    assert (again["changed"], again["unchanged"]) == (0, 2), "imported again, it changes nothing"


@pytest.mark.usefixtures("catalogue")
def test_a_hyphen_takes_away_what_is_there_and_an_empty_cell_does_not(cli: Cli, tmp_path: Path) -> None:
    head = "name,email,keep_output,application,note,delay,env.MODE,company_env.SHOP"

    def imported(line: str, *options: str) -> Any:
        path = tmp_path / "sheet.csv"
        path.write_text(f"{head}\n{line}\n")
        return cli.json("company:import", "--file", str(path), *options)

    imported("Acme,office@acme.example,30,Statements,Calls at night,5,fast,CZ1")
    assert imported("Acme,,,Statements,,,,", "--update")["changed"] == 0
    told = imported("Acme,-,-,Statements,-,-,-,-", "--update")["lines"][0]["changes"]
    assert [one["column"] for one in told] == [
        "email", "keep_output", "company_env.SHOP", "delay", "note", "env.MODE",
    ]  # fmt: skip
    company, template = cli.json("company:get", "1"), cli.json("run-template:get", "1")
    assert (company["email"], company["keep_output"]) == (None, None)
    assert (template["note"], template["delay"]) == (None, 0)
    assert imported("Acme,-,-,Statements,-,-,-,-", "--update")["changed"] == 0, "there is nothing left"
    imported(r"Acme,,,Statements,\-,,,", "--update")
    assert cli.json("run-template:get", "1")["note"] == "-", "with a backslash, a hyphen is a value"


@pytest.mark.usefixtures("catalogue")
def test_a_dry_run_tells_what_would_be_made_and_writes_nothing(cli: Cli, tmp_path: Path) -> None:
    answer = cli.json("company:import", "--file", sheet(tmp_path, *clients(2)), "--dry-run")
    assert (answer["dry_run"], answer["made"]["run_template"]) == (True, 2)
    assert cli.json("company:list") == []


@pytest.mark.usefixtures("catalogue")
def test_problems_are_told_by_line_and_column_and_nothing_is_written(cli: Cli, tmp_path: Path) -> None:
    good, bank = clients(2)
    path = sheet(
        tmp_path,
        good,
        bank.replace("Statements", "Nonsense"),
        bank.replace("client-02", "client-03").replace("ExampleBank", "NoBank"),
        bank.replace(token(2), "").replace("client-02", "client-04"),
        bank.replace("client-02", "client-05").replace("Europe/Prague", "Europe/Prgue"),
    )
    answer = cli.json("company:import", "--file", path, code=1)
    assert [(problem["line"], problem["column"]) for problem in answer["problems"]] == [
        (3, "application"), (4, "credential_type"), (5, "credential.BANK_TOKEN"), (6, "time_zone"),
    ]  # fmt: skip
    assert "token-of-client" not in str(answer)
    text = cli("company:import", "--file", path)
    assert text.code == 1
    assert "  line 3, application: There is no application “Nonsense”." in text.err
    assert cli.json("company:list") == []


def test_a_file_of_another_encoding_is_told_and_can_be_named(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "clients.csv"
    path.write_bytes("name;code\nKůň;kun\n".encode("cp1250"))
    refused = cli("company:import", "--file", str(path))
    assert (refused.code, "line 2: it is not utf-8" in refused.err) == (2, True)
    assert cli.json("company:import", "--file", str(path), "--encoding", "cp1250")["made"] == {"company": 1}
    assert cli.json("company:get", "1")["name"] == "Kůň"
    assert "cannot be read: No such file" in cli("company:import", "--file", "/nonexistent").err
