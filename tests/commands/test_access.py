"""Groups of users, grants that end by themselves, and requests for access, on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands.accounts import actor_of
from commands.actor import SYSTEM, Actor
from commands.errors import DeniedError
from commands.shell import Shell
from domain.access_request import ApproveRequest, RefuseRequest, RequestAccess, WithdrawRequest
from domain.command import Command
from domain.company import ChangeCompany, CreateCompany, RemoveCompany
from domain.errors import NotFoundError, StateError, TakenError, ValidationError
from domain.membership import GrantMembership, RevokeMembership
from domain.user_commands import CreateUser, GrantRole, RemoveUser
from domain.user_group import AddGroupMember, ChangeGroup, CreateGroup, RemoveGroup, RemoveGroupMember
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now


class Office:
    """A company, and users by name."""

    company: int

    def __init__(self, shell: Shell, clock: Clock) -> None:
        self.shell = shell
        self.clock = clock

    async def do(self, command: Command, actor: Actor = SYSTEM) -> Any:
        return await self.shell.execute(command, actor)

    async def user(self, login: str, *roles: str) -> int:
        return (await self.do(CreateUser(login=login, roles=roles or ("user",)))).id

    async def group(self, *users: int, name: str = "Accountants") -> int:
        group = (await self.do(CreateGroup(name=name))).id
        for user in users:
            await self.do(AddGroupMember(user_group_id=group, user_id=user))
        return group

    async def actor(self, user_id: int) -> Actor:
        """Return a user with what they may do at the moment of the clock."""
        found = await actor_of(self.shell.facts, user_id, self.clock.now)
        assert found is not None
        return found

    async def may(self, user_id: int, permission: str = "job.run") -> bool:
        return (await self.actor(user_id)).may(permission, self.company)

    async def boss(self) -> Actor:
        """Return somebody who manages the members of the company."""
        user = await self.user("boss")
        await self.do(GrantMembership(user_id=user, company_id=self.company, role="admin"))
        return await self.actor(user)


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    clock = Clock()
    async with open_store(database, inline=True, role="app") as store:
        made = Office(Shell(store, clock=clock), clock)
        made.company = (await made.do(CreateCompany(name="Acme"))).id
        yield made


async def test_what_a_group_may_do_each_of_its_users_may_until_they_leave_it(office: Office) -> None:
    jane, john = await office.user("jane"), await office.user("john")
    group = await office.group(jane)
    await office.do(GrantMembership(user_group_id=group, company_id=office.company, role="manager"))
    assert await office.may(jane) and not await office.may(john)
    await office.do(AddGroupMember(user_group_id=group, user_id=john))
    await office.do(RemoveGroupMember(user_group_id=group, user_id=jane))
    assert not await office.may(jane) and await office.may(john)
    await office.do(RemoveGroup(user_group_id=group))
    assert not await office.may(john)
    with pytest.raises(NotFoundError):
        await office.do(AddGroupMember(user_group_id=group, user_id=jane))


async def test_roles_of_a_user_and_of_their_groups_add_up(office: Office) -> None:
    jane = await office.user("jane")
    group = await office.group(jane)
    await office.do(GrantMembership(user_id=jane, company_id=office.company, role="viewer", less=("output.view",)))
    await office.do(GrantMembership(user_group_id=group, company_id=office.company, role="viewer", more=("job.run",)))
    assert await office.may(jane, "job.run") and await office.may(jane, "output.view")
    await office.do(RevokeMembership(user_group_id=group, company_id=office.company))
    assert not await office.may(jane, "job.run") and not await office.may(jane, "output.view")


async def test_what_was_granted_until_a_moment_is_refused_from_that_moment_on(office: Office) -> None:
    end = office.clock.now + timedelta(hours=8)
    jane, john, anna = await office.user("jane"), await office.user("john"), await office.user("anna")
    permanent, brief = await office.group(john, name="For good"), await office.group(name="Brief")
    await office.do(GrantMembership(user_id=jane, company_id=office.company, role="admin", until=end))
    await office.do(GrantMembership(user_group_id=permanent, company_id=office.company, role="admin", until=end))
    await office.do(GrantMembership(user_group_id=brief, company_id=office.company, role="admin"))
    await office.do(AddGroupMember(user_group_id=brief, user_id=anna, until=end))
    await office.do(GrantRole(user_id=jane, role="editor", until=end))
    wish = ChangeCompany(company_id=office.company, zabbix_host="acme")
    office.clock.now = end - timedelta(seconds=1)
    for user in (jane, john, anna):
        await office.do(wish, await office.actor(user))
    assert (await office.actor(jane)).may("application.change")
    office.clock.now = end
    for user in (jane, john, anna):
        with pytest.raises(DeniedError):
            await office.do(wish, await office.actor(user))
    assert not (await office.actor(jane)).may("application.change")
    with pytest.raises(ValidationError, match="passed"):
        await office.do(AddGroupMember(user_group_id=brief, user_id=john, until=end))


async def test_names_of_groups_are_unique_while_they_are_there(office: Office) -> None:
    first = await office.group(name="Accountants")
    second = await office.group(name="Auditors")
    for wish in (CreateGroup(name="ACCOUNTANTS"), ChangeGroup(user_group_id=second, name="accountants")):
        with pytest.raises(TakenError, match="another group"):
            await office.do(wish)
    await office.do(RemoveGroup(user_group_id=first))
    await office.do(ChangeGroup(user_group_id=second, name="Accountants"))


async def test_company_admins_let_groups_in_but_do_not_make_them(office: Office) -> None:
    boss, group = await office.boss(), await office.group()
    await office.do(GrantMembership(user_group_id=group, company_id=office.company, role="viewer"), boss)
    await office.do(RevokeMembership(user_group_id=group, company_id=office.company), boss)
    for wish in (
        CreateGroup(name="Mine"),
        AddGroupMember(user_group_id=group, user_id=boss.user_id or 0),
        RemoveGroup(user_group_id=group),
    ):
        with pytest.raises(DeniedError):
            await office.do(wish, boss)


async def test_who_asks_is_let_in_once_somebody_who_may_has_approved(office: Office) -> None:
    boss, jane = await office.boss(), await office.user("jane", "viewer")
    end = office.clock.now + timedelta(days=3)
    wish = RequestAccess(company_id=office.company, role="manager", until=end, reason="The audit of 2026")
    request = (await office.do(wish, await office.actor(jane))).id
    assert not await office.may(jane)
    with pytest.raises(TakenError, match="has asked"):
        await office.do(wish, await office.actor(jane))
    await office.do(ApproveRequest(access_request_id=request), boss)
    assert await office.may(jane)
    office.clock.now = end
    assert not await office.may(jane)
    for again in (ApproveRequest, RefuseRequest, WithdrawRequest):
        with pytest.raises(StateError, match="approved already"):
            await office.do(again(access_request_id=request))


async def test_refused_and_withdrawn_requests_let_nobody_in_and_one_may_ask_again(office: Office) -> None:
    boss, jane = await office.boss(), await office.user("jane")
    acting = await office.actor(jane)
    first = (await office.do(RequestAccess(company_id=office.company), acting)).id
    await office.do(RefuseRequest(access_request_id=first, reason="Not now"), boss)
    second = (await office.do(RequestAccess(company_id=office.company), acting)).id
    await office.do(WithdrawRequest(access_request_id=second), acting)
    await office.do(RequestAccess(company_id=office.company), acting)
    assert (await office.actor(jane)).grants == {}


async def test_nobody_decides_on_their_own_request_nor_grants_more_than_they_have(office: Office) -> None:
    jane, chief = await office.user("jane"), await office.user("chief")
    await office.do(GrantMembership(user_id=chief, company_id=office.company, role="viewer", more=("member.manage",)))
    own = (await office.do(RequestAccess(company_id=office.company, role="admin"), await office.actor(chief))).id
    more = (await office.do(RequestAccess(company_id=office.company, role="admin"), await office.actor(jane))).id
    for wish in (
        ApproveRequest(access_request_id=own),
        RefuseRequest(access_request_id=own),
        ApproveRequest(access_request_id=more),
    ):
        with pytest.raises(DeniedError):
            await office.do(wish, await office.actor(chief))
    assert not (await office.actor(jane)).grants and not await office.may(chief, "company.change")
    root = await office.user("root", "super_admin")
    await office.do(ApproveRequest(access_request_id=own), await office.actor(root))
    assert await office.may(chief, "company.change")


async def test_strangers_neither_decide_on_requests_nor_take_those_of_others_back(office: Office) -> None:
    jane, john = await office.user("jane"), await office.user("john")
    request = (await office.do(RequestAccess(company_id=office.company), await office.actor(jane))).id
    for wish in (
        ApproveRequest(access_request_id=request),
        RefuseRequest(access_request_id=request),
        WithdrawRequest(access_request_id=request),
        RequestAccess(company_id=office.company, user_id=jane),
    ):
        with pytest.raises((DeniedError, NotFoundError)):
            await office.do(wish, await office.actor(john))


async def test_two_answers_at_once_make_one(office: Office) -> None:
    boss, jane = await office.boss(), await office.user("jane")
    request = (await office.do(RequestAccess(company_id=office.company), await office.actor(jane))).id
    wishes: list[Command] = [ApproveRequest(access_request_id=request), RefuseRequest(access_request_id=request)]
    answers = await asyncio.gather(*(office.do(wish, boss) for wish in wishes), return_exceptions=True)
    refused = [one for one in answers if isinstance(one, StateError)]
    assert len(refused) == 1
    assert bool((await office.actor(jane)).grants) == isinstance(answers[1], StateError)


async def test_a_user_who_goes_leaves_groups_and_requests(office: Office) -> None:
    jane = await office.user("jane")
    group = await office.group(jane)
    await office.do(RequestAccess(company_id=office.company), await office.actor(jane))
    await office.do(RemoveUser(user_id=jane))
    pool = office.shell.store.pool
    assert await pool.fetchval("SELECT count(*) FROM user_group_member WHERE user_group_id = $1", group) == 0
    assert await pool.fetchval("SELECT state FROM access_request") == "withdrawn"


async def test_reasons_are_not_stored_in_clear(office: Office) -> None:
    jane = await office.user("jane")
    await office.do(RequestAccess(company_id=office.company, user_id=jane, reason="Because of Zebulon"))
    for table in ("events", "access_request", "audit_trail"):
        rows = await office.shell.store.pool.fetch(f"SELECT to_jsonb(t)::text FROM {table} t")
        assert not any("Zebulon" in row[0] for row in rows), table


async def test_a_company_that_is_removed_lets_everybody_out_and_answers_no_request_any_more(office: Office) -> None:
    company = (await office.do(CreateCompany(name="Gone Ltd"))).id
    jane, john = await office.user("jane"), await office.user("john")
    group = await office.group(john)
    await office.do(GrantMembership(user_id=jane, company_id=company, role="viewer"))
    await office.do(GrantMembership(user_group_id=group, company_id=company, role="viewer"))
    await office.do(RequestAccess(company_id=company, user_id=await office.user("anna")))
    await office.do(RemoveCompany(company_id=company))
    pool = office.shell.store.pool
    left = "SELECT count(*) FROM membership WHERE company_id = $1 AND revoked_at IS NULL"
    assert await pool.fetchval(left, company) == 0
    assert await pool.fetchval("SELECT state FROM access_request WHERE company_id = $1", company) == "withdrawn"
    kinds = await pool.fetch("SELECT type FROM events WHERE company_id = $1 ORDER BY position", company)
    assert [row[0] for row in kinds][-4:] == [
        "MembershipRevoked", "MembershipRevoked", "RequestWithdrawn", "CompanyRemoved",
    ]  # fmt: skip
