"""Companies and applications that options name, by id, code or UUID."""

from __future__ import annotations

from typing import Any

import click

from cli.command import Options
from cli.failure import MissingError, RefusedError
from cli.output import Rows
from cli.reading import Reader
from cli.values import LARGEST_ID

MOST_NAMED = 10
"""So many ids are named where a name means several things; queries answer one row more."""


async def company_id(reader: Reader, options: Options) -> int | None:
    """Return the id of the company that ``--company_id`` or ``--company`` (code or id) names; None: neither was given.

    Raises
    ------
    MissingError
        There is no company of that code.
    click.UsageError
        Both were given, and they differ.
    """
    named: str | None = options.company
    if named is None:
        number: int | None = options.company_id
        return number
    if named.isascii() and named.isdigit() and 1 <= int(named) <= LARGEST_ID:
        found: int | None = int(named)
    else:
        row = await reader.row("company.find", None, named, None, None)
        found = row["id"] if row else None
    if found is None:
        raise MissingError(f"There is no company “{named}”. `multiflexi-cli company:list` shows those there are.")
    if options.company_id not in (None, found):
        raise click.UsageError("--company_id and --company name different companies. Give one.")
    return found


async def application_id(reader: Reader, options: Options) -> int | None:
    """Return the id of the application that ``--app_id`` (id or UUID) or ``--app_uuid`` names; None: neither was given.

    Raises
    ------
    MissingError
        There is no application of that UUID.
    click.UsageError
        Both were given, and they differ.
    """
    named = [str(value) for value in (options.app_uuid, options.app_id) if isinstance(value, str)]
    ids = {options.app_id} if isinstance(options.app_id, int) else set[int]()
    for uuid in named:
        row = await reader.row("application.find", None, uuid.lower(), None)
        if row is None:
            raise MissingError(
                f"There is no application {uuid}. `multiflexi-cli application:list` shows those there are."
            )
        ids.add(row["id"])
    if len(ids) > 1:
        raise click.UsageError("--app_id and --app_uuid name different applications. Give one.")
    return next(iter(ids), None)


def the_one(found: Rows, entity: str) -> dict[str, Any]:
    """Return the only row of those that were looked for by a name or another value that several may have.

    Parameters
    ----------
    found : Rows
        Rows with an ``id``, by id.
    entity : str
        Entity of the command, e.g. ``run-template``.

    Raises
    ------
    MissingError
        There is none.
    RefusedError
        There are several: nobody can tell which is meant.
    """
    what = entity.replace("-", " ")
    if not found.rows:
        raise MissingError(f"There is no such {what}. `multiflexi-cli {entity}:list` shows those there are.")
    if len(found.rows) > 1:
        ids = [str(row["id"]) for row in found.rows]
        listed = ", ".join(ids[:MOST_NAMED]) + (" and more" if len(ids) > MOST_NAMED else "")
        raise RefusedError(f"There is more than one such {what}: {listed}. Give its id: --id {ids[0]}.")
    return found.rows[0]
