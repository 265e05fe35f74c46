"""Run templates: applications configured for companies."""

from __future__ import annotations

from typing import Any

import click

from cli.command import FIELDS_OPTION, PAGING, Options, chosen_id, command, one_id, option
from cli.environments import show_environments
from cli.finding import application_id, company_id, the_one
from cli.output import Output, Row
from cli.reading import reading
from cli.values import APPLICATION, ID, Count

SHOWN = ("id", "name", "company_slug", "app_name", "interv", "cron", "active", "last_schedule", "next_schedule")

STALE_SHOWN = ("id", "name", "company_slug", "app_name", "reason", "since", "hours", "paused", "next_schedule")
TOLERANCE = 1
MOST_HOURS = 100_000


def zone(row: Row) -> str | None:
    """Return the time zone of a run template, its own or its company's."""
    found: str | None = row["zone"]
    return found


@command(
    option("company_id", type=ID, help="Only those of this company."),
    option("company", metavar="CODE|ID", help="Only those of this company, by code or id."),
    option("app_id", type=APPLICATION, help="Only those of this application, by id or UUID."),
    option("app_uuid", metavar="UUID", help="Only those of this application, by UUID."),
    option("search", metavar="TEXT", help="Only those with words that begin so in their name."),
    option("after", type=ID, help="Only those after this id, as the last page ended."),
    *PAGING,
    FIELDS_OPTION,
)
async def list_run_templates(output: Output, options: Options) -> None:
    """List the run templates."""
    async with reading() as reader:
        found = await reader.rows(
            "run_template.list",
            await company_id(reader, options),
            await application_id(reader, options),
            options.limit,
            options.offset,
            options.order == "D",
            options.after,
            options.search,
        )
        if output.fields is None and not reader.settings.master_key:
            # What nobody asked for by name is not worth refusing the list for.
            withhold(found.rows, output)
        else:
            if output.shows("note", SHOWN):
                await reader.reveal(found.rows, "run_template", "note")
            if output.shows("environment", SHOWN):
                await show_environments(reader, found.rows, "run_template")
    output.rows(found, SHOWN, zone)


def withhold(rows: list[dict[str, Any]], output: Output) -> None:
    """Leave out of a list what is stored encrypted, where there is no key to open it."""
    sealed = [(row, field) for row in rows for field in ("note", "environment") if row[field] is not None]
    for row, field in sealed:
        row[field] = None
    if sealed and output.json:
        output.warn("There is no ENCRYPTION_MASTER_KEY: notes and environments are left out.")


@command(*one_id("run template"), option("name", metavar="TEXT", help="Name of the run template."), FIELDS_OPTION)
async def get_run_template(output: Output, options: Options) -> None:
    """Show a run template."""
    number = chosen_id(options)
    if not (number or options.name):
        raise click.UsageError("Which run template? Give --id or --name.")
    async with reading() as reader:
        found = the_one(await reader.rows("run_template.find", number, options.name), "run-template")
        if output.shows("note", tuple(found)):
            await reader.reveal([found], "run_template", "note")
        if output.shows("environment", tuple(found)):
            await show_environments(reader, [found], "run_template")
    output.record(found, zone)


@command(
    option(
        "tolerance-hours",
        type=Count(0),
        metavar="N",
        default=TOLERANCE,
        help=f"So many hours late is not late; {TOLERANCE} unless told.",
    ),
    FIELDS_OPTION,
)
async def list_stale(output: Output, options: Options) -> None:
    """List the run templates that should have run and did not.

    Nobody scheduled them (is a scheduler running?), their job waits for a place (are they paused, or at a limit, or is
    there no executor with their labels?), or their newest window saw no attempt.
    """
    if options.tolerance_hours > MOST_HOURS:
        raise click.UsageError(f"At most {MOST_HOURS} hours can be tolerated.")
    async with reading() as reader:
        found = await reader.rows("run_template.stale", options.tolerance_hours)
    output.rows(found, STALE_SHOWN, zone)
