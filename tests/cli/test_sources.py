"""Settings whose values are not to stand on a command line, and what ``ps`` shows of those that do."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import PROJECT, Cli

SECRET = "correct-horse-battery"


def settings_of(cli: Cli) -> dict[str, str]:
    return cli.json("run-template:get", "1", "-v")["environment"]


def test_settings_come_from_files_and_variables_in_place_of_the_command_line(
    cli: Cli, template: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "word"
    file.write_text("from a file\n")
    monkeypatch.setenv("THE_CITY", "Ostrava")
    run = cli(
        "run-template:update", "1", "--config-from", f"WORD={file}", "--config-from", "CITY=env:THE_CITY",
        "--config", "COLOUR=blue",
    )  # fmt: skip
    assert (run.code, run.err) == (0, "")
    assert settings_of(cli) == {"WORD": "from a file", "CITY": "Ostrava", "COLOUR": "blue"}
    tried = cli.json("run-template:dry-run", "1", "--env_from", f"WORD={file}", "-e", "CITY=Brno")
    assert {one["name"]: one["value"] for one in tried["environment"]}["CITY"] == "Brno"
    assert cli.json("company:update", "1", "--env-from", "CITY=env:THE_CITY")["updated"] is True


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("WORD=/nonexistent/file",), "/nonexistent/file cannot be read: No such file or directory."),
        (("WORD=env:NOT_THERE",), "There is no variable NOT_THERE in the environment."),
        (("WORD",), "“WORD” has no “=”"),
        (("WORD=-", "--config-from", "CITY=-"), "Standard input can be read once only."),
    ],
)
def test_sources_that_cannot_be_read_are_told(
    cli: Cli, words: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        run = cli("run-template:update", "1", "--config-from", *words)
    assert run.code == 2
    assert told in run.err


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="it is Linux that shows command lines there")
def test_values_on_the_command_line_are_not_shown_by_ps(cli: Cli, template: int) -> None:
    words = ("--config", f"WORD={SECRET}", f"--config=CITY={SECRET}", "--config-from", "COLOUR=-")
    process = subprocess.Popen(
        cli.command("run-template:update", "1", *words), stdin=subprocess.PIPE, cwd=PROJECT,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    line = Path(f"/proc/{process.pid}/cmdline")
    until = time.monotonic() + 30
    # It is running as long as its standard input is open.
    while SECRET.encode() in (shown := line.read_bytes()) or not shown.endswith(b"COLOUR=-\0"):
        assert time.monotonic() < until and process.poll() is None, shown
        time.sleep(0.01)
    stars = b"*" * len(SECRET)
    assert b"\0WORD=" + stars + b"\0--config=CITY=" + stars + b"\0--config-from\0COLOUR=-\0" in shown
    _, said = process.communicate(b"blue\n", timeout=60)
    assert (process.returncode, said) == (0, b"")
    assert settings_of(cli) == {"WORD": SECRET, "CITY": SECRET, "COLOUR": "blue"}
