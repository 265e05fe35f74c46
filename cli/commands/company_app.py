"""Which applications a company has: listed, given, taken away, and whether its credentials satisfy what they need."""

from __future__ import annotations

import click

from cli.acting import acting
from cli.command import FIELDS_OPTION, KEY_OPTION, PAGING, Options, command, flag, option
from cli.finding import application_id, company_id
from cli.output import Output, Rows
from cli.reading import Reader, reading
from cli.values import APPLICATION, ID
from domain.company import AssignApplication, UnassignApplication
from domain.requirements import required, unmet

WHICH = (
    option("company_id", type=ID, help="Company, by id."),
    option("company", metavar="CODE|ID", help="Company, by code or id."),
    option("app_id", type=APPLICATION, help="Application, by id or UUID."),
    option("app_uuid", metavar="UUID", help="Application, by UUID."),
)
SHOWN = ("company_id", "company_slug", "app_id", "app_name", "version", "run_templates", "unmet")


@command(*WHICH, *PAGING, FIELDS_OPTION)
async def list_assignments(output: Output, options: Options) -> None:
    """List the applications of companies.

    With the credentials that an application requires and the company has not.
    """
    async with reading() as reader:
        company, application = await company_id(reader, options), await application_id(reader, options)
        found = await reader.rows(
            "application.of_companies", company, application, options.limit, options.offset, options.order == "D"
        )
    for row in found.rows:
        needed = required({"requirements": row["requirements"]})
        row["requirements"] = ",".join(needed)
        row["unmet"] = ",".join(unmet(needed, row.pop("offered")))
    names = tuple(name for name in found.fields if name != "offered")
    output.rows(Rows((*names, "unmet"), found.rows), SHOWN)


@command(*WHICH, KEY_OPTION)
async def assign_application(output: Output, options: Options) -> None:
    """Give a company an application."""
    async with acting() as act:
        company, application = await both(act.reader, options)
        wish = AssignApplication(company_id=company, application_id=application)
        outcome = await act.execute(wish, options.idempotency_key)
    done = "was given" if outcome.events else "has already"
    answer = {"assigned": True, "company_id": company, "app_id": application}
    output.answer(answer, f"Company {company} {done} application {application}.")


@command(*WHICH, flag("cascade", help="Its run templates of the application go with it."), KEY_OPTION)
async def unassign_application(output: Output, options: Options) -> None:
    """Take an application from a company.

    It is refused while run templates of the company use it, unless they are to go with it.
    """
    async with acting() as act:
        company, application = await both(act.reader, options)
        wish = UnassignApplication(company_id=company, application_id=application, cascade=options.cascade)
        outcome = await act.execute(wish, options.idempotency_key)
    text = f"Application {application} was taken from company {company}."
    if not outcome.events:
        text = f"Company {company} has not had application {application}; nothing was changed."
    output.answer({"unassigned": bool(outcome.events), "company_id": company, "app_id": application}, text)


async def both(reader: Reader, options: Options) -> tuple[int, int]:
    """Return the ids of the company and of the application that options name.

    Raises
    ------
    click.UsageError
        One of them was not named.
    """
    company, application = await company_id(reader, options), await application_id(reader, options)
    if company is None:
        raise click.UsageError("Which company? Give --company_id or --company.")
    if application is None:
        raise click.UsageError("Which application? Give --app_id or --app_uuid.")
    return company, application
