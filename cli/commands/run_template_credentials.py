"""Credentials assigned to run templates, and taken away."""

from __future__ import annotations

from typing import Any

import click

from cli.acting import Acting, acting, warn
from cli.command import FIELDS_OPTION, KEY_OPTION, Options, command, option
from cli.failure import MissingError
from cli.output import Output
from cli.reading import Reader, reading
from cli.values import ID
from domain.credential import CreateCredential
from domain.credential_definition import fields
from domain.run_template import AssignCredential, UnassignCredential
from domain.run_template_events import CredentialAssigned

SHOWN = ("id", "name", "prototype", "status", "fields")
WHICH = (
    click.Argument(["number"], type=ID, required=False, metavar="[ID]"),
    option("id", "--runtemplate", type=ID, help="Id of the run template."),
)
CREDENTIAL = option("credential_id", type=ID, help="Id of the credential.")
TYPE = option("credentialtype", type=ID, help="In its place: a type whose shared values are all that is needed.")


@command(*WHICH, CREDENTIAL, TYPE, KEY_OPTION)
async def assign_credential(output: Output, options: Options) -> None:
    """Let jobs of a run template get the values of a credential.

    Values of the template under the same names are taken away, as they would have no effect; they are told.
    """
    template = template_of(options)
    async with acting() as act:
        credential = options.credential_id or await of_type(act, options.credentialtype)
        wish = AssignCredential(run_template_id=template, credential_id=credential)
        outcome = await act.execute(wish, options.idempotency_key)
        found = await act.reader.row("credential.credential", credential)
    warn(outcome, output)
    removed = [name for event in outcome.events if isinstance(event, CredentialAssigned) for name in event.removed]
    document: dict[str, Any] = {"status": "ok", "runtemplate_id": template, "credential_id": credential}
    document |= {"prototype": found["prototype"] if found else None, "removed": removed}
    if not outcome.events and not outcome.replayed:
        output.answer(document, f"Credential {credential} was assigned already; nothing was changed.")
        return
    gone = f" These values of the template were taken away: {', '.join(removed)}." if removed else ""
    output.answer(document, f"Credential {credential} was assigned to run template {template}.{gone}")


@command(*WHICH, CREDENTIAL, TYPE, KEY_OPTION)
async def unassign_credential(output: Output, options: Options) -> None:
    """Let jobs of a run template no longer get the values of a credential."""
    template = template_of(options)
    async with acting() as act:
        credential = options.credential_id or await assigned_of_type(act.reader, template, options.credentialtype)
        wish = UnassignCredential(run_template_id=template, credential_id=credential)
        await act.execute(wish, options.idempotency_key)
    output.answer(
        {"status": "ok", "runtemplate_id": template, "credential_id": credential},
        f"Credential {credential} was taken from run template {template}.",
    )


@command(*WHICH, FIELDS_OPTION)
async def list_credentials(output: Output, options: Options) -> None:
    """List the credentials of a run template.

    They are in the order in which they were assigned. Of two with the same field the later one counts; which fields a
    credential gives is told.
    """
    template = template_of(options)
    async with reading() as reader:
        if await reader.row("run_template.find", template, None) is None:
            raise MissingError(
                f"There is no run template {template}. `multiflexi-cli run-template:list` shows those there are."
            )
        found = await reader.rows("credential.credentials", None, None, template, None, None, None, False)
        winners: dict[str, int] = {}
        for row in found.rows:
            row["fields"] = await given_fields(reader, row["id"])
            winners.update((name, row["id"]) for name in row["fields"])
    for row in found.rows:
        row["hidden"] = [name for name in row["fields"] if winners[name] != row["id"]]
        row["fields"] = ",".join(name for name in row["fields"] if winners[name] == row["id"])
        row["hidden"] = ",".join(row["hidden"]) or None
    names = (*found.fields, "fields", "hidden")
    hidden = any(row["hidden"] for row in found.rows)
    output.rows(type(found)(names, found.rows), (*SHOWN, "hidden") if hidden else SHOWN)


async def given_fields(reader: Reader, credential: int) -> list[str]:
    """Return the fields that a credential has values of."""
    row = await reader.row("credential.credential", credential)
    if row is None:
        return []
    there = {**(row["shared"] or {}), **(row["values"] or {})}
    return [name for name in fields(row["definition"]) if name in there]


def template_of(options: Options) -> int:
    """Return the run template that options name."""
    found = options.id or options.number
    if found is None:
        raise click.UsageError("Which run template? Give its id: --id 42.")
    if not hasattr(options, "credential_id"):
        return found
    if (options.credential_id is None) == (options.credentialtype is None):
        raise click.UsageError("Which credential? Give --credential_id, or --credentialtype.")
    return found


async def of_type(act: Acting, type_id: int) -> int:
    """Return the credential of a type that has no values of its own; it is made if there is none."""
    found = await act.reader.row("credential.type", type_id, None)
    if found is None:
        raise MissingError(
            f"There is no credential type {type_id}. `multiflexi-cli credential-type:list` shows those there are."
        )
    for credential in found["credentials"]:
        row = await act.reader.row("credential.credential", credential)
        if row is not None and not row["values"]:
            return credential
    return (await act.execute(CreateCredential(name=found["name"], credential_type_id=type_id))).id


async def assigned_of_type(reader: Reader, template: int, type_id: int) -> int:
    """Return the credential of a type that is assigned to a run template."""
    found = await reader.rows("credential.credentials", None, type_id, template, None, None, None, False)
    if not found.rows:
        raise MissingError(f"No credential of type {type_id} is assigned to run template {template}.")
    return found.rows[0]["id"]
