"""A credential type: a company's instance of a prototype, with the values that all credentials of it share.

The domain never sees a value in clear: whoever executes a command checks values against the prototype and encrypts
them (``commands.credentials``).

Examples
--------
>>> [created] = decide(None, CreateCredentialType(name="Bank", company_id=7, credential_prototype_id=3,
...     credential_type_id=5, uuid="775ed801-2489-4981-bc14-d8a01cba1938"))
>>> decide(evolve(None, created), ChangeCredentialType(credential_type_id=5, name="Bank"))
[]
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import msgspec

from domain import checks
from domain.command import Command, changes, given, moment, set_fields, where_set
from domain.credential_type_events import (
    CredentialTypeChanged,
    CredentialTypeCreated,
    CredentialTypeEvent,
    CredentialTypeReencrypted,
    CredentialTypeRemoved,
)
from domain.errors import NotFoundError, StateError
from domain.event import UNSET, Unset
from domain.sealed import Sealed, changed_values, merged, reencrypted

_FIELDS = ("name", "values", "valued_at")


class CredentialType(msgspec.Struct, frozen=True, kw_only=True):
    """A credential type as its events left it."""

    credential_type_id: int
    company_id: int
    uuid: str
    credential_prototype_id: int
    name: str
    values: dict[str, Sealed]
    valued_at: datetime | None = None
    removed: bool = False


class CredentialTypeCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a credential type. The executor gives ``now``."""

    category: ClassVar[str] = "credential_type"

    credential_type_id: int
    now: datetime | None = None


class CreateCredentialType(CredentialTypeCommand, frozen=True, kw_only=True):
    """Let a company use a prototype.

    ``values`` are given in clear; the executor encrypts them into ``sealed``.
    """

    creates: ClassVar[bool] = True
    secret: ClassVar[tuple[str, ...]] = ("values",)

    company_id: int
    credential_prototype_id: int
    name: str
    values: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    credential_type_id: int = 0
    uuid: str = ""
    sealed: dict[str, Sealed | None] = msgspec.field(default_factory=dict[str, Sealed | None])


class ChangeCredentialType(CredentialTypeCommand, frozen=True, kw_only=True):
    """Change the name, or shared values: None takes one away, an empty one leaves it as it is."""

    secret: ClassVar[tuple[str, ...]] = ("values",)

    name: str | Unset = UNSET
    values: dict[str, str | None] = msgspec.field(default_factory=dict[str, str | None])
    sealed: dict[str, Sealed | None] = msgspec.field(default_factory=dict[str, Sealed | None])


class ReencryptCredentialType(CredentialTypeCommand, frozen=True, kw_only=True):
    """Put in place of values the same ones under a newer key; those that changed meanwhile stay as they are."""

    sealed: dict[str, Sealed]
    replaced: dict[str, Sealed]


class RemoveCredentialType(CredentialTypeCommand, frozen=True, kw_only=True):
    """Take a type away; it is refused while credentials are of it, unless its company is ``leaving`` with them."""

    leaving: bool = False


def decide(state: CredentialType | None, command: CredentialTypeCommand) -> list[CredentialTypeEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    if isinstance(command, CreateCredentialType):
        return _create(state, command)
    if state is None or state.removed:
        raise NotFoundError(
            f"There is no credential type {command.credential_type_id}. `credential-type:list` shows those there are.",
            field="credential_type_id",
            code="credential_type_not_found",
        )
    match command:
        case ChangeCredentialType():
            changed = changes(state, {"name": where_set(command.name, lambda name: checks.line(name, "name"))})
            changed |= changed_values(state.values, command.sealed, command.now)
            return [CredentialTypeChanged(**_about(state), **changed)] if changed else []
        case ReencryptCredentialType():
            values = reencrypted(state.values, command.replaced, command.sealed)
            return [CredentialTypeReencrypted(**_about(state), values=values)] if values != state.values else []
        case RemoveCredentialType():
            return [CredentialTypeRemoved(**_about(state))]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a credential type.")


def evolve(state: CredentialType | None, event: CredentialTypeEvent) -> CredentialType:
    """Return the type as an event leaves it."""
    match event:
        case CredentialTypeCreated():
            return CredentialType(
                credential_type_id=event.credential_type_id,
                company_id=event.company_id,
                uuid=event.uuid,
                credential_prototype_id=event.credential_prototype_id,
                **set_fields(event, _FIELDS),
            )
        case CredentialTypeChanged() | CredentialTypeReencrypted() if state is not None:
            fields = ("values",) if isinstance(event, CredentialTypeReencrypted) else _FIELDS
            return msgspec.structs.replace(state, **set_fields(event, fields))
        case CredentialTypeRemoved() if state is not None:
            return msgspec.structs.replace(state, removed=True)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _about(state: CredentialType) -> dict[str, Any]:
    return {"credential_type_id": state.credential_type_id, "company_id": state.company_id}


def _create(state: CredentialType | None, command: CreateCredentialType) -> list[CredentialTypeEvent]:
    credential_type_id = given(command.credential_type_id, "credential_type_id")
    if state is not None:
        raise StateError(f"Credential type {credential_type_id} exists already.", code="credential_type_exists")
    return [
        CredentialTypeCreated(
            credential_type_id=credential_type_id,
            company_id=given(command.company_id, "company_id"),
            uuid=checks.uuid_text(given(command.uuid, "uuid")),
            name=checks.line(command.name, "name"),
            credential_prototype_id=given(command.credential_prototype_id, "credential_prototype_id"),
            values=merged({}, command.sealed),
            valued_at=moment(command.now) if command.sealed else None,
        )
    ]
