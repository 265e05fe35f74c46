"""Companies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from cli.command import FIELDS_OPTION, PAGING, Options, chosen_id, command, flag, one_id, option
from cli.finding import the_one
from cli.output import Output, Row
from cli.reading import Reader, reading
from cli.values import ID
from domain.environment import environment_in
from domain.event import Erased
from web.masking import masked

SHOWN = ("id", "name", "slug", "ic", "dic", "enabled", "time_zone", "DatCreate")


def zone(row: Row) -> str | None:
    """Return the time zone of a company."""
    found: str | None = row["time_zone"]
    return found


async def add_environment(reader: Reader, rows: Iterable[dict[str, Any]]) -> None:
    """Put the variables that companies give their jobs into their rows; what looks secret is masked."""
    by_id = {row["id"]: row for row in rows}
    sealed = (await reader.rows("company.environment", list(by_id))).rows
    await reader.reveal(sealed, "company", "environment")
    for found in sealed:
        clear = found["environment"]
        by_id[found["id"]]["environment"] = clear if isinstance(clear, Erased) else masked(environment_in(clear))


@command(
    option("search", metavar="TEXT", help="Only those with words that begin so in name, code, IČO or DIČ."),
    flag("archived", help="Also those in the archive."),
    option("after", type=ID, help="Only those after this id, as the last page ended."),
    *PAGING,
    FIELDS_OPTION,
)
async def list_companies(output: Output, options: Options) -> None:
    """List the companies."""
    async with reading() as reader:
        found = await reader.rows(
            "company.list",
            options.after,
            options.limit,
            options.offset,
            options.order == "D",
            options.search,
            options.archived,
        )
        if output.shows("email", SHOWN):
            await reader.reveal(found.rows, "company", "email")
        output.rows(found, SHOWN, zone)


@command(
    *one_id("company"),
    option("slug", metavar="CODE", help="Code of the company."),
    option("name", metavar="TEXT", help="Name of the company."),
    option("ic", metavar="NUMBER", help="IČO of the company."),
    FIELDS_OPTION,
)
async def get_company(output: Output, options: Options) -> None:
    """Show a company."""
    number = chosen_id(options)
    if not (number or options.slug or options.name or options.ic):
        raise click.UsageError("Which company? Give --id, --slug, --name or --ic.")
    async with reading() as reader:
        found = the_one(await reader.rows("company.find", number, options.slug, options.name, options.ic), "company")
        if output.shows("email", tuple(found)):
            await reader.reveal([found], "company", "email")
        if output.shows("environment", ("environment",)):
            await add_environment(reader, [found])
        output.record(found, zone)
