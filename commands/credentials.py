"""Commands of credential types and credentials: values are checked and encrypted before anything of them is kept.

Whoever executes such a command gives values in clear; what is appended, and what an idempotency key is known by, is
ciphertext and a keyed digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from commands.actor import authorise
from commands.facts import Row, present
from commands.preparing import Desk, Prepared, filled, fresh_id, guard
from domain.aggregates import COMPANY, CREDENTIAL_PROTOTYPE, CREDENTIAL_TYPE
from domain.command import Command
from domain.credential import ChangeCredential, CreateCredential, CredentialCommand, RemoveCredential, RevealCredential
from domain.credential_definition import fields as fields_of
from domain.credential_type import (
    ChangeCredentialType,
    CreateCredentialType,
    CredentialTypeCommand,
    RemoveCredentialType,
)
from domain.credential_values import checked_all, missing
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import UNSET
from domain.run_template import UnassignCredential
from domain.sealed import Sealed
from eventstore.vault import seal_all


class Incomplete(msgspec.Struct, frozen=True):
    """Required fields of a credential have no value yet: no reason to refuse it, but jobs will not start with it."""

    fields: tuple[str, ...]
    code: str = "credential_incomplete"

    def __str__(self) -> str:
        return f"No value yet of {', '.join(self.fields)}: jobs do not start until there is one."


async def prepare_create_type(desk: Desk, command: CreateCredentialType) -> Prepared:
    """See that company and prototype are there; check and encrypt the shared values."""
    company = await present(desk.facts, "company", command.company_id, "company")
    prototype = await present(
        desk.facts, "credential_prototype", command.credential_prototype_id, "credential_prototype"
    )
    type_id = await fresh_id(desk, command)
    sealed = await _sealed(desk, command, command.company_id, f"credential_type-{type_id}", prototype)
    return Prepared(
        command=msgspec.structs.replace(
            filled(command, credential_type_id=type_id, uuid=desk.new_uuid()), now=desk.now, values={}, sealed=sealed
        ),
        fresh=True,
        guards=(
            guard(COMPANY, company, company_id=command.company_id),
            guard(CREDENTIAL_PROTOTYPE, prototype, company_id=None),
        ),
    )


async def prepare_change_type(desk: Desk, command: ChangeCredentialType) -> Prepared:
    """Check and encrypt new shared values."""
    row = await present(desk.facts, "credential_type", command.credential_type_id, "credential_type")
    authorise(desk.actor, command, row["company_id"])
    sealed = await _sealed(desk, command, row["company_id"], f"credential_type-{row['id']}", row)
    return Prepared(command=msgspec.structs.replace(command, now=desk.now, values={}, sealed=sealed))


async def prepare_remove_type(desk: Desk, command: RemoveCredentialType) -> Prepared:
    """Refuse to remove a type that credentials are of."""
    credentials = await desk.facts.ids("credentials_of_type", command.credential_type_id)
    if credentials and not command.leaving:
        raise StateError(
            f"{len(credentials)} credentials are of credential type {command.credential_type_id}: "
            f"{_listed(credentials)}. Remove them first.",
            field="credential_type_id",
            code="credential_type_in_use",
        )
    return Prepared(command=command)


async def prepare_create(desk: Desk, command: CreateCredential) -> Prepared:
    """See that the type is there and of the same company; check and encrypt the values."""
    type_row = await present(desk.facts, "credential_type", command.credential_type_id, "credential_type")
    company_id: int = type_row["company_id"]
    if command.company_id not in (0, company_id):
        raise _other_company(command.credential_type_id)
    authorise(desk.actor, command, company_id)
    credential_id = await fresh_id(desk, command)
    sealed = await _sealed(desk, command, company_id, f"credential-{credential_id}", type_row)
    return Prepared(
        command=msgspec.structs.replace(
            filled(command, credential_id=credential_id, uuid=desk.new_uuid(), company_id=company_id),
            now=desk.now,
            values={},
            sealed=sealed,
        ),
        fresh=True,
        guards=(guard(CREDENTIAL_TYPE, type_row, company_id=company_id),),
        warnings=incomplete(type_row, {**_decoded(type_row["values"]), **sealed}),
    )


async def prepare_change(desk: Desk, command: ChangeCredential) -> Prepared:
    """Check and encrypt new values; a new type must be of the same company."""
    row = await present(desk.facts, "credential", command.credential_id, "credential")
    authorise(desk.actor, command, row["company_id"])
    described, guards = row, ()
    if command.credential_type_id is not UNSET and command.credential_type_id != row["credential_type_id"]:
        described = await present(desk.facts, "credential_type", command.credential_type_id, "credential_type")
        if described["company_id"] != row["company_id"]:
            raise _other_company(command.credential_type_id)
        guards = (guard(CREDENTIAL_TYPE, described, company_id=row["company_id"]),)
    sealed = await _sealed(desk, command, row["company_id"], f"credential-{row['id']}", described)
    shared = described["values"] if described is not row else row["shared"]
    after = {**_decoded(row["values"]), **sealed}
    own = {name: value for name, value in after.items() if value is not None}
    return Prepared(
        command=msgspec.structs.replace(command, now=desk.now, values={}, sealed=sealed),
        guards=guards,
        warnings=incomplete(described, {**_decoded(shared), **own}),
    )


async def prepare_remove(desk: Desk, command: RemoveCredential) -> Prepared:
    """Take a credential from the run templates that use it, or refuse while there are any."""
    if command.leaving:
        return Prepared(command=command)
    templates = await desk.facts.ids("templates_of_credential", command.credential_id)
    if templates and not command.cascade:
        raise StateError(
            f"Credential {command.credential_id} is assigned to {len(templates)} run templates: {_listed(templates)}. "
            "Their jobs would go without it. Unassign it first, or remove it with --cascade.",
            field="credential_id",
            code="credential_in_use",
        )
    unassigned = tuple(
        UnassignCredential(run_template_id=one, credential_id=command.credential_id) for one in templates
    )
    return Prepared(command=command, consequences=unassigned)


async def prepare_reveal(desk: Desk, command: RevealCredential) -> Prepared:
    """Note who is shown the values; those asked for must exist."""
    row = await present(desk.facts, "credential", command.credential_id, "credential")
    there = {**_decoded(row["shared"]), **_decoded(row["values"])}
    absent = [name for name in command.fields if name not in there]
    if absent:
        raise ValidationError(
            f"Credential {row['id']} has no value of {', '.join(absent)}.", field="fields", code="value_not_set"
        )
    return Prepared(
        command=msgspec.structs.replace(
            command, now=desk.now, revealed_to=str(desk.actor), fields=command.fields or sorted(there)
        )
    )


async def prepare_now(desk: Desk, command: CredentialCommand | CredentialTypeCommand) -> Prepared:
    """Give a command its moment."""
    return Prepared(command=msgspec.structs.replace(command, now=desk.now))


def incomplete(row: Row, values: Mapping[str, Any]) -> tuple[Incomplete, ...]:
    """Return a warning if required fields have no value."""
    absent = missing(fields_of(msgspec.json.decode(row["definition"])), values)
    return (Incomplete(tuple(absent)),) if absent else ()


async def _sealed(
    desk: Desk, command: Command, company_id: int, stream: str, described: Row
) -> dict[str, Sealed | None]:
    """Return the values that a command gives, checked against the prototype and encrypted."""
    values: dict[str, str | None] = getattr(command, "values")  # noqa: B009 (of several commands)
    if not values:
        return {}
    definition: dict[str, Any] = msgspec.json.decode(described["definition"])
    return await seal_all(desk.keyring, company_id, stream, checked_all(fields_of(definition), values))


def _decoded(values: str | None) -> dict[str, Any]:
    return {} if values is None else msgspec.json.decode(values)


def _listed(ids: list[int]) -> str:
    return ", ".join(map(str, ids[:10])) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")


def _other_company(type_id: int) -> NotFoundError:
    return NotFoundError(
        f"There is no credential type {type_id} in this company. `credential-type:list` shows those there are.",
        field="credential_type_id",
        code="credential_type_not_found",
    )
