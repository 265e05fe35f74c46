"""Evidence that the log was not altered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from cli.command import Options, command, option
from cli.failure import MissingError, RefusedError
from cli.output import Output
from cli.progress import Progress
from cli.quiet_log import configure_log
from cli.values import PUBLIC_KEY, Count
from eventstore.head import Head, load_head
from eventstore.settings import load
from eventstore.snapshot import snapshot
from eventstore.store import EventStore
from eventstore.verify import Verification, verify

HEAD_FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@command(
    option("public-key", type=PUBLIC_KEY, multiple=True, help="Believe only this Ed25519 key, in hex."),
    option("head", type=HEAD_FILE, help="A head that was kept elsewhere (audit:head): the log must still contain it."),
)
async def verify_log(output: Output, options: Options) -> int:
    """Recompute all hashes, trees and signatures of the log.

    Exits with 0 if everything is as it was recorded and signed, and with 1 if not; the answer names the first bad
    event. Without --public-key the signing keys in the database are believed: keep the key elsewhere to find out about
    somebody who replaced those too.
    """
    known = read_head(options.head) if options.head else None
    with Progress("Verifying events", output) as progress:
        found = await verified(options.public_key, known, progress)
    if output.json:
        output.document(found.to_json())
    elif found.ok:
        output.text(
            f"{found.events} events are as they were recorded; {found.heads} signed heads cover {found.signed}."
        )
    else:
        more = "" if found.found == 1 else f" and {found.found - 1} more"
        output.text(f"The log was altered, first here{more}:")
        for finding in found.findings[: None if output.verbose else 10]:
            output.text(f"  {finding.problem}: {finding.detail}")
    return 0 if found.ok else 1


async def verified(keys: tuple[bytes, ...], known: Head | None, progress: Progress) -> Verification:
    """Verify the log; with a master key also that the signing keys are those that it made."""
    settings = load()
    if not settings.master_key:
        return await verify(settings.url_of("auditor"), public_key=keys or None, known_head=known, progress=progress)
    configure_log()
    async with EventStore(settings, role="app", application="multiflexi-cli") as store:
        return await verify(store, public_key=keys or None, known_head=known, progress=progress)


@command(option("id", type=Count(1), help="Number of the head; the newest unless told."))
async def show_head(output: Output, options: Options) -> None:
    """Show a signed tree head, to be kept elsewhere.

    Keep it where nobody can alter it who can alter the database: audit:verify --head tells whether the log still
    contains it.
    """
    async with snapshot(load().url_of("auditor")) as connection:
        head = await load_head(connection, options.id)
    if head is None:
        raise MissingError("There is no such head. The projector signs one a minute while events arrive.")
    if output.json:
        output.document(head.to_json())
        return
    shown: dict[str, Any] = {
        "id": head.id,
        "time": head.time,
        "cursor": str(head.cursor),
        "events": sum(tree.size for tree in head.trees.values()),
        "public_key": head.public_key.hex(),
        "genuine": head.is_genuine(),
    }
    output.record(shown)


def read_head(path: Path) -> Head:
    """Read a head as ``audit:head --format json`` writes it."""
    try:
        return Head.from_json(msgspec.json.decode(path.read_bytes()))
    except (OSError, msgspec.DecodeError) as error:
        raise RefusedError(f"{path} holds no tree head: {error}.") from None
