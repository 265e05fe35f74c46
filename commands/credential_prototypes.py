"""Commands of credential prototypes: the catalogue of kinds of credentials, and what uses it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from commands.actor import Actor
from commands.preparing import Desk, Executes, Outcome, Prepared, filled
from domain import credential_definition
from domain.credential_prototype import ImportCredentialPrototype, RemoveCredentialPrototype
from domain.errors import DomainError, StateError, TakenError, ValidationError
from domain.findings import Finding
from domain.json_places import located

PATTERNS = ("*.credprototype.json", "*.credtype.json", "*.credential-type.json", "*.credential-prototype.json")
"""Names of files that hold prototypes."""

BUILT_IN = Path(__file__).resolve().parent.parent / "integrations"
"""Where the prototypes of the project's own applications are."""


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one file: ``imported``, ``updated``, ``unchanged`` or ``refused``, and why."""

    file: str
    outcome: str
    id: int | None = None
    code: str | None = None
    message: str = ""
    warnings: tuple[str, ...] = ()


async def prepare_import(desk: Desk, command: ImportCredentialPrototype) -> Prepared:
    """Find the prototype that a document is another version of, or give it an id; see that no used field is dropped."""
    read = credential_definition.read(command.definition)
    row = await desk.facts.row("credential_prototype_of_uuid", read.uuid)
    found: int = row["id"] if row is not None else 0
    same_code = await desk.facts.row("credential_prototype_of_code", read.code)
    if same_code is not None and same_code["uuid"] != read.uuid:
        raise TakenError(
            f"The code {same_code['code']} belongs to credential prototype {same_code['id']} with another UUID. Give "
            "the document another code, or remove that prototype.",
            field="code",
            code="credential_prototype_code_taken",
        )
    warnings: list[Any] = list(read.warnings)
    if found and row is not None and row["digest"] != read.digest:
        warnings += await _dropped(desk, found, read, drop_used=command.drop_used)
        if row["version"] == read.version:
            reason = f"version {read.version} was imported before with other content; raise the version."
            warnings.append(Finding("/version", "version_same", reason))
    prototype_id = command.credential_prototype_id or found or (await desk.facts.allocate("credential_prototype"))[0]
    return Prepared(
        command=filled(command, credential_prototype_id=prototype_id),
        fresh=not command.credential_prototype_id and not found,
        warnings=tuple(warnings),
        again_when_taken=("credential_prototype_uuid_key",),
    )


async def _dropped(
    desk: Desk, prototype_id: int, read: credential_definition.Prototype, *, drop_used: bool
) -> list[Finding]:
    """Return a finding for each field in use that a document no longer has; refuse it unless that is wanted."""
    use = await desk.facts.row("credential_prototype_use", prototype_id)
    used: dict[str, int] = msgspec.json.decode(use["fields"]) if use is not None else {}
    before = await desk.facts.row("credential_prototype", prototype_id)
    old = credential_definition.fields(msgspec.json.decode(before["definition"])) if before is not None else {}
    new = credential_definition.fields(read.document)
    gone = {name: count for name, count in used.items() if name in old and name not in new}
    if gone and not drop_used:
        listed = ", ".join(f"{name} ({count} with a value)" for name, count in sorted(gone.items()))
        raise StateError(
            f"The document no longer has fields that are in use: {listed}. Jobs would no longer get them. Keep the "
            "fields, or import it with --drop-used.",
            field="fields",
            code="credential_prototype_field_in_use",
        )
    return [
        Finding("/fields", "field_dropped", f"{name} is no longer given to jobs; {count} values of it stay stored.")
        for name, count in sorted(gone.items())
    ]


async def prepare_remove(desk: Desk, command: RemoveCredentialPrototype) -> Prepared:
    """Refuse to remove a prototype that credential types are made of."""
    use = await desk.facts.row("credential_prototype_use", command.credential_prototype_id)
    if use is not None and use["types"]:
        raise StateError(
            f"{use['types']} credential types are made of credential prototype {command.credential_prototype_id}. "
            "Remove them first.",
            field="credential_prototype_id",
            code="credential_prototype_in_use",
        )
    return Prepared(command=command)


async def import_prototype(
    shell: Executes,
    source: bytes | str,
    actor: Actor,
    *,
    drop_used: bool = False,
    key: str | None = None,
    by: str = "cli",
) -> Outcome:
    """Import the JSON text of a prototype. ``Outcome.warnings`` tells where, and in which line, it leaves the format.

    Raises
    ------
    DocumentError
        It is none; the error holds every place that is wrong.
    """
    read = credential_definition.read(source)
    command = ImportCredentialPrototype(definition=read.document, drop_used=drop_used)
    outcome = await shell.execute(command, actor, key=key, source=by)
    # What only the text shows, such as a name given twice, is known here alone.
    more = [one for one in outcome.warnings if one not in read.warnings]
    return msgspec.structs.replace(outcome, warnings=located((*read.warnings, *more), source))


def prototype_text(path: Path | str) -> bytes:
    """Return the bytes of the file of a prototype.

    Raises
    ------
    ValidationError
        There is no such file, it cannot be read, or it is too large.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > credential_definition.LARGEST:
            raise ValidationError(
                f"{file} has {size} bytes; a credential prototype has at most {credential_definition.LARGEST}.",
                field="file",
                code="prototype_too_large",
            )
        return file.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValidationError(f"{file} cannot be read: {reason}.", field="file", code="file_unreadable") from None


def files_in(folders: Iterable[Path]) -> list[Path]:
    """Return the files of prototypes in folders and those below; links that lead out of them are not followed."""
    found: dict[Path, None] = {}
    for folder in folders:
        root = folder.resolve()
        for pattern in PATTERNS:
            for path in sorted(folder.rglob(pattern)):
                if path.is_file() and path.resolve().is_relative_to(root):
                    found.setdefault(path)
    return list(found)


async def sync(shell: Executes, files: Sequence[Path], actor: Actor, *, drop_used: bool = False) -> list[Synced]:
    """Import files of prototypes, each by itself: one that is refused does not keep the others out."""
    return [await _synced(shell, path, actor, drop_used=drop_used) for path in files]


async def _synced(shell: Executes, path: Path, actor: Actor, *, drop_used: bool) -> Synced:
    try:
        source = prototype_text(path)
        read = credential_definition.read(source)
        known = await shell.facts.row("credential_prototype_of_uuid", read.uuid)
        outcome = await import_prototype(shell, source, actor, drop_used=drop_used)
    except DomainError as error:
        return Synced(file=str(path), outcome="refused", message=error.message)
    said = tuple(str(warning) for warning in outcome.warnings)
    what = "unchanged" if not outcome.events else "updated" if known is not None else "imported"
    return Synced(file=str(path), outcome=what, id=outcome.id, code=read.code, warnings=said)
