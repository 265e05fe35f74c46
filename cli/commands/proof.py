"""Proofs that anybody can check without the database."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import msgspec

from cli.command import Options, command, option
from cli.commands.audit import HEAD_FILE, read_head
from cli.failure import RefusedError
from cli.output import Output
from cli.values import PUBLIC_KEY, Count
from eventstore.proofs import check_consistency, check_inclusion, prove_consistency, prove_inclusion
from eventstore.settings import load

_EVENT = re.compile(r"([A-Za-z_]+-[A-Za-z0-9_-]+)@([1-9][0-9]{0,8})")
_KIND = "multiflexi-consistency-proof-1"
TO_FILE = option("file", type=click.Path(dir_okay=False, path_type=Path), help="Write the proof here instead.")


@command(
    click.Argument(["event"], metavar="STREAM@VERSION"),
    option("head", type=Count(1), metavar="N", help="Number of the head; the newest unless told."),
    TO_FILE,
)
async def prove_event(output: Output, options: Options) -> None:
    """Prove that an event is in the log under a signed tree head.

    The proof is a JSON document with the event, its path in the tree and the head; audit:check checks it with nothing
    but the public key. An event is named by its stream and version, e.g. company-7@1; audit:list shows both.
    """
    match = _EVENT.fullmatch(options.event)
    if match is None:
        raise click.UsageError(f"“{options.event[:60]}” names no event: expected STREAM@VERSION, e.g. company-7@1.")
    give(
        await prove_inclusion(load().url_of("auditor"), match[1], int(match[2]), head_id=options.head),
        output,
        options.file,
    )


@command(
    option("first", type=HEAD_FILE, required=True, help="The earlier head, as audit:head --format json wrote it."),
    option("second", type=Count(1), metavar="N", help="Number of the later head; the newest unless told."),
    TO_FILE,
)
async def prove_growth(output: Output, options: Options) -> None:
    """Prove that the log only grew since a head that was kept elsewhere."""
    give(
        await prove_consistency(load().url_of("auditor"), read_head(options.first), options.second),
        output,
        options.file,
    )


@command(
    option("file", type=HEAD_FILE, required=True, help="The proof, as audit:proof or audit:growth wrote it."),
    option("public-key", type=PUBLIC_KEY, multiple=True, required=True, help="Ed25519 key to believe, in hex."),
)
def check_proof(output: Output, options: Options) -> None:
    """Check a proof, without a database."""
    document = read_document(options.file)
    if document.get("format") == _KIND:
        first, second = check_consistency(document, options.public_key)
        told = f"The log of head {first.id} of {first.time.isoformat()} only grew into that of head {second.id}."
        output.answer({"ok": True, "first": first.id, "second": second.id}, told)
        return
    event, head = check_inclusion(document, options.public_key)
    answer = {"ok": True, "stream": event.stream, "version": event.version, "type": event.type, "head": head.id}
    told = f"Event {event.stream}@{event.version} ({event.type}) is in the log under head {head.id}."
    output.answer(answer, f"{told} That head is of {head.time.isoformat()}.")


def give(document: dict[str, Any], output: Output, path: Path | None) -> None:
    """Answer a proof, or write it to a file."""
    if path is None:
        output.document(document)
        return
    try:
        path.write_bytes(msgspec.json.encode(document) + b"\n")
    except OSError as error:
        raise RefusedError(f"{path} cannot be written: {error.strerror}.", field="file") from None
    output.answer({"file": str(path)}, f"The proof is in {path}.")


def read_document(path: Path) -> dict[str, Any]:
    """Return the JSON document in a file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as error:
        raise RefusedError(f"{path} holds no proof: {error}.", field="file") from None
