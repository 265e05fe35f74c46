"""The companies that a page can be narrowed to."""

from __future__ import annotations

import msgspec

from projections.queries import query
from web.database import Connection
from web.errors import N_, NotFoundError
from web.view import View

OFFERED = 200
"""Most companies that the filter offers."""


class CompanyChoice(msgspec.Struct, frozen=True):
    """A company in the filter."""

    id: int
    name: str
    time_zone: str | None


class Choice(msgspec.Struct, frozen=True):
    """The filter: companies to choose from, the chosen one, and whether there are more."""

    companies: list[CompanyChoice]
    chosen: CompanyChoice | None
    more: bool

    @property
    def time_zone(self) -> str | None:
        """Zone of the chosen company, or of the only one there is."""
        if self.chosen is not None:
            return self.chosen.time_zone
        return self.companies[0].time_zone if len(self.companies) == 1 else None


async def company_choice(connection: Connection, view: View) -> Choice:
    """Return what the filter offers.

    Raises
    ------
    NotFoundError
        The company that the page is narrowed to does not exist, or is not for this user to see.
    """
    records = await connection.fetch(query("company.choice"), OFFERED + 1)
    found = {record["id"]: record for record in records}
    if view.company_id is not None and view.company_id not in found:
        record = await connection.fetchrow(query("company.find"), view.company_id, None, None, None)
        if record is None:
            raise NotFoundError(N_("There is no company {id}."), id=view.company_id)
        found[record["id"]] = record
    companies = [
        CompanyChoice(record["id"], record["name"], record["time_zone"])
        for record in sorted(found.values(), key=lambda each: each["name"].casefold())
    ]
    chosen = next((company for company in companies if company.id == view.company_id), None)
    return Choice(companies, chosen, len(records) > OFFERED)
