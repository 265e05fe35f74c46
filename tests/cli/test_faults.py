"""What a user is told when something around the program is wrong: in words, never as a traceback."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.cli.conftest import PROJECT, Cli, Run
from tests.testbed.postgres import Server

EVERYWHERE = ("company:list", "status", "company:create --name A", "audit:verify", "job:watch 1", "projection:list",
              "projection:rebuild --all", "replay --until now", "database:migrate", "demo:create")  # fmt: skip


def test_a_database_that_is_down_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
        monkeypatch.setenv(name, "postgresql://nobody@/nothing?host=/nonexistent")
    for line in EVERYWHERE:
        answer = cli.json(*line.split(), code=1)
        assert answer["status"] == "error", line
        assert "Is PostgreSQL running" in answer["message"], (line, answer)
        told = cli(*line.split())
        assert (told.code, told.out) == (1, ""), line
        assert told.err.startswith("Error: "), line
        assert len(told.err.splitlines()) == 1, told.err


def test_no_database_at_all_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("DATABASE_OWNER_URL")
    for line in EVERYWHERE:
        assert "DATABASE_URL is not set" in cli.json(*line.split(), code=1)["message"], line


def test_a_database_without_schema_is_told(cli: Cli, postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = postgres.empty_database()
    monkeypatch.setenv("DATABASE_URL", empty.app_url)
    monkeypatch.setenv("DATABASE_OWNER_URL", empty.owner_url)
    for line in ("company:list", "status", "company:create --name A", "job:watch 1"):
        assert "database:migrate" in cli.json(*line.split(), code=1)["message"], line
    done = cli.json("database:migrate")["done"]
    assert "read model company" in done
    assert cli.json("company:list") == []


def test_a_wrong_master_key_is_told(cli: Cli, template: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCRYPTION_MASTER_KEY", "another")
    for line in ("company:list", "company:get 1", "company:create --name B", "audit:verify"):
        assert "master key" in cli.json(*line.split(), code=1)["message"].lower(), line
    assert cli.json("company:list", "--fields", "id,name") == [{"id": 1, "name": "Acme Corp"}]


def test_without_a_master_key_what_needs_none_still_works(
    cli: Cli, template: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENCRYPTION_MASTER_KEY")
    assert cli.json("status")["encryption"] == "broken (no master key)"
    assert cli.json("application:list")[0]["id"] == 1
    assert cli.json("job:list") == []
    assert cli.json("audit:verify")["ok"] is True
    assert "ENCRYPTION_MASTER_KEY" in cli.json("company:get", "1", code=1)["message"]
    (listed,) = cli.json("run-template:list")
    assert (listed["id"], listed["environment"], listed["note"]) == (template, None, None)
    # The values of templates are stored encrypted; who asks for them by name is told.
    told = cli.json("run-template:list", "--fields", "id,environment", code=1)["message"]
    assert "ENCRYPTION_MASTER_KEY" in told


def test_a_read_only_database_is_told(cli: Cli) -> None:
    with psycopg.connect(cli.database.superuser_url, autocommit=True) as connection:
        name = sql.Identifier(cli.database.name)
        connection.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
    assert "read-only" in cli.json("company:create", "--name", "A", code=1)["message"]
    assert cli.json("company:list") == []


def test_settings_come_from_a_file(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "multiflexi.env"
    path.write_text(f"# settings\nexport DATABASE_URL='{cli.database.app_url}'\n\n")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@/nothing?host=/nonexistent")
    assert cli.json("-e", str(path), "company:list") == []
    path.write_text("DATABASE_URL\n")
    assert f"{path}, line 1: expected KEY=VALUE." in cli.json("company:list", "-e", str(path), code=2)["message"]
    path.write_bytes(b"\xff\xfe")
    assert "cannot be read" in cli.json("company:list", "-e", str(path), code=2)["message"]


def test_a_fault_of_the_program_is_told_without_a_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MULTIFLEXI_TRACEBACK")
    monkeypatch.setattr("cli.commands.company.SHOWN", None)
    cli("company:create", "--name", "A")
    told = cli("company:list")
    assert told.code == 1
    assert "This is a fault of the program" in told.err
    assert "Traceback" not in told.err


def test_nobody_reading_the_answer_is_no_error(cli: Cli) -> None:
    for number in range(20):
        cli("company:create", "--name", f"Company {number}", "--settings", json.dumps({"k": "x" * 9_000}))
    process = subprocess.Popen(
        cli.command("company:list", "-f", "json"), env={**os.environ, **cli.environment}, cwd=PROJECT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.read(1) == b"["
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 141


def test_processes_answer_as_calls_do(cli: Cli) -> None:
    made = cli.process("company:create", "--name", "Kůň", "-f", "json")
    assert (made.returncode, json.loads(made.stdout), made.stderr) == (0, {"company_id": 1}, b"")
    missing = cli.process("company:get", "9")
    assert (missing.returncode, missing.stdout) == (1, b"")
    wrong = cli.process("company:list", "--nonsense")
    assert (wrong.returncode, wrong.stdout) == (2, b"")
    plain = cli.process("company:list", env={"PYTHONIOENCODING": "ascii"})
    assert plain.returncode == 0
    assert plain.stdout.isascii()


def on_terminal(cli: Cli, *words: str, **environment: str) -> Run:
    """Run a command line in a process that writes to a terminal 60 columns wide."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        cli.command(*words), env={**os.environ, **cli.environment, "COLUMNS": "60", "TERM": "xterm", **environment},
        cwd=PROJECT, stdout=theirs, stderr=theirs, stdin=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        out = b""
        try:
            while data := os.read(ours, 65536):
                out += data
        except OSError:  # the terminal is gone with the process
            pass
        os.close(ours)
    return Run(process.returncode, out.replace(b"\r\n", b"\n"), b"")


def test_a_terminal_is_shown_colours_within_its_width_unless_nobody_wants_them(cli: Cli, template: int) -> None:
    drawn = on_terminal(cli, "company:list")
    assert "\x1b[1m" in drawn.out
    for words, environment in ((["--no-ansi"], {}), ([], {"NO_COLOR": "1"})):
        bare = on_terminal(cli, "company:list", *words, **environment)
        assert "\x1b" not in bare.out
        assert max(len(line) for line in bare.out.splitlines()) <= 60
        assert "Acme" in bare.out
    assert "Acme Corp" in on_terminal(cli, "company:get", "1").out


def test_progress_is_shown_on_a_terminal_and_taken_away(cli: Cli, template: int) -> None:
    out = on_terminal(cli, "projection:rebuild", "company").out
    assert "Folding events: 4" in out
    assert out.rstrip().endswith("Rebuilt company from 4 events.")
