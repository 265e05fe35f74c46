"""Commands of the catalogue of applications: importing definitions, and what depends on an application."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from commands.actor import Actor
from commands.facts import present
from commands.preparing import TEMPLATE_OWNER, Desk, Executes, Outcome, Prepared, filled
from domain import definition
from domain.application import (
    ChangeApplication,
    DisableApplication,
    EnableApplication,
    ImportApplication,
    RemoveApplication,
)
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import Unset
from domain.member_order import in_order
from domain.run_template import RemoveRunTemplate, RescheduleRunTemplate


async def prepare_import(desk: Desk, command: ImportApplication) -> Prepared:
    """Find the application that a definition is another version of, or give it an id."""
    read = command.read or definition.read(command.definition)
    row = await desk.facts.row("application_of_uuid", read.uuid)
    found: int = row["id"] if row is not None else 0
    application_id = command.application_id or found or (await desk.facts.allocate("application"))[0]
    return Prepared(
        command=filled(command, application_id=application_id, read=read),
        fresh=not command.application_id and not found,
        warnings=read.warnings,
        again_when_taken=("application_uuid_key",),
    )


async def prepare_change(desk: Desk, command: ChangeApplication | EnableApplication | DisableApplication) -> Prepared:
    """Let nothing of an application that is disabled be due, and everything again once it is enabled."""
    wanted = command.enabled if isinstance(command, ChangeApplication) else isinstance(command, EnableApplication)
    row = await desk.facts.row("application", command.application_id)
    if isinstance(wanted, Unset) or row is None or wanted == row["enabled"]:
        return Prepared(command=command)
    templates = await desk.facts.ids("run_templates_scheduled", None, command.application_id)
    again = tuple(RescheduleRunTemplate(run_template_id=one, all=True, application_enabled=wanted) for one in templates)
    return Prepared(command=command, consequences=again)


async def prepare_remove(desk: Desk, command: RemoveApplication) -> Prepared:
    """Let the run templates that use an application go with it, or refuse while there are any."""
    templates = await desk.facts.ids("run_templates", None, command.application_id)
    if templates and not command.cascade:
        raise StateError(
            f"{len(templates)} run templates use application {command.application_id}. Remove them first, or disable "
            "the application.",
            field="application_id",
            code="application_in_use",
        )
    gone = tuple(RemoveRunTemplate(run_template_id=one) for one in templates)
    return Prepared(command=command, consequences=gone, last=True, again_when_taken=(TEMPLATE_OWNER,))


async def import_bytes(
    shell: Executes, source: bytes | str, actor: Actor, *, key: str | None = None, source_name: str = "cli"
) -> Outcome:
    """Import the JSON text of a definition. ``Outcome.warnings`` tells where it leaves the format.

    Raises
    ------
    DocumentError
        It is no definition; the error holds every place that is wrong.
    """
    return await import_read(shell, definition.read(source), actor, key=key, source_name=source_name)


async def import_read(
    shell: Executes, read: definition.Definition, actor: Actor, *, key: str | None = None, source_name: str = "cli"
) -> Outcome:
    """Import a definition whose text was read; see :func:`import_bytes`."""
    outcome = await shell.execute(
        ImportApplication(definition=read.document, read=read), actor, key=key, source=source_name
    )
    # What only the text shows, such as a name given twice, is known here alone.
    return msgspec.structs.replace(outcome, warnings=read.warnings)


async def export_text(shell: Executes, application_id: int, version: str | None = None) -> str:
    """Return the definition of an application as JSON text, its members in the order of their author.

    Importing it again changes nothing.

    Parameters
    ----------
    application_id : int
        The application.
    version : str or None
        One that it had before; the one it has now unless given.

    Raises
    ------
    NotFoundError
        There is no such application, or it never had that version.
    """
    await present(shell.facts, "application", application_id, "application")
    row = await shell.facts.row("application_version", application_id, version)
    if row is None:
        raise NotFoundError(
            f"Application {application_id} has had no version {version}. `application:versions` shows those it had.",
            field="version",
            code="version_not_found",
        )
    document = in_order(json.loads(row["definition"]), json.loads(row["member_order"]))
    return json.dumps(document, ensure_ascii=False, indent=4) + "\n"


async def import_file(
    shell: Executes, path: Path | str, actor: Actor, *, key: str | None = None, source_name: str = "cli"
) -> Outcome:
    """Import a definition from a file; see :func:`import_bytes`."""
    return await import_bytes(shell, file_text(path), actor, key=key, source_name=source_name)


def file_text(path: Path | str) -> bytes:
    """Return the bytes of the file of a definition.

    Raises
    ------
    ValidationError
        There is no such file, it cannot be read, or it is too large for a definition.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > definition.LARGEST:
            raise ValidationError(
                f"{file} has {size} bytes; a definition has at most {definition.LARGEST}.",
                field="file",
                code="definition_too_large",
            )
        return file.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ValidationError(f"{file} cannot be read: {reason}.", field="file", code="file_unreadable") from None
