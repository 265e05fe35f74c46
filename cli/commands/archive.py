"""Months of the log moved into files, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.command import FIELDS_OPTION, Options, command, flag, option
from cli.commands.audit import HEAD_FILE
from cli.output import Output, Rows
from cli.reading import reading
from cli.values import PUBLIC_KEY
from eventstore.archive import archive, attach, sealed_months
from eventstore.archive_file import Manifest, verify_archive
from eventstore.settings import load

SHOWN = ("partition", "state", "from_time", "until_time", "events", "file_kept", "archived_at")
ARCHIVED = """
    SELECT a.partition, CASE WHEN a.attached_at IS NULL THEN 'archived' ELSE 'attached' END AS state, a.class,
           a.from_time, a.until_time, a.events, encode(a.root, 'hex') AS root, a.file_kept, a.archived_at, a.attached_at
      FROM archived_partitions a ORDER BY a.from_time, a.partition
"""


@command(
    click.Argument(["partition"], metavar="PARTITION"),
    option("file", type=click.Path(dir_okay=False, path_type=Path), help="File to write."),
    flag("without-file", help="Drop the month for good, which only output allows."),
)
async def create_archive(output: Output, options: Options) -> None:
    """Write a sealed month to a file and detach it from the log.

    archive:list tells which months are sealed. The tree of the month stays in all later heads, so what was in it
    remains provable; archive:attach puts it back. Repeat the command after an interruption.
    """
    if (options.file is None) != options.without_file:
        raise click.UsageError("Where to? Give --file PATH, or --without-file to drop a month of output.")
    manifest = await archive(load().url_of("owner"), options.partition, options.file)
    where = f"is in {options.file}" if options.file else "was dropped"
    tell(manifest, f"{manifest.partition} with {manifest.events} events {where}.", options.file, output)


@command(option("file", type=HEAD_FILE, required=True, help="File of an archived month."))
async def attach_archive(output: Output, options: Options) -> None:
    """Attach an archived month to the log again.

    Everything is checked before it becomes part of the log.
    """
    manifest = await attach(load().url_of("owner"), options.file)
    text = f"{manifest.partition} with {manifest.events} events is in the log again."
    tell(manifest, text, options.file, output)


@command(
    option("file", type=HEAD_FILE, required=True, help="File of an archived month."),
    option("public-key", type=PUBLIC_KEY, multiple=True, help="Believe only this Ed25519 key, in hex."),
)
def check_archive(output: Output, options: Options) -> None:
    """Check the file of an archived month, without a database.

    Recomputes every event, their order, the tree and the signature. Without --public-key only that the head was signed
    by the key that it names.
    """
    manifest = verify_archive(options.file, options.public_key or None)
    text = f"{options.file} holds {manifest.partition}: {manifest.events} events as they were recorded and signed."
    tell(manifest, text, options.file, output)


@command(FIELDS_OPTION)
async def list_archives(output: Output, options: Options) -> None:
    """List the months that were archived, and those that can be."""
    async with reading() as reader:
        found = await reader.fetch(ARCHIVED)
    known = {row["partition"] for row in found.rows if row["state"] == "archived"}
    attached = {row["partition"]: row for row in found.rows if row["state"] == "attached"}
    for name in await sealed_months(load().url_of("owner")):
        if name in attached:
            attached[name]["state"] = "sealed"
        elif name not in known:
            found.rows.append(dict.fromkeys(found.fields) | {"partition": name, "state": "sealed"})
    output.rows(Rows(found.fields, found.rows), SHOWN)


def tell(manifest: Manifest, text: str, path: Path | None, output: Output) -> None:
    """Answer which month it was."""
    document: dict[str, Any] = {
        "partition": manifest.partition,
        "events": manifest.events,
        "from_time": manifest.from_time,
        "until_time": manifest.until_time,
        "root": manifest.root,
        "file": None if path is None else str(path),
    }
    output.answer(document, text)
