"""Credential prototypes imported, checked, changed and removed, and the catalogue brought up to date from folders."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path

import click

import schema
from cli.acting import acting, warn
from cli.checked import answer_checked
from cli.command import KEY_OPTION, Options, chosen_id, command, flag, one_id, option
from cli.commands.credential_prototype import WHICH, prototype
from cli.documents import chosen_folders, package_folders
from cli.failure import RefusedError
from cli.output import Output
from commands.credential_prototypes import BUILT_IN, files_in, import_prototype, prototype_text, sync
from domain import credential_definition
from domain.credential_prototype import ImportCredentialPrototype, RemoveCredentialPrototype
from domain.errors import DomainError
from domain.findings import DocumentError

FILE_OPTION = option("file", required=True, metavar="PATH", help="JSON file of the prototype; - is standard input.")
DROP_OPTION = flag("drop-used", help="Import it also if it no longer has fields that credentials have values of.")
SCHEMA = Path(schema.__file__).resolve().parent / "json" / "credential-prototype.json"
DETAILS = (
    option("name", metavar="TEXT", help="Name."),
    option("description", metavar="TEXT", help="Description."),
    option("prototype-version", metavar="VERSION", help="Version, e.g. 1.0."),
    option("logo", metavar="FILE", help="File of the logo."),
    option("url", metavar="URL", help="Where there is more about it."),
)
MEMBERS = {"name": "name", "description": "description", "prototype_version": "version", "logo": "logo", "url": "url"}


@command(FILE_OPTION, DROP_OPTION, KEY_OPTION)
async def import_json(output: Output, options: Options) -> None:
    """Import a credential prototype.

    One with the same UUID is brought up to this version. What leaves the format without harm is warned of.
    """
    try:
        source = content(options.file)
        async with acting() as act:
            outcome = await import_prototype(
                act.shell, source, act.actor, drop_used=options.drop_used, key=options.idempotency_key
            )
    except DocumentError as error:
        violations = [str(finding) for finding in error.findings]
        raise RefusedError(error.message, field="file", violations=violations, file=options.file) from None
    except DomainError as error:
        raise RefusedError(error.message, field=error.field, file=options.file) from None
    warn(outcome, output)
    done = "was imported" if outcome.events or outcome.replayed else "is like that already; nothing was changed"
    message = f"Credential prototype {outcome.id} {done}."
    document = {"status": "success", "message": message, "file": options.file, "credential_prototype_id": outcome.id}
    output.answer(document, message)


@command(FILE_OPTION)
def validate_json(output: Output, options: Options) -> int:
    """Check a credential prototype.

    Nothing is imported. Exits with 0 if it can be imported and with 1 if not; every place that is wrong is named.
    """
    return validated(output, options)


@command(FILE_OPTION)
def validate_type(output: Output, options: Options) -> int:
    """Check the definition of a credential type.

    Nothing is imported. Exits with 0 if it can be imported and with 1 if not; every place that is wrong is named.
    """
    return validated(output, options)


def validated(output: Output, options: Options) -> int:
    """Tell whether a document can be imported; return the exit code."""
    source = content(options.file)
    return answer_checked(output, options.file, source, SCHEMA, credential_definition.read, "credential prototype")


@command(
    option("code", required=True, metavar="CODE", help="Unique code: 2 to 64 letters, digits, - and _."),
    option("uuid", metavar="UUID", help="UUID; a fresh one unless told."),
    *DETAILS,
    KEY_OPTION,
)
async def create_prototype(output: Output, options: Options) -> None:
    """Create a credential prototype without fields.

    `import-json` gives it some.
    """
    if not options.name:
        raise click.UsageError("A credential prototype needs a name: --name.")
    document = {"uuid": options.uuid or str(uuid.uuid4()), "code": options.code, "version": "1.0", **members(options)}
    async with acting() as act:
        known = await act.reader.row("credential.prototype", None, document["uuid"].lower(), None)
        if known is not None:
            raise RefusedError(f"There is a prototype with the UUID {document['uuid']} already.", field="uuid")
        wish = ImportCredentialPrototype(definition={**document, "fields": []})
        outcome = await act.execute(wish, options.idempotency_key)
    message = f"Credential prototype {outcome.id} was created."
    output.answer({"status": "success", "message": message, "id": outcome.id, "code": options.code}, message)


@command(*one_id("credential prototype"), *WHICH, *DETAILS, KEY_OPTION)
async def update_prototype(output: Output, options: Options) -> None:
    """Change what a credential prototype is called.

    `import-json` changes its fields.
    """
    changed = members(options)
    if not changed:
        raise click.UsageError("What is to change? Give at least one field, e.g. --name.")
    async with acting() as act:
        found = await prototype(act.reader, options)
        wish = ImportCredentialPrototype(definition={**found["definition"], **changed})
        outcome = await act.execute(wish, options.idempotency_key)
    text = f"Credential prototype {outcome.id} was changed."
    output.answer({"updated": bool(outcome.events), "id": outcome.id}, text)


@command(*one_id("credential prototype"), *WHICH, KEY_OPTION)
async def delete_prototype(output: Output, options: Options) -> None:
    """Remove a credential prototype.

    It is refused while credential types are made of it.
    """
    async with acting() as act:
        number = chosen_id(options) or (await prototype(act.reader, options))["id"]
        await act.execute(RemoveCredentialPrototype(credential_prototype_id=number), options.idempotency_key)
    output.answer({"deleted": True, "id": number}, f"Credential prototype {number} was removed.")


@command(
    option("folder", multiple=True, metavar="PATH", help="Folder with prototypes, in place of those of packages."),
    DROP_OPTION,
)
async def sync_prototypes(output: Output, options: Options) -> int:
    """Import the built-in prototypes and those of packages.

    Those that are there are brought up to date. Exits with 1 if a file was refused; the others are imported.
    """
    folders = chosen_folders(options.folder) or [BUILT_IN, *package_folders("MULTIFLEXI_PROTOTYPES")]
    async with acting() as act:
        done = await sync(act.shell, files_in(folders), act.actor, drop_used=options.drop_used)
    refused = [one for one in done if one.outcome == "refused"]
    for one in done:
        for warning in one.warnings if output.verbose else ():
            output.warn(f"{one.file}: {warning}")
    rows = [
        {"file": one.file, "outcome": one.outcome, "id": one.id, "code": one.code, "message": one.message or None}
        for one in done
    ]
    if output.json:
        files = [row | {"warnings": list(one.warnings)} for row, one in zip(rows, done, strict=True)]
        output.document({"status": "error" if refused else "success", "files": files})
    elif rows:
        output.table(("outcome", "id", "code", "file"), rows)
        for one in refused:
            output.remark(f"{one.file}: {one.message}")
    else:
        output.remark("There are none.")
    return 1 if refused else 0


def members(options: Options) -> dict[str, str]:
    """Return the members of a document that options give."""
    found = ((member, getattr(options, name)) for name, member in MEMBERS.items())
    return {member: value for member, value in found if value is not None}


def content(path: str) -> bytes:
    """Return the bytes of a file, or of standard input."""
    return sys.stdin.buffer.read(credential_definition.LARGEST + 1) if path == "-" else prototype_text(path)
