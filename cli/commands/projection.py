"""Projections: the read models and how far each has come."""

from __future__ import annotations

from cli.command import FIELDS_OPTION, Options, command
from cli.output import Output, Rows
from cli.reading import Reader, reading

SHOWN = ("name", "version", "inline", "position", "lag", "lag_seconds", "event_time")

NEWEST = "SELECT e.position FROM events e ORDER BY e.epoch DESC, e.xid DESC, e.position DESC LIMIT 1"


@command(FIELDS_OPTION)
async def list_projections(output: Output, options: Options) -> None:
    """List the read models and how far each has come.

    The lag is about how many events a read model is behind, and in seconds how old the next event is that it has not
    seen. An inline one moves with every command and is never behind.
    """
    async with reading() as reader:
        output.rows(await standing(reader), SHOWN)


async def standing(reader: Reader) -> Rows:
    """Return where each projection stands; an inline one always stands at the newest event."""
    found = await reader.rows("status.projections")
    newest = (await reader.fetch(NEWEST)).rows
    for row in found.rows:
        if row["inline"] and newest:
            row["position"] = newest[0]["position"]
    return found
