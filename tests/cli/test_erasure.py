"""The erasure of users on the command line: asked for, decided on, done, and told."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

WORDS = ("zebulon", "Quagmire", "zq@example.com")


@pytest.fixture
def users(cli: Cli) -> Cli:
    """User 1 may do everything, user 2 manages users, user 3 is to be erased, with a token."""
    cli.json("user:create", "--login", "root", "--role", "super_admin")
    cli.json("user:create", "--login", "boss", "--role", "admin")
    cli.json("user:create", "--login", "zebulon", "--lastname", "Quagmire", "--email", "zq@example.com")
    cli.json("token:generate", "--user", "3", "--name", "Quagmire's")
    return cli


def test_a_user_asks_to_be_erased_and_somebody_else_does_it(users: Cli, tmp_path: Path) -> None:
    made = users.json("user-erasure:create", "-t", "hard", "--reason", "I leave", "--as", "zebulon")
    assert made == {"request_id": 1, "status": "pending"}
    [listed] = users.json("user-erasure:list", "-s", "pending")
    assert (listed["user_id"], listed["login"], listed["reason"]) == (3, "zebulon", "I leave")
    assert (listed["deletion_type"], listed["requested_by_user_id"], listed["completed_date"]) == ("hard", 3, None)
    assert [one["id"] for one in users.json("user-erasure:list", "--as", "zebulon")] == [1]
    assert users("user-erasure:approve", "-r", "1", "--as", "zebulon").code == 1
    assert users("user-erasure:process", "-r", "1", "--as", "boss").code == 1  # nobody approved it
    assert users.json("user-erasure:approve", "-r", "1", "-f", "--notes", "Checked", "--as", "boss")["request_id"] == 1
    done = users.json("user-erasure:process", "-r", "1", "--as", "boss")
    assert done == {"request_id": 1, "user_id": 3, "status": "completed", "sessions": 0}
    assert users("user:get", "3").code == 1 and users("user-erasure:list", "--as", "zebulon").code == 1
    [listed] = users.json("user-erasure:list", "-s", "completed")
    assert (listed["login"], listed["review_notes"], listed["reviewed_by_user_id"]) == (None, "Checked", 2)
    assert listed["completed_date"] and "(erased)" in users("user-erasure:list").out
    for line in ("user:list", "token:list", "audit:list", "user-erasure:audit -r 1", "user-erasure:list"):
        told = users(*line.split(), "-F" if "erasure" in line else "-f", "json").out
        assert not [word for word in WORDS if word in told], line
    assert users("audit:verify").code == 0
    exported = tmp_path / "audit.json"
    assert users.json("user-erasure:audit", "-r", "1", "--export-audit", str(exported))["lines"] == 7
    trail = json.loads(exported.read_text())
    assert [one["action"] for one in trail] == [
        "requested", "approved", "started", "revoked", "removed", "destroyed", "completed",
    ]  # fmt: skip
    assert [one["performed_by"] for one in trail[:2]] == ["user:3", "user:2"] and trail[0]["reason"] == "I leave"
    assert exported.stat().st_mode & 0o077 == 0 and all(len(one["hash"]) == 64 for one in trail)
    assert users("user-erasure:audit", "-r", "1", "-e", str(exported)).code == 1  # it is there already
    sheet = tmp_path / "audit.csv"
    users("user-erasure:audit", "-r", "1", "--export-audit", str(sheet))
    assert [row["action"] for row in csv.DictReader(sheet.open())] == [one["action"] for one in trail]
    assert json.loads(users("user-erasure:audit", "-r", "1", "-e").out) == trail


def test_one_command_does_all_of_it(users: Cli) -> None:
    def do(*words: str) -> object:
        return users.json("user:data-erasure", *words)

    assert do("create", "--user-login", "zebulon", "--deletion-type", "soft", "--force") == {
        "request_id": 1, "status": "pending",
    }  # fmt: skip
    assert users("user:data-erasure", "reject", "-r", "1").code == 2  # without a reason
    assert do("reject", "-r", "1", "--reason", "Bookkeeping must be kept") == {"request_id": 1, "status": "rejected"}
    do("create", "-u", "3", "--reason", "By letter")
    do("approve", "-r", "2")
    do("process", "-r", "2")
    shown = users.json("user:get", "3")
    assert (shown["login"], shown["enabled"], shown["email"], shown["roles"]) == (None, False, None, ["user"])
    assert [one["id"] for one in users.json("user:data-erasure", "list", "--order", "A", "--fields", "id")] == [1, 2]
    assert do("cleanup") == {"cleaned": []}
    users.json("user:create", "--login", "zebulon", "--email", "zq@example.com")  # both are free again


WRONG = {
    "user-erasure:create": (2, "Which user?"),
    "user-erasure:create -u 99": (1, "no user 99"),
    "user-erasure:create -l nobody": (1, "no such user"),
    "user-erasure:create -u 3 -t gently": (2, "gently"),
    "user-erasure:approve": (2, "Which request?"),
    "user-erasure:approve -r 7": (1, "no request 7"),
    "user-erasure:process -r 7": (1, "no request 7"),
    "user-erasure:audit -r 7": (1, "no request 7"),
    "user:data-erasure burn": (2, "burn"),
}


def test_what_is_wrong_is_told(users: Cli) -> None:
    for line, (code, told) in WRONG.items():
        run = users(*line.split())
        assert run.code == code and told in run.err, (line, run)
