"""Credential types: what a company uses of a prototype, with the values that its credentials share."""

from __future__ import annotations

from typing import Any

import click

from cli.acting import acting, warn
from cli.command import FIELDS_OPTION, KEY_OPTION, PAGING, Options, chosen_id, command, one_id, option, required_id
from cli.commands.credential_prototype_changes import DROP_OPTION, FILE_OPTION, content
from cli.credential_values import UNSET_OPTION, VALUES, given_values, warn_of_line
from cli.failure import MissingError, RefusedError
from cli.finding import company_id
from cli.output import Output
from cli.reading import Reader, reading
from cli.values import ID
from commands.credential_prototypes import import_prototype
from commands.credential_showing import shown
from domain.credential_definition import fields, read
from domain.credential_type import ChangeCredentialType, CreateCredentialType, RemoveCredentialType
from domain.event import UNSET
from domain.findings import DocumentError

SHOWN = ("id", "name", "company_slug", "prototype", "version", "credentials")
COMPANY = (
    option("company_id", type=ID, help="Company, by id."),
    option("company", metavar="CODE|ID", help="Company, by code or id."),
)
NAME = option("name", "--label", metavar="TEXT", help="Name of the type, e.g. “Production”.")
CLASS = option("class", "--prototype", metavar="CODE|ID", help="Prototype, by code or id.")


@command(*COMPANY, *PAGING, FIELDS_OPTION)
async def list_types(output: Output, options: Options) -> None:
    """List the credential types."""
    async with reading() as reader:
        owner = await company_id(reader, options)
        found = await reader.rows("credential.types", owner, options.limit, options.offset, options.order == "D")
    output.rows(found, SHOWN)


@command(*one_id("credential type"), option("uuid", metavar="UUID", help="UUID of the type."), FIELDS_OPTION)
async def get_type(output: Output, options: Options) -> None:
    """Show a credential type.

    Secrets are masked.
    """
    async with reading() as reader:
        found = await the_type(reader, options)
        values = await shown(await reader.keyring(), found)
    for name in ("definition", "shared", "values"):
        del found[name]
    found["values"] = {name: one.text for name, one in values.items()}
    if output.json or output.fields:
        output.record(found)
        return
    pairs = found.pop("values")
    output.record({**found, "credentials": ", ".join(map(str, found["credentials"])) or None, **pairs})


@command(*COMPANY, CLASS, NAME, *VALUES, KEY_OPTION)
async def create_type(output: Output, options: Options) -> None:
    """Let a company use a credential prototype.

    Values that are given here are shared by all credentials of the type.
    """
    prototype_named = getattr(options, "class")
    if not prototype_named:
        raise click.UsageError("Which prototype? Give its code: --class FioBank.")
    async with acting() as act:
        owner = await company_id(act.reader, options)
        if owner is None:
            raise click.UsageError("Which company? Give --company_id or --company.")
        prototype = await the_prototype(act.reader, prototype_named)
        wish = CreateCredentialType(
            company_id=owner,
            credential_prototype_id=prototype["id"],
            name=options.name or prototype["name"],
            values=given_values(options),
        )
        outcome = await act.execute(wish, options.idempotency_key)
    warn(outcome, output)
    warn_of_line(options, secrets_of(prototype), output)
    output.answer({"credential_type_id": outcome.id}, f"Credential type {outcome.id} was created.")


@command(
    *one_id("credential type"),
    option("uuid", metavar="UUID", help="UUID of the type."),
    NAME,
    CLASS,
    *VALUES,
    UNSET_OPTION,
    KEY_OPTION,
)
async def update_type(output: Output, options: Options) -> None:
    """Change a credential type.

    An empty value leaves a field as it is, --unset takes its value away.
    """
    values = given_values(options)
    if options.name is None and not values:
        raise click.UsageError("What is to change? Give --name, or --field KEY=VALUE.")
    async with acting() as act:
        found = await the_type(act.reader, options)
        wanted = getattr(options, "class")
        if wanted and wanted.lower() not in (found["prototype"].lower(), str(found["prototype_id"])):
            raise RefusedError(
                f"Credential type {found['id']} is of the prototype {found['prototype']}, which stays so. Create "
                "another type.",
                field="class",
            )
        wish = ChangeCredentialType(
            credential_type_id=found["id"], name=UNSET if options.name is None else options.name, values=values
        )
        outcome = await act.execute(wish, options.idempotency_key)
    warn(outcome, output)
    warn_of_line(options, secrets_of(found), output)
    what = "was changed" if outcome.events else "is like that already; nothing was changed"
    output.answer(
        {"updated": bool(outcome.events), "credential_type_id": outcome.id}, f"Credential type {outcome.id} {what}."
    )


@command(*one_id("credential type"), KEY_OPTION)
async def delete_type(output: Output, options: Options) -> None:
    """Remove a credential type.

    It is refused while credentials are of it.
    """
    number = required_id(options, "credential type")
    async with acting() as act:
        await act.execute(RemoveCredentialType(credential_type_id=number), options.idempotency_key)
    output.answer({"deleted": True, "credential_type_id": number}, f"Credential type {number} was removed.")


@command(FILE_OPTION, *COMPANY, NAME, DROP_OPTION, KEY_OPTION)
async def import_json(output: Output, options: Options) -> None:
    """Import the definition of a credential type.

    It becomes a prototype of the catalogue; with a company, a type of it is made there, too.
    """
    try:
        source = content(options.file)
        document = read(source)
    except DocumentError as error:
        violations = [str(finding) for finding in error.findings]
        raise RefusedError(error.message, field="file", violations=violations, imported=False) from None
    async with acting() as act:
        owner = await company_id(act.reader, options)
        outcome = await import_prototype(act.shell, source, act.actor, drop_used=options.drop_used)
        type_id = None
        if owner is not None:
            wish = CreateCredentialType(
                company_id=owner, credential_prototype_id=outcome.id, name=options.name or document.name
            )
            type_id = (await act.execute(wish, options.idempotency_key)).id
    warn(outcome, output)
    answer: dict[str, Any] = {"status": "success", "file": options.file, "credential_type_id": type_id}
    answer |= {"uuid": document.uuid, "code": document.code, "imported": True, "credential_prototype_id": outcome.id}
    made = f", credential type {type_id} was made of it" if type_id is not None else ""
    output.answer(answer, f"Credential prototype {outcome.id} was imported{made}.")


async def the_type(reader: Reader, options: Options) -> dict[str, Any]:
    """Return the type that options name by id or UUID."""
    number = chosen_id(options)
    if not (number or options.uuid):
        raise click.UsageError("Which credential type? Give --id or --uuid.")
    found = await reader.row("credential.type", number, options.uuid and options.uuid.lower())
    if found is None:
        raise MissingError(
            "There is no such credential type. `multiflexi-cli credential-type:list` shows those there are."
        )
    return found


async def the_prototype(reader: Reader, named: str) -> dict[str, Any]:
    """Return the prototype of a code or an id."""
    found = await reader.row("credential.prototype", None, None, named)
    if found is None and named.isascii() and named.isdigit():
        found = await reader.row("credential.prototype", ID.convert(named, None, None), None, None)
    if found is None:
        raise MissingError(
            f"There is no credential prototype “{named}”. `multiflexi-cli credential-prototype:list` shows them all."
        )
    return found


def secrets_of(row: dict[str, Any]) -> list[str]:
    """Return the names of the fields whose values are secrets."""
    return [name for name, field in fields(row["definition"]).items() if field.secret]
