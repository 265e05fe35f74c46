"""Application definitions taken into the catalogue from files, folders and addresses, and what each changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from cli.acting import Acting, acting, warn
from cli.command import KEY_OPTION, Options, command, flag, option
from cli.commands.application_changes import content
from cli.documents import chosen_folders, package_folders
from cli.failure import RefusedError
from cli.output import Output
from cli.progress import Progress
from commands.catalogue import BUILT_IN, Assessment, Taken, assess, document_of, files_in, take, take_all, warnings_of
from commands.fetching import is_address
from commands.icons import take_icon
from domain.findings import DocumentError

SOURCE_OPTION = option(
    "file", required=True, metavar="PATH|URL", help="File, folder or address of definitions; - is standard input."
)
DRY_OPTION = flag("dry-run", help="Import nothing; tell what would change.")
LOCAL_OPTION = flag("allow-local", help="The address may be in a private network or on this machine.")


@command(SOURCE_OPTION, DRY_OPTION, LOCAL_OPTION, KEY_OPTION)
async def import_json(output: Output, options: Options) -> int:
    """Import an application definition.

    Or all those of a folder, or the one at an address. An application with the same UUID is brought up to this
    version. What leaves the format without harm is warned of; what changes for run templates in use is told. Exits
    with 1 if a file of a folder was refused; the others are imported. An icon beside the file is taken in, too.
    """
    if options.file != "-" and Path(options.file).is_dir():
        return await import_folders([Path(options.file)], output, dry=options.dry_run)
    if is_address(options.file):
        source = await document_of(options.file, local=options.allow_local)
    else:
        source = content(options.file)
    is_file = options.file != "-" and not is_address(options.file)
    async with acting() as act:
        try:
            if options.dry_run:
                assessed = await assess(act.facts, source)
                for warning in warnings_of(assessed, source):
                    output.warn(str(warning))
                message = f"{assessed.read.name} {assessed.read.version} would be {assessed.outcome}."
                tell(assessed, {"imported": None, "outcome": assessed.outcome}, message, output)
                return 0
            outcome, assessed = await take(act.shell, act.facts, source, act.actor, key=options.idempotency_key)
            if is_file:
                more = await take_icon(act.shell, Path(options.file), assessed.read, outcome.id, act.actor)
                outcome = msgspec.structs.replace(outcome, warnings=(*outcome.warnings, *more))
        except DocumentError as error:
            violations = [str(finding) for finding in error.findings]
            raise RefusedError(error.message, field="file", violations=violations) from None
    warn(outcome, output)
    done = "was imported" if outcome.events or outcome.replayed else "is like that already; nothing was changed"
    tell(assessed, {"imported": outcome.id}, f"Application {outcome.id} {done}.", output)
    return 0


@command(
    option("folder", multiple=True, metavar="PATH", help="Folder with definitions, in place of those of packages."),
    DRY_OPTION,
)
async def sync_applications(output: Output, options: Options) -> int:
    """Import the built-in applications and those of packages.

    Those that are there are brought up to date. Exits with 1 if a file was refused; the others are imported.
    """
    folders = chosen_folders(options.folder)
    return await import_folders(
        folders or [BUILT_IN, *package_folders("MULTIFLEXI_DEFINITIONS")], output, dry=options.dry_run
    )


async def import_folders(folders: Sequence[Path], output: Output, *, dry: bool) -> int:
    """Import the definitions of folders, tell what came of each, and return the exit code."""
    files = list(dict.fromkeys(path for folder in folders for path in files_in(folder)))
    async with acting() as act:
        done = await imported(act, files, output, dry=dry)
    for one in done:
        for warning in one.warnings if output.verbose else ():
            output.warn(f"{one.source}: {warning}")
    summary = {outcome: sum(1 for one in done if one.outcome == outcome) for outcome in OUTCOMES}
    if output.json:
        status = "error" if summary["refused"] else "success"
        output.document({"status": status, "dry_run": dry, "summary": summary, "files": [record(one) for one in done]})
    else:
        rows = [{"outcome": one.outcome, "id": one.id, "name": one.name, "version": one.version} for one in done]
        named = [row | {"file": Path(one.source).name} for row, one in zip(rows, done, strict=True)]
        output.table(("outcome", "id", "name", "version", "file"), named)
        for one in done:
            if one.outcome == "refused":
                output.remark(f"{one.source}: {one.message}")
            elif one.assessment is not None and one.assessment.templates:
                output.remark(f"{one.source}: {len(one.assessment.templates)} run templates are affected.")
        told = ", ".join(f"{count} {outcome}" for outcome, count in summary.items() if count) + "."
        warned = sum(1 for one in done if one.warnings)
        output.remark(
            told + (f" {warned} of them with warnings, which --verbose shows." if warned and not output.verbose else "")
        )
    return 1 if summary["refused"] else 0


OUTCOMES = ("imported", "updated", "unchanged", "refused")


async def imported(act: Acting, files: Sequence[Path], output: Output, *, dry: bool) -> list[Taken]:
    """Import files and show how far it has come."""
    done: list[Taken] = []
    with Progress("Definitions", output) as progress:
        async for one in take_all(act.shell, act.facts, files, act.actor, dry=dry):
            done.append(one)
            progress(len(done), len(files))
    return done


def tell(assessed: Assessment, document: dict[str, Any], text: str, output: Output) -> None:
    """Answer what was imported; what it changed belongs to the answer where it replaced another definition."""
    if assessed.outcome == "updated":
        document = document | {"changes": changes(assessed)}
    output.answer(document, text)
    if not output.json and assessed.outcome == "updated":
        for line in lines(assessed):
            output.text(line)


def record(one: Taken) -> dict[str, Any]:
    """Return what came of a file, for JSON."""
    found: dict[str, Any] = {
        "file": one.source,
        "outcome": one.outcome,
        "id": one.id,
        "name": one.name,
        "version": one.version,
        "message": one.message or None,
        "violations": list(one.violations),
        "warnings": list(one.warnings),
    }
    if one.assessment is not None and one.assessment.outcome == "updated":
        found["changes"] = changes(one.assessment)
    return found


def changes(assessed: Assessment) -> dict[str, Any]:
    """Return what a definition changes, for JSON."""
    difference = assessed.difference
    return {
        "from": assessed.before,
        "to": assessed.read.version,
        "members": [{"name": part.name, "before": part.before, "after": part.after} for part in difference.members],
        "fields": [
            {
                "name": field.name,
                "change": field.kind,
                "parts": [{"name": part.name, "before": part.before, "after": part.after} for part in field.parts],
            }
            for field in difference.fields
        ],
        "used_by": assessed.used_by,
        "looked_at": assessed.looked_at,
        "run_templates": [
            {
                "id": one.id,
                "name": one.name,
                "company_id": one.company_id,
                "effects": [{"field": e.field, "code": e.code, "reason": e.reason} for e in one.effects],
            }
            for one in assessed.templates
        ],
    }


SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def lines(assessed: Assessment) -> list[str]:
    """Return what a definition changes, for people."""
    found = [f"  ~ {part.name}: {short(part.before)} → {short(part.after)}" for part in assessed.difference.members]
    for field in assessed.difference.fields:
        parts = "; ".join(f"{part.name}: {short(part.before)} → {short(part.after)}" for part in field.parts)
        found.append(f"  {SIGNS[field.kind]} {field.name}" + (f" ({parts})" if field.kind == "changed" else ""))
    for one in assessed.templates:
        found += [f"  ! run template {one.id} “{one.name}”: {effect}" for effect in one.effects]
    if assessed.used_by:
        of = f" of the first {assessed.looked_at}" if assessed.looked_at < assessed.used_by else ""
        found.append(f"  {assessed.used_by} run templates use it; {len(assessed.templates)}{of} are affected.")
    return found


def short(text: str | None) -> str:
    """Return a value that fits on a line."""
    if text is None:
        return "nothing"
    return text if len(text) <= 40 else f"{text[:39]}…"
