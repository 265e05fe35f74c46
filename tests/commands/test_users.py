"""Users, roles and memberships on a real database: unique logins, who may do what, refusals as events."""

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
from domain.application import ImportApplication
from domain.company import ChangeCompany, CreateCompany
from domain.errors import DomainError, NotFoundError, StateError, TakenError, ValidationError
from domain.membership import GrantMembership, RevokeMembership
from domain.run_template import CreateRunTemplate, RemoveRunTemplate
from domain.system import PauseSystem
from domain.user_commands import ChangeProfile, ChangeUser, CreateUser, GrantRole, RemoveUser, RevokeRole, SetPassword
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

DEFINITION = {
    "uuid": "775ed801-2489-4981-bc14-d8a01cba1938", "name": "Echo", "description": "Echo", "version": "1",
    "executable": "/bin/echo", "environment": {},
}  # fmt: skip


class Office:
    """Two companies with a run template each, and users by name."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.now = datetime.now(UTC)

    async def furnish(self) -> None:
        self.first = (await self.system(CreateCompany(name="First"))).id
        self.second = (await self.system(CreateCompany(name="Second"))).id
        app = (await self.system(ImportApplication(definition=DEFINITION))).id
        self.templates = {
            company: (
                await self.system(CreateRunTemplate(company_id=company, application_id=app, name="Echo", interval="n"))
            ).id
            for company in (self.first, self.second)
        }

    async def system(self, command: Any) -> Any:
        return await self.shell.execute(command, SYSTEM)

    async def user(self, login: str, *roles: str, **fields: Any) -> int:
        made = await self.system(CreateUser(login=login, roles=roles, **fields))
        return made.id

    async def actor(self, user_id: int, at: datetime | None = None) -> Actor:
        actor = await actor_of(self.shell.facts, user_id, at or datetime.now(UTC))
        assert actor is not None
        return actor

    async def denials(self) -> list[tuple[str, str, int | None, int | None]]:
        return [
            (one.event.wish, one.event.permission, one.event.company_id, one.company_id)  # type: ignore[attr-defined]
            async for one in self.shell.store.read_log(categories=["access"])
        ]


@pytest.fixture
async def office(database: Database) -> AsyncIterator[Office]:
    async with open_store(database, inline=True, role="app") as store:
        made = Office(Shell(store))
        await made.furnish()
        yield made


async def test_a_login_is_unique_whatever_its_case_and_one_of_two_at_once_gets_it(office: Office) -> None:
    wishes = (office.system(CreateUser(login=login)) for login in ("Jane", "jane", "JANE "))
    answers = await asyncio.gather(*wishes, return_exceptions=True)
    refused = [one for one in answers if isinstance(one, TakenError)]
    assert len(refused) == 2 and {one.code for one in refused} == {"login_taken"}


async def test_logins_can_be_swapped_and_used_again_when_their_user_is_gone(office: Office) -> None:
    one, other = await office.user("one", email="one@example.org"), await office.user("other")
    with pytest.raises(TakenError):
        await office.system(ChangeUser(user_id=other, login="ONE"))
    with pytest.raises(TakenError):
        await office.system(ChangeUser(user_id=other, email="One@example.org"))
    await office.system(RemoveUser(user_id=one))
    await office.system(ChangeUser(user_id=other, login="one", email="one@example.org"))
    with pytest.raises(NotFoundError):
        await office.system(ChangeUser(user_id=one, enabled=False))


async def test_nothing_personal_and_no_hash_is_stored_in_clear(office: Office) -> None:
    await office.system(
        CreateUser(
            login="jane.doe",
            email="jane@example.org",
            first_name="Janeane",
            last_name="Doevsky",
            password="$argon2id$x",
        )
    )
    for table in ("events", "user_account", "user_role", "audit_trail"):
        rows = await office.shell.store.pool.fetch(f"SELECT to_jsonb(t)::text FROM {table} t")
        text = " ".join(row[0] for row in rows)
        for secret in ("jane.doe", "jane@example", "Janeane", "Doevsky", "argon2id"):
            assert secret not in text, (table, secret)


async def test_a_role_and_a_membership_end_by_themselves_at_their_moment(office: Office) -> None:
    end = office.now + timedelta(hours=1)
    user = await office.user("jane")
    await office.system(GrantRole(user_id=user, role="editor", until=end))
    await office.system(GrantMembership(user_id=user, company_id=office.first, role="manager", until=end))
    before, after = await office.actor(user, end - timedelta(seconds=1)), await office.actor(user, end)
    assert before.may("application.change") and before.may("job.run", office.first)
    assert not after.may("application.change") and not after.may("job.run", office.first)
    assert before.companies == {office.first} and after.companies == frozenset()
    with pytest.raises(ValidationError):
        await office.system(GrantRole(user_id=user, role="editor", until=office.now - timedelta(seconds=1)))


async def test_a_stranger_is_refused_and_the_refusal_is_an_event_of_the_company(office: Office) -> None:
    stranger = await office.user("stranger", "user")
    await office.system(GrantMembership(user_id=stranger, company_id=office.second, role="admin"))
    actor = await office.actor(stranger)
    for wish in (
        ChangeCompany(company_id=office.first, name="Mine"),
        RemoveRunTemplate(run_template_id=office.templates[office.first]),
        PauseSystem(),
    ):
        with pytest.raises((DeniedError, NotFoundError)):
            await office.shell.execute(wish, actor)
    assert await office.denials() == [
        ("ChangeCompany", "company.change", office.first, office.first),
        ("RemoveRunTemplate", "template.configure", office.first, office.first),
        ("PauseSystem", "system.manage", None, None),
    ]
    await office.shell.execute(RemoveRunTemplate(run_template_id=office.templates[office.second]), actor)


async def test_what_is_not_there_is_not_found_also_by_who_sees_little(office: Office) -> None:
    actor = Actor.user(99, [office.second])
    with pytest.raises(NotFoundError):
        await office.shell.execute(RemoveRunTemplate(run_template_id=4711), actor)
    assert await office.denials() == []


async def test_nobody_manages_a_mightier_user_nor_grants_what_they_have_not(office: Office) -> None:
    root, admin, jane = (
        await office.user("root", "super_admin"),
        await office.user("admin", "admin"),
        await office.user("j"),
    )
    acting = await office.actor(admin)
    for wish in (
        SetPassword(user_id=root, password="x"),
        ChangeUser(user_id=root, email="admin@example.org"),
        GrantRole(user_id=admin, role="super_admin"),
        RevokeRole(user_id=root, role="super_admin"),
        RemoveUser(user_id=root),
        CreateUser(login="other", roles=("super_admin",)),
    ):
        with pytest.raises(DeniedError):
            await office.shell.execute(wish, acting)
    await office.shell.execute(GrantRole(user_id=jane, role="editor"), acting)
    await office.shell.execute(SetPassword(user_id=jane, password="x"), acting)
    assert "editor" in (await office.actor(jane)).roles


async def test_the_last_super_admin_stays(office: Office) -> None:
    root = await office.user("root", "super_admin")
    for wish in (
        RemoveUser(user_id=root),
        RevokeRole(user_id=root, role="super_admin"),
        ChangeUser(user_id=root, enabled=False),
        GrantRole(user_id=root, role="super_admin", until=office.now + timedelta(days=1)),
    ):
        with pytest.raises(StateError, match="only one"):
            await office.system(wish)
    await office.user("second", "super_admin")
    await office.system(RevokeRole(user_id=root, role="super_admin"))


async def test_users_change_their_own_account_and_no_other(office: Office) -> None:
    jane, john = await office.user("jane", "user"), await office.user("john", "user")
    actor = await office.actor(jane)
    await office.shell.execute(ChangeProfile(user_id=jane, first_name="Jane"), actor)
    for wish in (ChangeProfile(user_id=john, first_name="Jane"), ChangeUser(user_id=jane, enabled=False)):
        with pytest.raises(DeniedError):
            await office.shell.execute(wish, actor)


async def test_company_admins_grant_in_their_company_alone(office: Office) -> None:
    boss, jane = await office.user("boss", "user"), await office.user("jane", "user")
    await office.system(
        GrantMembership(user_id=boss, company_id=office.first, role="admin", less=("credential.reveal",))
    )
    actor = await office.actor(boss)
    grant = GrantMembership(user_id=jane, company_id=office.first, role="manager")
    first = await office.shell.execute(grant, actor)
    again = await office.shell.execute(grant, actor)
    assert first.id == again.id and again.events == ()
    with pytest.raises(DeniedError):
        await office.shell.execute(GrantMembership(user_id=jane, company_id=office.second), actor)
    with pytest.raises(DeniedError):  # more than they have
        await office.shell.execute(GrantMembership(user_id=jane, company_id=office.first, role="admin"), actor)
    await office.shell.execute(RevokeMembership(user_id=jane, company_id=office.first), actor)
    assert (await office.actor(jane)).companies == frozenset()
    await office.shell.execute(grant, actor)
    assert (await office.actor(jane)).may("job.run", office.first)


async def test_two_grants_at_once_make_one_membership(office: Office) -> None:
    jane = await office.user("jane")
    grants = (
        GrantMembership(user_id=jane, company_id=office.first, role=role) for role in ("viewer", "manager", "admin")
    )
    await asyncio.gather(*(office.system(grant) for grant in grants))
    assert await office.shell.store.pool.fetchval("SELECT count(*) FROM membership") == 1


async def test_who_sets_a_company_up_is_let_into_it(office: Office) -> None:
    admin = await office.user("admin", "admin")
    made = await office.shell.execute(CreateCompany(name="Third"), await office.actor(admin))
    actor = await office.actor(admin)
    assert actor.companies == {made.id}
    await office.shell.execute(ChangeCompany(company_id=made.id, enabled=False), actor)
    with pytest.raises(DomainError):
        await office.shell.execute(ChangeCompany(company_id=office.first, enabled=False), actor)


async def test_a_user_who_is_disabled_or_gone_acts_no_more(office: Office) -> None:
    jane = await office.user("jane")
    await office.system(ChangeUser(user_id=jane, enabled=False))
    assert await actor_of(office.shell.facts, jane, office.now) is None
    await office.system(ChangeUser(user_id=jane, enabled=True))
    assert await actor_of(office.shell.facts, jane, office.now) is not None
    await office.system(RemoveUser(user_id=jane))
    assert await actor_of(office.shell.facts, jane, office.now) is None
