"""The queue: jobs that wait."""

from __future__ import annotations

from typing import Any

import click

from cli.command import FIELDS_OPTION, Options, command, option
from cli.output import Output, Rows
from cli.reading import reading
from cli.values import ID, Count

SHOWN = (
    "id",
    "after",
    "waiting",
    "schedule_type",
    "runtemplate_name",
    "app_name",
    "company_slug",
    "executor",
    "priority",
)
DIRECTIONS = ("ASC", "DESC", "A", "D")
TYPES = {
    "n": "manually",
    "i": "minutly",
    "h": "hourly",
    "d": "daily",
    "w": "weekly",
    "m": "monthly",
    "y": "yearly",
    "c": "custom",
}
"""Types of schedules as the queue has always shown them, by interval code; any other type is shown as it is."""

COMPANY = option("company_id", type=ID, help="Only jobs of this company.")


@command(
    COMPANY,
    option("limit", type=Count(1), metavar="N", help="At most so many."),
    option("offset", type=Count(0), metavar="N", default=0, help="Leave out the first so many."),
    option(
        "order",
        type=click.Choice(("after", "id"), case_sensitive=False),
        default="after",
        help="By the moment from which they may start (after, the default), or by id.",
    ),
    option(
        "direction", type=click.Choice(DIRECTIONS, case_sensitive=False), default="ASC", help="ASC (default) or DESC."
    ),
    FIELDS_OPTION,
)
async def list_queue(output: Output, options: Options) -> None:
    """List the jobs that wait."""
    async with reading() as reader:
        found = await reader.rows(
            "queue.list",
            options.company_id,
            options.order.lower() == "id",
            options.direction.upper().startswith("D"),
            options.limit,
            options.offset,
        )
        rows = Rows((*found.fields, "waiting"), [spoken(row) for row in found.rows])
        output.rows(rows, SHOWN, await reader.zones(rows.rows))
        if not output.json:
            figures = await reader.row("queue.figures", options.company_id) or {}
            output.text(f"Total scheduled jobs: {figures['waiting']}")


@command(COMPANY)
async def show_overview(output: Output, options: Options) -> None:
    """Show figures of the queue."""
    async with reading() as reader:
        figures = await reader.row("queue.figures", options.company_id) or {}
        breakdown = (await reader.rows("queue.breakdown", options.company_id)).rows
        horizons = await reader.row("queue.horizons", options.company_id) or {}
    names = ("orphaned", "applications", "companies", "run_templates")
    orphaned, applications, companies, templates = (figures.pop(name) for name in names)
    document: dict[str, Any] = {
        "comprehensive_queue_metrics": figures,
        "orphaned_jobs": orphaned,
        "unique_applications": applications,
        "unique_companies": companies,
        "unique_runtemplates": templates,
        "schedule_breakdown": {type_of(row["schedule_type"]): row["jobs"] for row in breakdown},
        "jobs_today": horizons["today"],
        "jobs_tomorrow": horizons["tomorrow"],
        "jobs_this_week": horizons["this_week"],
        "jobs_this_month": horizons["this_month"],
    }
    if output.json:
        output.document(document)
        return
    shown = {f"jobs {name}".replace("_", " "): value for name, value in figures.items()}
    shown["oldest waits since"] = shown.pop("jobs oldest")
    shown["next start"] = shown.pop("jobs next start")
    types = document.pop("schedule_breakdown")
    del document["comprehensive_queue_metrics"]
    shown |= {name.replace("_", " "): value for name, value in document.items()}
    shown |= {f"type {name}": number for name, number in types.items()}
    output.record(shown)


def spoken(row: dict[str, Any]) -> dict[str, Any]:
    """Put words in place of the interval code, and add how long a job waits, in place."""
    row["schedule_type"] = type_of(row["schedule_type"])
    row["waiting"] = span(row["waiting_seconds"])
    return row


def type_of(kind: str | None) -> str:
    """Return the type of a schedule in words.

    Examples
    --------
    >>> type_of("h"), type_of("adhoc-cli")
    ('hourly', 'adhoc-cli')
    """
    return TYPES.get(kind or "", kind or "")


def span(seconds: float) -> str:
    """Return a span of time as people read it; one that is over is overdue.

    Examples
    --------
    >>> span(9_900), span(40), span(-5), span(180_000), span(60)
    ('2h 45m', '40s', 'overdue', '2d 2h', '1m')
    """
    if seconds <= 0:
        return "overdue"
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{value}{unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")) if value]
    return " ".join(parts[:2]) or "now"
