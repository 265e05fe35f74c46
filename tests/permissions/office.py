"""Two companies that have something of everything, a third one, and users of every role in them.

Everything of a company has a word in its name that nothing else has, so that a test sees what leaks out of it.
"""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime
from typing import Any

from commands.accounts import actor_of
from commands.actor import SYSTEM, Actor
from commands.shell import Shell
from domain.application import ImportApplication
from domain.command import Command
from domain.company import CreateCompany
from domain.credential import CreateCredential
from domain.credential_prototype import ImportCredentialPrototype
from domain.credential_type import CreateCredentialType
from domain.customer import CreateCustomer
from domain.job import ScheduleJob
from domain.membership import GrantMembership
from domain.permissions import COMPANY_ROLES, SYSTEM_ROLES
from domain.run_template import CreateRunTemplate
from domain.server import CreateServer
from domain.user_commands import CreateUser
from domain.user_group import CreateGroup
from tests.testbed.credentials import BANK

FIRST, SECOND, THIRD = "first", "second", "third"
MARKS = {FIRST: "Zebrafirst", SECOND: "Quaggasecond", THIRD: "Okapithird"}
"""Words that stand in every name of a company's things."""

ICON = "R0lGODlhAQABAAAAADs="
"""A picture of one pixel."""

DEFINITION: dict[str, Any] = {
    "uuid": "775ed801-2489-4981-bc14-d8a01cba1938", "name": "Echo", "description": "Says it again", "version": "1",
    "executable": "/bin/echo", "environment": {},
}  # fmt: skip


class Person:
    """A user of the office: their login, their system roles, and their role in a company."""

    def __init__(self, login: str, roles: set[str], company: str | None = None, role: str | None = None) -> None:
        self.login = login
        self.roles = roles
        self.company = company
        self.role = role
        self.user_id = 0

    def role_in(self, company: str) -> str | None:
        """Return the role that they have in a company."""
        return self.role if company == self.company else None

    def __repr__(self) -> str:
        return self.login


def everybody() -> list[Person]:
    """Return a user of each system role, a user of each role in each company, and a stranger to both of them."""
    return [
        *(Person(f"system-{role}", {role}) for role in SYSTEM_ROLES),
        *(
            Person(f"{company}-{role}", {"user"}, company, role)
            for company in (FIRST, SECOND)
            for role in COMPANY_ROLES
        ),
        Person("stranger", {"user"}, THIRD, "admin"),
    ]


class Office:
    """The installation; methods make fresh things in it, each of a company by its word.

    Parameters
    ----------
    shell : Shell
        Executes the commands that furnish it.
    """

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.numbers = itertools.count(1)
        self.people = everybody()
        self.companies: dict[str, int] = {}
        self.types: dict[str, int] = {}

    async def furnish(self) -> None:
        """Make the companies, the catalogue and the users."""
        await self.make(CreateUser(login="root", roles=("super_admin",)))
        self.application = await self.make(
            ImportApplication(definition={**DEFINITION, "image": f"data:image/gif;base64,{ICON}"})
        )
        self.prototype = await self.make(ImportCredentialPrototype(definition=BANK))
        for company, mark in MARKS.items():
            self.companies[company] = await self.make(CreateCompany(name=f"{mark} Ltd", code=mark.lower()))
            self.types[company] = await self.make(
                CreateCredentialType(
                    company_id=self.companies[company], credential_prototype_id=self.prototype, name=f"{mark} type"
                )
            )
        for person in self.people:
            person.user_id = await self.person(person.login, person)

    async def do(self, command: Command) -> Any:
        """Execute a command as the program itself."""
        return await self.shell.execute(command, SYSTEM)

    async def make(self, command: Command) -> int:
        """Execute a command as the program itself and return the id of what it was about."""
        return (await self.do(command)).id

    async def person(self, login: str, like: Person) -> int:
        """Make a user who may do what another may."""
        user_id = await self.make(CreateUser(login=login, roles=tuple(like.roles)))
        if like.company and like.role:
            await self.make(GrantMembership(user_id=user_id, company_id=self.companies[like.company], role=like.role))
        return user_id

    async def actor(self, user_id: int) -> Actor:
        """Return a user as who acts."""
        found = await actor_of(self.shell.facts, user_id, datetime.now(UTC))
        assert found is not None
        return found

    def name(self, company: str) -> str:
        """Return a fresh name of a thing of a company."""
        return f"{MARKS[company]} {next(self.numbers)}"

    async def user(self, *roles: str) -> int:
        """Make a user; nobody in particular."""
        return await self.make(CreateUser(login=f"somebody-{next(self.numbers)}", roles=roles))

    async def group(self) -> int:
        """Make a group with nobody in it."""
        return await self.make(CreateGroup(name=f"Group {next(self.numbers)}"))

    async def customer(self) -> int:
        """Make a customer without companies."""
        return await self.make(CreateCustomer(name=f"Customer {next(self.numbers)}"))

    async def server(self) -> int:
        """Make a server that nobody uses."""
        return await self.make(CreateServer(name=f"Server {next(self.numbers)}", url="https://erp.example.org"))

    async def fresh_company(self) -> int:
        """Make a company with nothing in it."""
        return await self.make(CreateCompany(name=f"Empty {next(self.numbers)}"))

    async def fresh_application(self, **more: Any) -> int:
        """Make an application."""
        return await self.make(ImportApplication(definition=self.definition(**more)))

    def definition(self, **more: Any) -> dict[str, Any]:
        """Return the definition of an application that is not there yet."""
        number = next(self.numbers)
        return {**DEFINITION, "uuid": str(uuid.uuid4()), "name": f"Echo {number}", **more}

    def prototype_definition(self) -> dict[str, Any]:
        """Return the definition of a credential prototype that is not there yet."""
        return {**BANK, "uuid": str(uuid.uuid4()), "code": f"Bank{next(self.numbers)}"}

    async def template(self, company: str, **more: Any) -> int:
        """Make a run template."""
        company_id = self.companies[company]
        wish = {"application_id": self.application, "name": self.name(company), **more}
        return await self.make(CreateRunTemplate(company_id=company_id, **wish))

    async def job(self, company: str) -> int:
        """Put a job into the queue."""
        return await self.job_of(await self.template(company))

    async def job_of(self, template: int) -> int:
        """Put a job of a run template into the queue."""
        return await self.make(ScheduleJob(run_template_id=template))

    async def credential_type(self, company: str) -> int:
        """Make a credential type."""
        return await self.make(
            CreateCredentialType(
                company_id=self.companies[company], credential_prototype_id=self.prototype, name=self.name(company)
            )
        )

    async def credential(self, company: str) -> int:
        """Make a credential with a secret."""
        return await self.make(
            CreateCredential(
                credential_type_id=self.types[company],
                name=self.name(company),
                values={"BANK_TOKEN": f"{MARKS[company]}-token"},
            )
        )

    async def written(self) -> list[tuple[str, Any]]:
        """Return type and data of all events there are, by the order in which they were written."""
        rows = await self.shell.store.pool.fetch("SELECT type, data::text FROM events ORDER BY position")
        return [(row[0], row[1]) for row in rows]
