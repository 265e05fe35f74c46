"""The catalogue brought up to date from files, folders and addresses, with what each definition changes told before."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import msgspec

from commands import applications
from commands.actor import Actor
from commands.facts import Facts
from commands.fetching import fetch
from commands.icons import take_icon
from commands.preparing import Executes, Outcome
from domain import definition
from domain.definition_diff import Difference, Effect, compare, judge
from domain.environment import environment_in
from domain.errors import DomainError, ValidationError
from domain.event import Erased
from domain.findings import DocumentError, Finding
from domain.json_places import located
from domain.member_order import in_order

PATTERNS = ("*.multiflexi.app.json", "*.app.json")
"""Names of files that hold definitions."""

MOST_FILES = 2_000
LOOKED_AT = 500
"""Run templates that are looked at when a definition is imported, which is not to take long; a dry run looks at all."""

BUILT_IN = Path(__file__).resolve().parent.parent / "integrations"
"""Where the definitions of the project's own applications are."""


class TemplateEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What a newer definition means for a run template that uses it."""

    id: int
    name: str
    company_id: int
    effects: tuple[Effect, ...]


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What importing a definition would do, before it is done.

    Attributes
    ----------
    outcome : str
        ``imported`` (it is new), ``updated`` or ``unchanged``.
    application_id : int or None
        The application that it is another version of.
    before : str or None
        Version that it has now.
    read : Definition
        The definition.
    difference : Difference
        What differs; nothing for a new one.
    templates : tuple[TemplateEffect, ...]
        Run templates for whose jobs something changes.
    used_by, looked_at : int
        How many run templates use it, and at how many of them was looked.
    """

    outcome: str
    application_id: int | None
    before: str | None
    read: definition.Definition
    difference: Difference = Difference()
    templates: tuple[TemplateEffect, ...] = ()
    used_by: int = 0
    looked_at: int = 0


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one source: ``imported``, ``updated``, ``unchanged`` or ``refused``, and why."""

    source: str
    outcome: str
    id: int | None = None
    name: str | None = None
    version: str | None = None
    message: str = ""
    warnings: tuple[str, ...] = ()
    violations: tuple[str, ...] = ()
    assessment: Assessment | None = None


async def assess(facts: Facts, source: bytes | str, most: int | None = None) -> Assessment:
    """Return what importing a definition would do. The run templates are those that the facts show.

    Parameters
    ----------
    facts : Facts
        What the caller may see.
    source : bytes or str
        JSON text of the definition.
    most : int or None
        At most so many run templates are looked at, those of the lowest ids; None: all.

    Raises
    ------
    DocumentError
        It is no definition.
    """
    read = definition.read(source)
    row = await facts.row("application_document", read.uuid, most)
    if row is None:
        return Assessment(outcome="imported", application_id=None, before=None, read=read)
    if row["digest"] == read.digest:
        return Assessment(outcome="unchanged", application_id=row["id"], before=row["version"], read=read)
    before: dict[str, Any] = in_order(json.loads(row["definition"]), json.loads(row["member_order"]))
    told = judge(before, read.document)
    users: list[dict[str, Any]] = json.loads(row["templates"])
    places = [(one.pop("environment"), f"run_template-{one['id']}|environment") for one in users]
    judged = users if told else []
    # Many templates set the same, and what that means is told once.
    known: dict[str | Erased | None, Any] = {}
    affected: list[TemplateEffect] = []
    for one, clear in zip(judged, await facts.opened(places if judged else []), strict=True):
        if clear not in known:
            known[clear] = told(environment_in(clear)) if told else ()
        if known[clear]:
            affected.append(TemplateEffect(effects=known[clear], **one))
    return Assessment(
        outcome="updated",
        application_id=row["id"],
        before=row["version"],
        read=read,
        difference=compare(before, read.document),
        templates=tuple(sorted(affected, key=lambda one: one.id)),
        used_by=row["used_by"],
        looked_at=len(users),
    )


async def take(
    shell: Executes, facts: Facts, source: bytes | str, actor: Actor, *, key: str | None = None, by: str = "cli"
) -> tuple[Outcome, Assessment]:
    """Import a definition; return what was done, with the lines of what it was warned of, and what it changed.

    ``facts`` are what the actor may see, ``by`` is the way: ``cli``, ``web``.

    Raises
    ------
    DocumentError
        It is no definition.
    """
    assessed = await assess(facts, source, LOOKED_AT)
    outcome = await applications.import_read(shell, assessed.read, actor, key=key, source_name=by)
    warnings = located((*outcome.warnings, *of_versions(assessed)), source)
    return msgspec.structs.replace(outcome, warnings=warnings), assessed


def warnings_of(assessed: Assessment, source: bytes | str) -> tuple[Finding, ...]:
    """Return what a definition is warned of before it is imported, with the lines."""
    return located((*assessed.read.warnings, *of_versions(assessed)), source)


def of_versions(assessed: Assessment) -> tuple[Finding, ...]:
    """Return what is odd about the version of a definition that takes the place of another one."""
    before, after = assessed.before, assessed.read.version
    if assessed.outcome != "updated" or not before or not after:
        return ()
    if after == before:
        told = f"version {after} was imported before with other content; raise the version."
        return (Finding("/version", "version_same", told),)
    if _older(after, before):
        told = f"version {after} is older than {before}, whose place it takes; export-json has both."
        return (Finding("/version", "version_older", told),)
    return ()


def _older(version: str, other: str) -> bool:
    """Tell whether a version of numbers and dots is before another one; nobody can tell of any else."""
    parts = [one.split(".") for one in (version, other)]
    if not all(part.isascii() and part.isdigit() for numbers in parts for part in numbers):
        return False
    first, second = ([int(part) for part in numbers] for numbers in parts)
    return first < second


def files_in(folder: Path) -> list[Path]:
    """Return the files of definitions in a folder and those below; links that lead out of it are not followed.

    Raises
    ------
    ValidationError
        There are too many, or none.
    """
    root = folder.resolve()
    found: dict[Path, None] = {}
    for pattern in PATTERNS:
        for path in sorted(folder.rglob(pattern)):
            if path.is_file() and path.resolve().is_relative_to(root):
                found.setdefault(path)
            if len(found) > MOST_FILES:
                raise _refused(f"{folder} holds more than {MOST_FILES} definitions.", "too_many_files")
    if not found:
        raise _refused(f"{folder} holds no file named {' or '.join(PATTERNS)}.", "no_files")
    return sorted(found)


async def take_all(
    shell: Executes, facts: Facts, sources: Iterable[Path], actor: Actor, *, dry: bool = False
) -> AsyncIterator[Taken]:
    """Import files one after another, each by itself: one that is refused does not keep the others out.

    Parameters
    ----------
    shell : Executes
        Executes the commands.
    facts : Facts
        What the actor may see.
    sources : Iterable[Path]
        Files.
    actor : Actor
        Who imports them.
    dry : bool
        Nothing is imported; what would be is told.
    """
    for path in sources:
        yield await _taken(shell, facts, path, actor, dry=dry)


async def _taken(shell: Executes, facts: Facts, path: Path, actor: Actor, *, dry: bool) -> Taken:
    try:
        source = applications.file_text(path)
        if dry:
            assessed = await assess(facts, source)
            number, warnings = (
                assessed.application_id,
                located((*assessed.read.warnings, *of_versions(assessed)), source),
            )
        else:
            outcome, assessed = await take(shell, facts, source, actor)
            more = await take_icon(shell, path, assessed.read, outcome.id, actor)
            number, warnings = outcome.id, (*outcome.warnings, *more)
    except DocumentError as error:
        places = tuple(str(finding) for finding in error.findings)
        return Taken(source=str(path), outcome="refused", message=error.message, violations=places)
    except DomainError as error:
        return Taken(source=str(path), outcome="refused", message=error.message)
    return Taken(
        source=str(path),
        outcome=assessed.outcome,
        id=number,
        name=assessed.read.name,
        version=assessed.read.version,
        warnings=tuple(str(warning) for warning in warnings),
        assessment=assessed,
    )


def _refused(message: str, code: str) -> ValidationError:
    return ValidationError(message, field="file", code=code)


async def document_of(address: str, *, local: bool = False) -> bytes:
    """Return the bytes of a definition at an address; see :func:`commands.fetching.fetch`."""
    return (await fetch(address, largest=definition.LARGEST, local=local)).content
