"""Groups of users and requests for access on the command line."""

from __future__ import annotations

import shlex

import pytest

from tests.cli.conftest import Cli


@pytest.fixture
def office(cli: Cli) -> Cli:
    """Company 1; users 1 (boss, admin of it), 2 (jane) and 3 (root, super_admin)."""
    cli.json("company:create", "--name", "Acme")
    for login in ("boss", "jane"):
        cli.json("user:create", "--login", login)
    cli.json("user:create", "--login", "root", "--role", "super_admin")
    cli.json("user-company:assign", "--company_id", "1", "--login", "boss", "--role", "admin")
    return cli


def test_a_group_is_made_filled_let_into_a_company_and_removed(office: Cli) -> None:
    made = office.json("user-group:create", "--name", "Accountants", "--description", "Who keeps the books")
    assert made == {"user_group_id": 1}
    assert office.json("user-group:add", "1", "--login", "jane", "--until", "+8h")["updated"] is True
    granted = office.json("user-company:assign", "--company_id", "1", "--group", "accountants", "--role", "viewer")
    assert granted["user_group_id"] == 1
    assert [one["id"] for one in office.json("company:list", "--as", "jane")] == [1]
    shown = office.json("user-group:get", "--name", "Accountants")
    assert [(one["login"], one["active"]) for one in shown["members"]] == [("jane", True)]
    assert [(one["company_id"], one["role"]) for one in shown["access"]] == [(1, "viewer")]
    members = office.json("user-company:list", "--company_id", "1")
    assert [(one["login"], one["user_group"]) for one in members] == [("boss", None), ("jane", "Accountants")]
    assert office.json("user-group:update", "1", "--name", "Books")["updated"] is True
    [listed] = office.json("user-group:list")
    assert (listed["name"], listed["members"], listed["companies"]) == ("Books", 1, 1)
    assert office("user-company:unassign", "--company_id", "1", "--group", "Books").code == 0
    assert office("company:list", "--as", "jane").code == 1
    office.json("user-company:assign", "--company_id", "1", "--group", "1")
    assert office.json("user-group:delete", "1")["updated"] is True
    assert office("company:list", "--as", "jane").code == 1
    assert office.json("user-group:get", "1", code=1)["status"] == "not found"


def test_access_is_asked_for_and_approved_until_the_moment_that_was_asked_for(office: Cli) -> None:
    asked = office.json(
        "access-request:create", "--company_id", "1", "--until", "+8h", "--reason", "The audit", "--as", "jane"
    )
    assert asked == {"access_request_id": 1}
    [waiting] = office.json("access-request:list", "--status", "open", "--as", "boss")
    assert (waiting["login"], waiting["reason"], waiting["status"]) == ("jane", "The audit", "open")
    assert office("access-request:approve", "1", "--as", "jane").code == 1
    assert office.json("access-request:approve", "1", "--as", "boss")["status"] == "approved"
    assert [one["id"] for one in office.json("company:list", "--as", "jane")] == [1]
    [own] = office.json("access-request:list", "--as", "jane")
    assert (own["status"], own["answered_by"]) == ("approved", "user:1")
    [member] = [one for one in office.json("user-company:list") if one["login"] == "jane"]
    assert member["until"] and member["active"]


def test_requests_are_refused_with_a_reason_or_withdrawn_and_seen_by_nobody_else(office: Cli) -> None:
    office.json("user:create", "--login", "john")
    office.json("access-request:create", "--company_id", "1", "--as", "jane")
    assert office.json("access-request:list", "--as", "john") == []
    assert office.json("access-request:get", "1", "--as", "john", code=1)["status"] == "not found"
    office.json("access-request:refuse", "1", "--reason", "Ask again in May", "--as", "boss")
    assert office.json("access-request:get", "1", "--as", "jane")["answer"] == "Ask again in May"
    office.json("access-request:create", "--company_id", "1", "--as", "jane")
    assert office.json("access-request:withdraw", "2", "--as", "jane")["status"] == "withdrawn"
    assert "withdrawn already" in office("access-request:approve", "2").err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("user-group:create --name ''", "name"),
        ("user-group:update 1", "What is to change"),
        ("user-group:add 1 --login nobody", "no such user"),
        ("user-group:remove 1 --login jane", "not in group"),
        ("user-group:add 4711 --login jane", "no group 4711"),
        ("user-company:assign --company_id 1 --group nobodies", "no such group"),
        ("user-company:assign --company_id 1 --group 1 --login jane", "Give one"),
        ("access-request:create --company_id 1", "Who asks"),
        ("access-request:create --company_id 4711 --user_id 1", "no company 4711"),
        ("access-request:create --company_id 1 --user_id 1 --role king", "role"),
        ("access-request:approve 4711", "4711"),
    ],
)
def test_what_is_wrong_is_told(office: Cli, line: str, told: str) -> None:
    office.json("user-group:create", "--name", "Accountants")
    run = office(*shlex.split(line))
    assert run.code in (1, 2) and told in run.err, run
