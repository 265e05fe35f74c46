"""Every command of the domain as every role in two companies and as a stranger: as ``docs/permissions.md`` says."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from commands import denials
from commands.errors import DeniedError
from commands.shell import Shell
from domain.aggregates import ALL
from domain.command import Command
from domain.company import RestoreCompany, SuspendCompany
from domain.errors import NotFoundError
from tests.permissions.document import allowed, needed
from tests.permissions.office import FIRST, SECOND, Office, Person
from tests.permissions.test_document import concrete
from tests.permissions.wishes import OF_ACCOUNT, OF_COMPANY, OF_INSTALLATION
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

TABLE = "Commands of the domain"


@pytest.fixture
async def office(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    monkeypatch.setattr(denials, "MOST", dict.fromkeys(denials.MOST, 1_000_000))
    async with open_store(database, inline=True, role="app") as store:
        made = Office(Shell(store))
        await made.furnish()
        yield made


def test_there_is_a_wish_of_every_command() -> None:
    there = {command for aggregate in ALL for command in concrete(aggregate.commands)}
    assert {*OF_COMPANY, *OF_INSTALLATION, *OF_ACCOUNT} == there, "tests/permissions/wishes.py lacks some"


async def test_commands_about_companies_are_let_through_and_refused_as_the_document_says(office: Office) -> None:
    wrong: list[str] = []
    for kind, maker in OF_COMPANY.items():
        for company in (FIRST, SECOND):
            for person in office.people:
                wish = await maker(office, company)
                may = allowed(TABLE, kind.__name__, person.roles, person.role_in(company))
                wrong += await judged(office, person, wish, may, company)
                if kind in (SuspendCompany, RestoreCompany):
                    await office.do(RestoreCompany(company_id=office.companies[company]))
    assert not wrong, "\n".join(wrong)


async def test_commands_about_the_installation_are_let_through_and_refused_as_the_document_says(
    office: Office,
) -> None:
    wrong: list[str] = []
    for kind, maker in OF_INSTALLATION.items():
        for person in office.people:
            wish = await maker(office, FIRST)
            may = allowed(TABLE, kind.__name__, person.roles, None)
            wrong += await judged(office, person, wish, may)
    assert not wrong, "\n".join(wrong)


async def test_commands_about_accounts_are_for_their_user_and_for_who_manages_users(office: Office) -> None:
    wrong: list[str] = []
    for kind, maker in OF_ACCOUNT.items():
        for like in office.people:
            person = Person(f"{like.login}-{next(office.numbers)}", like.roles, like.company, like.role)
            person.user_id = await office.person(person.login, person)
            for own in (True, False):
                wish = await maker(office, person.user_id if own else await office.user("viewer"))
                may = allowed(TABLE, kind.__name__, person.roles, person.role, own=own)
                wrong += await judged(office, person, wish, may)
    assert not wrong, "\n".join(wrong)


async def judged(office: Office, person: Person, wish: Command, may: bool, company: str | None = None) -> list[str]:
    """Execute a wish as a user; return what is not as it should be."""
    name = type(wish).__name__
    told = f"{name} of {person} in {company or 'the installation'}"
    actor = await office.actor(person.user_id)
    before = await office.shell.store.pool.fetchval("SELECT max(position) FROM events")
    try:
        await office.shell.execute(wish, actor)
        refused = False
    except (DeniedError, NotFoundError):  # of what is of a company that they do not see, that there is no such thing
        refused = True
    if refused == may:
        return [f"{told}: {'refused' if refused else 'let through'}, the document says otherwise"]
    if not refused:
        return []
    events = await office.shell.store.pool.fetch(
        "SELECT type, data->>'wish' AS wish, data->>'permission' AS permission, (data->>'user_id')::integer AS user_id "
        "FROM events WHERE position > $1 ORDER BY position",
        before,
    )
    expected = [("AccessDenied", name, needed(TABLE, name), person.user_id)]
    found = [(e["type"], e["wish"], e["permission"] if needed(TABLE, name) else "", e["user_id"]) for e in events]
    return [] if found == expected else [f"{told}: the refusal left {found}"]
