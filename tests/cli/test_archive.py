"""Months of the log moved into files and back, on the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eventstore.tree_heads import TreeHeadSigner
from tests.cli.conftest import Cli
from tests.cli.life import Life
from tests.eventstore.logs import month, superuser, write_history

NAME = f"events_job_{month(-1):%Y_%m}"


@pytest.fixture
def signed(cli: Cli, jobs: Life) -> str:
    """Return the public key that last month is signed with."""

    async def write() -> None:
        async with superuser(cli.database) as connection:
            await write_history(connection, months=1, jobs=3)

    asyncio.run(write())
    jobs.run(lambda store: TreeHeadSigner(store).sign())
    key: str = cli.json("audit:head")["public_key"]
    return key


def test_a_month_goes_to_a_file_and_comes_back(cli: Cli, signed: str, tmp_path: Path) -> None:
    events = cli.json("audit:verify")["events"]
    assert {(row["partition"], row["state"]) for row in cli.json("archive:list")} >= {(NAME, "sealed")}
    file = str(tmp_path / "month.archive")
    made = cli.json("archive:create", NAME, "--file", file)
    moved = made["events"]
    assert (made["partition"], made["file"]) == (NAME, file)
    assert 0 < moved < events
    assert cli.json("audit:verify") == {"ok": True, "events": events - moved, "first_bad": None}
    (row,) = [row for row in cli.json("archive:list") if row["partition"] == NAME]
    assert (row["state"], row["events"], row["root"]) == ("archived", moved, made["root"])
    assert cli.json("archive:verify", "--file", file, "--public-key", signed) == made
    assert cli.json("archive:verify", "--file", file, "--public-key", "00" * 32, code=1)["status"] == "error"
    assert "already" in cli.json("archive:create", NAME, "--file", file, code=1)["message"]
    assert cli("archive:attach", "--file", file).out == f"{NAME} with {moved} events is in the log again.\n"
    assert cli.json("audit:verify") == {"ok": True, "events": events, "first_bad": None}
    assert "in the log already" in cli.json("archive:attach", "--file", file, code=1)["message"]


def test_a_damaged_file_is_told(cli: Cli, signed: str, tmp_path: Path) -> None:
    file = tmp_path / "month.archive"
    cli("archive:create", NAME, "--file", str(file))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    for command in ("archive:verify", "archive:attach"):
        assert cli.json(command, "--file", str(file), code=1)["status"] == "error"


def test_output_alone_may_be_dropped(cli: Cli, signed: str) -> None:
    assert "Where to?" in cli.json("archive:create", NAME, code=2)["message"]
    assert "only archived into a file" in cli.json("archive:create", NAME, "--without-file", code=1)["message"]
    output = NAME.replace("job", "output")
    assert cli("archive:create", output, "--without-file").out.endswith("events was dropped.\n")
    assert cli.json("audit:verify")["ok"] is True


def test_a_month_that_is_not_sealed_is_refused(cli: Cli, signed: str, tmp_path: Path) -> None:
    name = f"events_job_{month(0):%Y_%m}"
    for wrong in (name, "events_configuration", "nonsense"):
        answer = cli.json("archive:create", wrong, "--file", str(tmp_path / "x"), code=1)
        assert answer["status"] == "error", wrong
