"""Users, roles and access to companies on the command line, and commands that act as a user."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest

from cli import identity
from cli.catalogue import COMMANDS
from cli.permissions import OF_COMMAND
from domain.permissions import ENGINE, EVERYTHING
from tests.cli.conftest import Cli
from web.auth import notices
from web.mail import MailSettings

PASSWORD = "correct horse battery staple"


@pytest.fixture
def users(cli: Cli) -> Cli:
    """Companies 1 and 2; users 1 (admin of company 1), 2 (viewer of company 2) and 3 (system role admin)."""
    for name in ("Acme", "Beta"):
        cli.json("company:create", "--name", name)
    for login in ("jane", "john"):
        cli.json("user:create", "--login", login, "--email", f"{login}@example.org")
    cli.json("user:create", "--login", "anna", "--role", "admin")
    cli.json("user-company:assign", "--company_id", "1", "--login", "jane", "--role", "admin")
    cli.json("user-company:assign", "--company_id", "2", "--email", "john@example.org")
    return cli


def test_every_command_has_a_permission_that_exists() -> None:
    assert COMMANDS.keys() - OF_COMMAND.keys() == set(), "cli/permissions.py lacks them"
    assert set(OF_COMMAND.values()) <= {*EVERYTHING, ENGINE, ""}


def test_a_user_is_made_shown_changed_and_removed(cli: Cli) -> None:
    made = cli.json(
        "user:create", "--login", "Jane", "--firstname", "Jane", "--lastname", "Doe", "--plaintext", PASSWORD
    )
    assert made == {"user_id": 1}
    shown = cli.json("user:get", "--login", "JANE")
    assert (shown["id"], shown["login"], shown["firstname"], shown["roles"]) == (1, "Jane", "Jane", ["user"])
    assert PASSWORD not in json.dumps(shown) and "argon2" not in json.dumps(shown)
    assert cli.json("user:update", "--id", "1", "--email", "jane@example.org", "--enabled", "false")["updated"] is True
    assert cli.json("user:update", "--id", "1", "--email", "jane@example.org")["updated"] is False
    [listed] = cli.json("user:list")
    assert (listed["email"], listed["enabled"]) == ("jane@example.org", False)
    assert cli.json("user:get", "--email", "jane@example.org")["id"] == 1
    assert cli.json("user:delete", "--id", "1")["status"] == "success"
    assert cli.json("user:get", "1", code=1)["status"] == "not found"


@pytest.mark.parametrize("password", ["short", "password12345", "jane.doe.1234", "aaaaaaaaaaaaaaaaaa"])
def test_a_weak_password_is_refused_with_the_reason(cli: Cli, password: str) -> None:
    answer = cli.json("user:create", "--login", "jane.doe", "--plaintext", password, code=1)
    assert answer["field"] == "password" and "password" in answer["message"]
    assert cli.json("user:list") == []


def test_roles_are_set_added_and_taken_away(cli: Cli) -> None:
    cli.json("user:create", "--login", "jane")
    assert cli.json("user-role:set", "--login", "jane", "--roles", "editor,viewer")["roles"] == ["editor", "viewer"]
    added = cli.json("user-role:set", "--user_id", "1", "--roles", "admin", "--replace", "false", "--until", "+8h")
    assert added["roles"] == ["admin", "editor", "viewer"]
    ends = {row["role"]: row["until"] for row in cli.json("user-role:list", "--user_id", "1")}
    assert ends["admin"] and not ends["editor"]
    assert cli("user-role:set", "--user_id", "1", "--roles", "king").code == 1


def test_roles_that_are_refused_leave_those_there_were(cli: Cli) -> None:
    cli.json("user:create", "--login", "jane")
    cli.json("user-role:set", "--login", "jane", "--roles", "super_admin,editor")
    for roles in ("viewer", "viewer,king", "king,viewer"):
        assert cli("user-role:set", "--login", "jane", "--roles", roles).code == 1
        assert [row["role"] for row in cli.json("user-role:list", "--user_id", "1")] == ["editor", "super_admin"]


def test_who_acts_as_a_user_sees_and_changes_their_companies_alone(users: Cli) -> None:
    assert [one["id"] for one in users.json("company:list", "--as", "jane")] == [1]
    assert [one["id"] for one in users.json("company:list", "--as", "john")] == [2]
    assert users.json("company:get", "2", "--as", "jane", code=1)["status"] == "not found"
    assert users("company:update", "1", "--name", "Ours", "--as", "jane").code == 0
    for line in (
        "company:update 2 --name Mine", "company:remove 1", "user:list", "user:create --login x", "database:migrate",
        "user-company:assign --company_id 2 --login jane", "projection:list", "queue:fix",
    ):  # fmt: skip
        run = users(*line.split(), "--as", "jane")
        assert run.code == 1 and ("does not" in run.err), (line, run)
    assert users("company:update", "2", "--name", "Mine", "--as", "john").code == 1
    members = users.json("user-company:list", "--as", "jane")
    assert [(one["login"], one["role"]) for one in members] == [("jane", "admin")]


def test_nobody_acts_as_a_user_who_is_unknown_disabled_or_gone(users: Cli) -> None:
    assert users("company:list", "--as", "nobody").code == 1
    users("user:update", "--login", "jane", "--enabled", "false")
    assert users("company:list", "--as", "jane").code == 1
    users("user:delete", "--login", "john")
    assert users("company:list", "--as", "john").code == 1


def test_access_that_is_taken_away_is_gone_at_once(users: Cli) -> None:
    users.json("user-company:unassign", "--company_id", "1", "--user_id", "1")
    assert users("company:list", "--as", "jane").code == 1
    assert users("user-company:unassign", "--company_id", "1", "--user_id", "1").code == 1


def test_the_first_administrator_is_made_once_and_may_do_everything(cli: Cli) -> None:
    made = cli.json("user:first")
    assert (made["user_id"], made["login"], len(made["password"])) == (1, "admin", 20)
    assert cli.json("user:first") == {"user_id": None}
    assert cli.json("user-role:list", "--user_id", "1")[0]["role"] == "super_admin"
    cli.json("company:create", "--name", "Acme", "--as", "admin")
    cli.json("user:create", "--login", "root", "--role", "super_admin")
    cli.json("user:delete", "--login", "admin")
    assert cli.json("user:first") == {"user_id": None}


def test_a_token_acts_for_its_user_within_its_scope_until_it_is_revoked(
    users: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = users.json("token:generate", "--user", "1")
    narrow = users.json("token:create", "--user", "1", "--permission", "company.view", "--name", "Watcher")
    assert whole["token"].startswith("mfx_") and narrow["token"] != whole["token"]
    listed = users.json("token:list", "--user", "1")
    assert [(one["name"], one["permissions"]) for one in listed] == [(None, None), ("Watcher", ["company.view"])]
    assert whole["token"] not in json.dumps(listed)
    monkeypatch.setenv("MULTIFLEXI_TOKEN", narrow["token"])
    assert [one["id"] for one in users.json("company:list")] == [1]
    for line in ("company:update 1 --name Mine", "token:generate", "job:list"):
        assert users(*line.split()).code == 1, line
    monkeypatch.setenv("MULTIFLEXI_TOKEN", whole["token"])
    assert users("company:update", "1", "--name", "Ours").code == 0
    assert users("token:generate").code == 1  # a token makes no token
    monkeypatch.delenv("MULTIFLEXI_TOKEN")
    assert users.json("token:get", "--id", str(whole["token_id"]))["used_at"] is not None
    assert users.json("token:delete", "--id", str(whole["token_id"])) == {
        "deleted": True,
        "token_id": whole["token_id"],
    }
    monkeypatch.setenv("MULTIFLEXI_TOKEN", whole["token"])
    assert "not good" in users("company:list").err


def test_a_user_is_told_by_mail_what_the_command_line_changed_of_how_they_sign_in(
    users: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str]] = []

    async def send(_settings: MailSettings, to: str, _subject: str, text: str) -> None:
        sent.append((to, text))

    monkeypatch.setattr(notices, "send", send)
    users("user:update", "--login", "jane", "--language", "cs", "--firstname", "Jane")
    monkeypatch.setenv("MULTIFLEXI_SMTP_URL", "smtp://127.0.0.1:25")
    monkeypatch.setenv("MULTIFLEXI_URL", "https://multiflexi.example.com")
    users("user:update", "--login", "jane", "--firstname", "Jana")  # is no way to sign in
    for _ in range(2):  # the second time, nothing changes but the password, which is hashed anew
        users("user:update", "--login", "jane", "--email", "jane@example.com", "--plaintext", PASSWORD)
    assert [to for to, _ in sent] == ["jane@example.org", "jane@example.com", "jane@example.com"]
    assert "E-mailová adresa byla změněna." in sent[0][1] and "Heslo bylo změněno." in sent[0][1]
    assert "E-mailová adresa" not in sent[2][1] and "https://multiflexi.example.com/multiflexi/account" in sent[2][1]


def test_a_token_is_refused_in_the_very_second_in_which_it_is_revoked_and_by_clocks_that_are_behind(
    users: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = users.json("token:generate", "--user", "1")
    moments = [datetime.now(UTC)]

    class Still(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return moments[-1].astimezone(tz)

    monkeypatch.setattr(identity, "datetime", Still)
    monkeypatch.setenv("MULTIFLEXI_TOKEN", made["token"])
    assert users("company:list").code == 0
    monkeypatch.delenv("MULTIFLEXI_TOKEN")
    users.json("token:delete", "--id", str(made["token_id"]))
    monkeypatch.setenv("MULTIFLEXI_TOKEN", made["token"])
    for seconds in (0, 0.999, -60):
        moments.append(moments[0] + timedelta(seconds=seconds))
        run = users("company:list")
        assert run.code == 1 and "not good" in run.err
