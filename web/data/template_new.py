"""What new run templates are made of: companies and applications to choose from, and the applications of a company."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from projections.queries import query as shared
from web.data.company_choice import CompanyChoice, company_choice
from web.database import Connection
from web.errors import N_, NotFoundError
from web.queries import query
from web.view import View

OFFERED = 1000
"""Most applications that are offered."""


class ApplicationChoice(msgspec.Struct, frozen=True, kw_only=True):
    """An application to choose."""

    id: int
    name: str
    version: str | None


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """Companies and applications to choose from."""

    companies: list[CompanyChoice]
    applications: list[ApplicationChoice]


class Owned(msgspec.Struct, frozen=True, kw_only=True):
    """An application that a company has, with how many run templates of it there are."""

    id: int
    name: str
    version: str | None
    enabled: bool
    templates: int


class Populated(msgspec.Struct, frozen=True, kw_only=True):
    """The applications of a company."""

    company_id: int
    name: str
    time_zone: str | None
    applications: list[Owned]

    @property
    def without(self) -> list[Owned]:
        """Those that have no run template."""
        return [one for one in self.applications if not one.templates]


async def offered(connection: Connection, view: View, allowed: Callable[[int], bool]) -> Offered:
    """Read what there is to choose from.

    Parameters
    ----------
    allowed : Callable
        Whether run templates may be made in a company.
    """
    choice = await company_choice(connection, view)
    found = await connection.fetch(shared("application.list"), OFFERED, 0, False, None, None, None)
    applications = [
        ApplicationChoice(id=row["id"], name=row["name"], version=row["version"]) for row in found if row["enabled"]
    ]
    return Offered(
        companies=[one for one in choice.companies if allowed(one.id)],
        applications=sorted(applications, key=lambda one: (one.name.casefold(), one.id)),
    )


async def populated(connection: Connection, company_id: int) -> Populated:
    """Read the applications of a company.

    Raises
    ------
    NotFoundError
        There is no such company, or it is not for this user to see.
    """
    company = await connection.fetchrow(shared("company.find"), company_id, None, None, None)
    if company is None:
        raise NotFoundError(N_("There is no company {id}."), id=company_id)
    rows = await connection.fetch(query("template.populated"), company_id)
    return Populated(
        company_id=company_id,
        name=company["name"],
        time_zone=company["time_zone"],
        applications=[Owned(**{name: row[name] for name in Owned.__struct_fields__}) for row in rows],
    )
