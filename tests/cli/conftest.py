"""What tests of the command line share: an installation, and the program run in this process or in one of its own.

================  =====================================================================================
``cli``           runs a command line in this process on a fresh database; answers a :class:`Run`
``jobs``          writes the life of jobs into that database, as an executor would
================  =====================================================================================
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from cli.main import main
from tests.cli.life import Life
from tests.testbed.postgres import Database
from tests.testbed.stores import MASTER_KEY

PROJECT = Path(__file__).resolve().parents[2]
DEFINITION = {
    "$schema": "https://example.com/application.json",
    "uuid": "775ed801-2489-4981-bc14-d8a01cba1938",
    "name": {"en": "Echo", "cs": "Ozvěna"},
    "description": {"en": "Says it again", "cs": "Řekne to znovu"},
    "version": "1.2.3",
    "executable": "/bin/echo",
    "tags": ["echo", "test"],
    "requirements": [],
    "environment": {"WORD": {"type": "string", "description": "What to say", "defval": "hello", "required": False}},
}


class Run:
    """What a command line answered: exit code, standard output and error."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code = code
        self.bytes = out
        self.out = out.decode(errors="replace")
        self.err = err.decode(errors="replace")

    @property
    def json(self) -> Any:
        """The answer, if it is JSON."""
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"Run({self.code}, {self.out!r}, {self.err!r})"


class Cli:
    """Runs command lines on a database."""

    def __init__(self, database: Database, read: Callable[[], Any], environment: dict[str, str]) -> None:
        self.database = database
        self.environment = environment
        self._read = read

    def __call__(self, *words: str) -> Run:
        """Run a command line in this process."""
        self._read()
        code = main(words)
        said = self._read()
        return Run(code, said.out, said.err)

    def json(self, *words: str, code: int = 0) -> Any:
        """Run a command line with ``--format json`` and return what it answers."""
        run = self(*words, "--format", "json")
        assert run.code == code, run
        return run.json

    def process(self, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        """Run a command line in a process of its own."""
        environment = {**os.environ, **self.environment, **options.pop("env", {})}
        return subprocess.run(
            self.command(*words), check=False, env=environment, cwd=PROJECT, capture_output=True, timeout=60, **options
        )

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command line in a process of its own."""
        return subprocess.Popen(
            self.command(*words),
            env={**os.environ, **self.environment},
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    @staticmethod
    def command(*words: str) -> list[str]:
        """Return what a process is started with."""
        return [sys.executable, "-m", "cli", *words]


@pytest.fixture
def cli(
    database: Database, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> Iterator[Cli]:
    """Return what runs command lines on a fresh database."""
    environment = {
        **database.variables,
        "ENCRYPTION_MASTER_KEY": MASTER_KEY,
        "MULTIFLEXI_DATA": str(tmp_path),
        "MULTIFLEXI_TRACEBACK": "1",
        "LANG": "en_GB.UTF-8",
    }
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield Cli(database, capfdbinary.readouterr, environment)
    # A command logs to the standard error of its time, which is closed when the test is over.
    structlog.reset_defaults()


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    """Return a file with an application definition."""
    path = tmp_path / "echo.multiflexi.app.json"
    path.write_text(json.dumps(DEFINITION))
    return path


@pytest.fixture
def template(cli: Cli, definition: Path) -> int:
    """Return the id of a run template of company 1 and application 1."""
    company = cli.json("company:create", "--name", "Acme Corp", "--email", "info@acme.example")["company_id"]
    application = cli.json("application:import-json", "--file", str(definition))["imported"]
    found: int = cli.json(
        "run-template:create", "--name", "Hourly echo", "--company_id", str(company), "--app_id", str(application),
        "--interv", "h", "--config", "WORD=hi",
    )["runtemplate_id"]  # fmt: skip
    return found


@pytest.fixture
def jobs(database: Database) -> Life:
    """Return what writes the life of jobs."""
    return Life(database)


def in_loop(work: Any) -> Any:
    """Run a coroutine to its end."""
    return asyncio.run(work)
