"""The audit trail: who changed what and when."""

from __future__ import annotations

from cli.command import FIELDS_OPTION, Options, command, option
from cli.output import Output, local_zone
from cli.reading import reading
from cli.values import ID, Count

SHOWN = ("position", "time", "actor", "source", "stream", "version", "type", "changes")
USUAL = 100
"""Entries shown when nobody says how many."""


@command(
    option("company_id", type=ID, help="Only changes of this company."),
    option("stream", metavar="NAME", help="Only changes of this stream, e.g. company-7."),
    option("actor", metavar="NAME", help="Only changes by this actor, e.g. user:1 or system."),
    option("before", type=Count(1), metavar="POSITION", help="Only changes before this position: the next page."),
    option("limit", type=Count(1), metavar="N", default=USUAL, help=f"At most so many; {USUAL} unless told."),
    FIELDS_OPTION,
)
async def list_trail(output: Output, options: Options) -> None:
    """List who changed what and when, newest first."""
    async with reading() as reader:
        found = await reader.rows(
            "audit.list", options.company_id, options.stream, options.actor, options.before, options.limit
        )
        if output.shows("changes", SHOWN):
            await reader.reveal_at(
                (row["changes"], field, row["stream"]) for row in found.rows for field in list(row["changes"])
            )
        zone = await reader.zones(found.rows) if not output.json else local_zone
        output.rows(found, SHOWN, zone)
