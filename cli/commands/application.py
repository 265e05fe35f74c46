"""Applications of the catalogue."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import click

from cli.command import FIELDS_OPTION, PAGING, Options, chosen_id, command, one_id, option
from cli.failure import MissingError
from cli.finding import the_one
from cli.output import Output, Rows
from cli.reading import reading
from domain.definition import fields

SHOWN = ("id", "name", "version", "executable", "enabled", "DatUpdate")
SETTING = ("name", "type", "required", "default", "secret", "category", "description")
JOINED = ("tags", "requirements")


@command(
    option("search", metavar="TEXT", help="Only those with words that begin so in name, description, tags and more."),
    option("tag", metavar="WORD", help="Only those with this tag, topic, category or requirement."),
    *PAGING,
    FIELDS_OPTION,
)
async def list_applications(output: Output, options: Options) -> None:
    """List the applications."""
    async with reading() as reader:
        found = await reader.rows("application.list", *page(options), options.search, options.tag, None)
    for row in found.rows:
        spoken(row)
    output.rows(found, SHOWN)


@command(
    *one_id("application"),
    option("uuid", metavar="UUID", help="UUID of the application."),
    option("name", metavar="TEXT", help="Name of the application."),
    FIELDS_OPTION,
)
async def get_application(output: Output, options: Options) -> None:
    """Show an application.

    For people without its definition, unless --verbose or --fields definition asks for it.
    """
    number = chosen_id(options)
    if not (number or options.uuid or options.name):
        raise click.UsageError("Which application? Give --id, --uuid or --name.")
    async with reading() as reader:
        rows = await reader.rows("application.find", number, options.uuid and options.uuid.lower(), options.name)
    found = the_one(rows, "application")
    if not (output.json or output.verbose or output.fields):
        del found["definition"], found["member_order"], found["names"]
    output.record(spoken(found))


@command(
    *one_id("application"),
    option("uuid", metavar="UUID", help="UUID of the application."),
    FIELDS_OPTION,
)
async def show_config(output: Output, options: Options) -> None:
    """List the settings of an application.

    As its definition has them.
    """
    number = chosen_id(options)
    if not (number or options.uuid):
        raise click.UsageError("Which application? Give --id or --uuid.")
    async with reading() as reader:
        found = await reader.row("application.find", number, options.uuid and options.uuid.lower(), None)
    if found is None:
        raise MissingError("There is no such application. `multiflexi-cli application:list` shows those there are.")
    rows = [
        {name: getattr(field, name) for name in SETTING[:-1]} | {"description": in_language(field.description)}
        for field in fields(found["definition"]).values()
    ]
    output.rows(Rows(SETTING, rows), SETTING)


def page(options: Options) -> tuple[int | None, int, bool]:
    """Return what a query of applications is told of paging."""
    return options.limit, options.offset, options.order == "D"


def spoken(row: dict[str, Any]) -> dict[str, Any]:
    """Put texts in the user's language in place of localized ones, and lists of words into one text, in place."""
    row["description"] = in_language(row["description"])
    for name in JOINED:
        if isinstance(row[name], list):
            row[name] = ",".join(str(word) for word in row[name])
    return row


def in_language(text: object) -> object:
    """Return a text of a definition in the user's language, else in English, else in any.

    Examples
    --------
    >>> in_language("Probe"), in_language({"xx": "Y"})
    ('Probe', 'Y')
    """
    if not isinstance(text, Mapping):
        return text
    user = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    for language in (user[:2].lower(), "en"):
        if language in text:
            return text[language]
    return next(iter(text.values()), None)
