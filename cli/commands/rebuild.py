"""Read models built anew."""

from __future__ import annotations

import click

from cli.command import Options, command, flag
from cli.output import Output
from cli.progress import Progress
from eventstore.settings import load
from projections.rebuild import rebuild
from projections.registry import ALL


@command(
    click.Argument(["names"], nargs=-1, metavar="[NAME]..."),
    flag("all", help="All of them, in one pass over the log."),
)
def rebuild_projections(output: Output, options: Options) -> None:
    """Build read models anew while the old ones serve.

    The new ones are built beside the old ones and swapped in at the end, in one transaction.
    """
    if bool(options.names) == options.all:
        raise click.UsageError("Which read models? Name them, or give --all.")
    names = [projection.name for projection in ALL] if options.all else list(dict.fromkeys(options.names))
    with Progress("Folding events", output) as progress:
        events = rebuild(load().url_of("owner"), names, progress)
    output.answer({"rebuilt": names, "events": events}, f"Rebuilt {', '.join(names)} from {events} events.")
