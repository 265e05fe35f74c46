"""Companies: the list of them, and all that the page of one shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from domain.company import KEPT, ChangeCompany, warnings
from domain.environment import environment_in
from domain.event import Erased
from domain.requirements import required, unmet
from eventstore.keyring import Keyring
from projections.queries import query as shared
from web.database import Connection
from web.errors import N_, BadRequestError, NotFoundError
from web.masking import masked
from web.view import View

PAGE = 50


class CompanyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A company in a list."""

    id: int
    name: str
    code: str
    registration_number: str | None
    vat_number: str | None
    time_zone: str | None
    enabled: bool
    archived: bool
    paused: bool
    zabbix_host: str | None
    logo: str | None
    max_parallel: int | None
    keep_output: int | None
    keep_artifacts: int | None
    keep_history: int | None
    customer: int | None
    server: int | None
    created_at: datetime
    version: int


class CompanyList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of companies. ``more`` is the ``after`` of the next page, if there is one."""

    companies: list[CompanyRow]
    wanted: str | None
    archived: bool
    after: int | None
    more: int | None


class AppShown(msgspec.Struct, frozen=True, kw_only=True):
    """An application that a company has; ``unmet`` are the credentials that it requires and the company lacks."""

    id: int
    name: str
    version: str | None
    enabled: bool
    templates: int
    unmet: list[str]


class CompanyShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of a company shows; what looks secret of ``environment`` is masked.

    ``odd`` are the numbers whose check digit does not fit.
    """

    company: CompanyRow
    email: str | None
    suspend_reason: str | None
    environment: dict[str, str]
    applications: list[AppShown]
    dependents: dict[str, int]
    odd: list[str]


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored encrypted of a company, in clear; None is what was erased or is not there."""

    email: str | None
    environment: dict[str, str]
    suspend_reason: str | None


async def load_list(connection: Connection, view: View) -> CompanyList:
    """Read a page of companies; parameters ``find`` (words), ``archived`` (those too) and ``after`` (an id).

    Raises
    ------
    BadRequestError
        The parameter ``after`` is no number.
    """
    after = view.number("after") if "after" in view.parameters else None
    wanted = view.parameters.get("find", "").strip() or None
    archived = view.parameters.get("archived") == "yes"
    records = await connection.fetch(shared("company.list"), after, PAGE + 1, 0, False, wanted, archived)
    rows = [row_of(record) for record in records[:PAGE]]
    more = rows[-1].id if len(records) > PAGE else None
    return CompanyList(companies=rows, wanted=wanted, archived=archived, after=after, more=more)


async def load(connection: Connection, keyring: Keyring, company_id: int) -> CompanyShown:
    """Read a company for its page.

    Raises
    ------
    NotFoundError
        There is none of that id, or it is not for this user to see.
    """
    company, sealed = await load_clear(connection, keyring, company_id)
    applications = await connection.fetch(shared("company.applications"), company_id, None, None, None, False)
    needs = await connection.fetch(shared("application.of_companies"), company_id, None, None, None, False)
    unmet_of = {
        each["app_id"]: list(
            unmet(
                required({"requirements": msgspec.json.decode(each["requirements"] or "null")}),
                msgspec.json.decode(each["offered"]),
            )
        )
        for each in needs
    }
    dependents = await connection.fetchrow(shared("company.dependents"), company_id)
    wish = ChangeCompany(
        company_id=company_id, registration_number=company.registration_number, vat_number=company.vat_number
    )
    return CompanyShown(
        company=company,
        email=sealed.email,
        suspend_reason=sealed.suspend_reason,
        environment=masked(sealed.environment),
        applications=[
            AppShown(
                id=each["app_id"],
                name=each["app_name"],
                version=each["version"],
                enabled=each["enabled"],
                templates=each["runtemplates"],
                unmet=unmet_of.get(each["app_id"], []),
            )
            for each in applications
        ],
        dependents=dict(dependents or {}),
        odd=[warning.field for warning in warnings(wish)],
    )


async def load_clear(connection: Connection, keyring: Keyring, company_id: int) -> tuple[CompanyRow, Sealed]:
    """Read a company with what is stored encrypted of it, in clear.

    Raises
    ------
    NotFoundError
        There is none of that id, or it is not for this user to see.
    """
    record = await connection.fetchrow(shared("company.find"), company_id, None, None, None)
    if record is None:
        raise NotFoundError(N_("There is no company {id}."), id=company_id)
    found = await connection.fetchrow(shared("company.sealed"), company_id)
    names = ("email", "environment", "suspend_reason")
    envelopes: list[Any] = [msgspec.json.decode((found[name] if found else None) or "null") for name in names]
    places = [(envelope, f"company-{company_id}|{name}") for name, envelope in zip(names, envelopes, strict=True)]
    email, environment, reason = [
        None if isinstance(clear, Erased) else clear for clear in await keyring.reveal(places)
    ]
    return row_of(record), Sealed(email=email, environment=environment_in(environment), suspend_reason=reason)


def row_of(record: asyncpg.Record) -> CompanyRow:
    """Return a row of the query ``company.list`` as it is shown."""
    same = ("id", "name", "time_zone", "enabled", "archived", "paused", "zabbix_host", "logo", "max_parallel", *KEPT, "customer", "server")
    return CompanyRow(
        code=record["slug"],
        registration_number=record["ic"],
        vat_number=record["dic"],
        created_at=record["DatCreate"],
        version=record["stream_version"],
        **{name: record[name] for name in same},
    )
