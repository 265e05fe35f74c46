"""The simulated day on the command line."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from daemons.simulation.script import STATES, Script
from tests.cli.conftest import Cli

SMALL = ("demo:servers", "--servers", "3", "--hours", "4", "--seed", "5", "--day", "2026-03-01")


def test_the_report_tells_each_server_and_all_and_the_history_shows_the_day(cli: Cli) -> None:
    told = cli.json(*SMALL)
    script = Script(seed=5, servers=3, hours=4)
    truth = [[script.truth(server, hour) for hour in range(4)] for server in range(3)]
    for row, states in zip(told["servers"], truth, strict=True):
        assert {state: row[state] for state in STATES} == {state: states.count(state) for state in STATES}
    assert {state: told["total"][state] for state in STATES} == {
        state: sum(states.count(state) for states in truth) for state in STATES
    }
    assert (told["due"], told["day"], told["total"]["unfinished"]) == (12, "2026-03-01T00:00:00Z", 0)
    assert cli.json("queue:list") == []
    jobs = cli.json("job:list")
    assert len(jobs) >= told["total"]["attempts"] > 0
    assert all(job["begin"].startswith("2026-03-01") for job in jobs if job["begin"])
    assert cli.json("audit:verify")["ok"] is True


def test_a_table_is_shown_to_people(cli: Cli) -> None:
    shown = cli(*SMALL).out
    lines = shown.splitlines()
    assert lines[0].split() == ["name", *STATES, "attempts"]
    assert [line.split()[0] for line in lines[1:5]] == ["server-001", "server-002", "server-003", "all"]
    assert lines[-1].startswith("12 probes were due on 2026-03-01: ")


def test_it_refuses_where_it_would_mix_with_what_is_there(cli: Cli) -> None:
    cli("company:create", "--name", "Acme", "--slug", "servers")
    refused = cli.json(*SMALL, code=1)
    assert "This installation has 1 companies." in refused["message"]
    assert cli.json(*SMALL, "--force")["company_id"] == 2
    assert cli.json("company:get", "2")["slug"] == "servers-2"
    with psycopg.connect(cli.database.superuser_url) as connection:
        connection.execute(
            "INSERT INTO multiflexi.daemons (id, kind, host, pid, version) VALUES ('e', 'executor', 'h', 1, '1')"
        )
    assert "Daemons run here (executor)" in cli(*SMALL, "--force").err
    assert "At most 999 servers" in cli("demo:servers", "--servers", "1000").err


def test_a_data_folder_of_its_own_is_made_used_and_left_stopped(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("company:create", "--name", "Acme")
    folder = tmp_path / "simulated day"
    told = cli.json(*SMALL, "--data", str(folder))
    assert (told["company_id"], told["due"]) == (1, 12)
    assert (folder / "master.key").is_file()
    assert not (folder / "postgres" / "postmaster.pid").exists()
    again = cli.json(*SMALL, "--data", str(folder), code=1)
    assert "This installation has 1 companies." in again["message"]
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "ENCRYPTION_MASTER_KEY"):
        monkeypatch.setenv(name, cli.environment[name])
    assert [row["name"] for row in cli.json("company:list")] == ["Acme"]
