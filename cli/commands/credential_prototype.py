"""Credential prototypes of the catalogue: listed, shown, written to a file."""

from __future__ import annotations

from typing import Any

import click

from cli.command import FIELDS_OPTION, PAGING, Options, chosen_id, command, one_id, option
from cli.commands.application import in_language
from cli.documents import write_document
from cli.failure import MissingError
from cli.output import Output
from cli.reading import Reader, reading
from domain import credential_definition
from domain.member_order import in_order

SHOWN = ("id", "code", "name", "version", "fields", "types", "updated_at")
FIELDS_SHOWN = ("keyword", "type", "required", "secret", "default", "name")
WHICH = (
    option("uuid", metavar="UUID", help="UUID of the prototype."),
    option("code", metavar="CODE", help="Code of the prototype."),
)


@command(*PAGING, FIELDS_OPTION)
async def list_prototypes(output: Output, options: Options) -> None:
    """List the credential prototypes."""
    async with reading() as reader:
        found = await reader.rows("credential.prototypes", options.limit, options.offset, options.order == "D")
    for row in found.rows:
        row["name"] = in_language(row.pop("names")) or row["name"]
        row["description"] = in_language(row["description"])
        row["tags"] = ",".join(map(str, row["tags"])) if isinstance(row["tags"], list) else row["tags"]
    fields = tuple(name for name in found.fields if name != "names")
    output.rows(type(found)(fields, found.rows), SHOWN)


@command(*one_id("credential prototype"), *WHICH, FIELDS_OPTION)
async def get_prototype(output: Output, options: Options) -> None:
    """Show a credential prototype with its fields and versions."""
    async with reading() as reader:
        found = await prototype(reader, options)
    document = found.pop("definition")
    found["description"] = in_language(found["description"])
    found["name"] = in_language(document["name"])
    named = credential_definition.fields(document)
    found["fields"] = [
        {
            "keyword": field.name,
            "type": field.type,
            "required": field.required,
            "secret": field.secret,
            "default": field.default,
            "name": in_language(field.label),
            "description": in_language(field.description),
            "hint": in_language(field.hint),
            "options": list(field.options) or None,
        }
        for field in named.values()
    ]
    if output.json or output.fields:
        output.record(found)
        return
    listed = found.pop("fields")
    found["versions"] = ", ".join(one["version"] or "(none)" for one in found["versions"])
    output.record(found)
    if listed:
        output.text("")
        output.table(FIELDS_SHOWN, listed)


@command(
    *one_id("credential prototype"),
    *WHICH,
    option("file", required=True, metavar="PATH", help="File to write; - is standard output."),
    option("prototype-version", metavar="VERSION", help="An older version, in place of the newest."),
)
async def export_json(output: Output, options: Options) -> None:
    """Write a credential prototype to a file, as it was imported."""
    async with reading() as reader:
        found = await prototype(reader, options)
        document = found["definition"]
        if options.prototype_version:
            older = await reader.row("credential.prototype_version", found["id"], options.prototype_version)
            if older is None:
                raise MissingError(f"{found['code']} has had no version {options.prototype_version}.")
            document = in_order(older["definition"], older["member_order"])
    if not write_document(output, options.file, document, indent=2):
        return
    message = f"Credential prototype {found['code']} was written to {options.file}."
    output.answer({"status": "success", "message": message, "file": options.file}, message)


async def prototype(reader: Reader, options: Options) -> dict[str, Any]:
    """Return the prototype that options name by id, UUID or code.

    Raises
    ------
    MissingError
        There is none.
    click.UsageError
        None was named.
    """
    number = chosen_id(options)
    if not (number or options.uuid or options.code):
        raise click.UsageError("Which credential prototype? Give --id, --uuid or --code.")
    found = await reader.row("credential.prototype", number, options.uuid and options.uuid.lower(), options.code)
    if found is None:
        raise MissingError(
            "There is no such credential prototype. `multiflexi-cli credential-prototype:list` shows those there are."
        )
    found["definition"] = in_order(found["definition"], found.pop("member_order"))
    return found
