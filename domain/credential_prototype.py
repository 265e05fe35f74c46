"""A credential prototype of the catalogue: a document that says which fields a kind of credential has.

Examples
--------
>>> document = {"uuid": "f79aaa38-2eaf-453a-beee-3a2afa1221d5", "code": "Bank", "name": "Bank", "version": "1.0",
...             "fields": [{"keyword": "BANK_TOKEN", "type": "password"}]}
>>> [imported] = decide(None, ImportCredentialPrototype(definition=document, credential_prototype_id=3))
>>> prototype = evolve(None, imported)
>>> decide(prototype, ImportCredentialPrototype(definition=document, credential_prototype_id=3))
[]
>>> [updated] = decide(prototype, ImportCredentialPrototype(
...     definition=document | {"version": "2.0", "fields": []}, credential_prototype_id=3))
>>> updated.version, updated.dropped
('2.0', ['BANK_TOKEN'])
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from domain import credential_definition
from domain.command import Command, changes, given, set_fields
from domain.credential_prototype_events import (
    CredentialPrototypeEvent,
    CredentialPrototypeImported,
    CredentialPrototypeRemoved,
    CredentialPrototypeUpdated,
)
from domain.errors import NotFoundError, StateError

_FIELDS = ("code", "name", "version", "definition", "digest", "order")


class CredentialPrototype(msgspec.Struct, frozen=True, kw_only=True):
    """A prototype as its events left it."""

    credential_prototype_id: int
    uuid: str
    code: str
    name: str
    version: str
    definition: dict[str, Any]
    digest: str
    order: dict[str, list[str]] = msgspec.field(default_factory=dict[str, list[str]])
    removed: bool = False


class CredentialPrototypeCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a credential prototype."""

    category: ClassVar[str] = "credential_prototype"

    credential_prototype_id: int


class ImportCredentialPrototype(CredentialPrototypeCommand, frozen=True, kw_only=True):
    """Take a prototype into the catalogue, or another version of one that is there.

    The executor looks up the id by the UUID of the document, or allocates one. A version without a field that
    credentials have values of is refused unless ``drop_used`` allows it; the values stay stored and reach no job.
    """

    creates: ClassVar[bool] = True

    definition: dict[str, Any]
    drop_used: bool = False
    credential_prototype_id: int = 0


class RemoveCredentialPrototype(CredentialPrototypeCommand, frozen=True, kw_only=True):
    """Take a prototype out of the catalogue; it is refused while credential types are made of it."""


def decide(state: CredentialPrototype | None, command: CredentialPrototypeCommand) -> list[CredentialPrototypeEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused; a ``DocumentError`` names every place of a document that is wrong.
    """
    match command:
        case ImportCredentialPrototype():
            return _import(state, command)
        case RemoveCredentialPrototype():
            present = _present(state, command.credential_prototype_id)
            return [CredentialPrototypeRemoved(credential_prototype_id=present.credential_prototype_id)]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a credential prototype.")


def evolve(state: CredentialPrototype | None, event: CredentialPrototypeEvent) -> CredentialPrototype:
    """Return the prototype as an event leaves it."""
    match event:
        case CredentialPrototypeImported():
            return CredentialPrototype(
                credential_prototype_id=event.credential_prototype_id, uuid=event.uuid, **set_fields(event, _FIELDS)
            )
        case CredentialPrototypeUpdated() if state is not None:
            return msgspec.structs.replace(state, **set_fields(event, _FIELDS))
        case CredentialPrototypeRemoved() if state is not None:
            return msgspec.structs.replace(state, removed=True)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _present(state: CredentialPrototype | None, prototype_id: int) -> CredentialPrototype:
    if state is None or state.removed:
        raise NotFoundError(
            f"There is no credential prototype {prototype_id}. `credential-prototype:list` shows those there are.",
            field="credential_prototype_id",
            code="credential_prototype_not_found",
        )
    return state


def _import(state: CredentialPrototype | None, command: ImportCredentialPrototype) -> list[CredentialPrototypeEvent]:
    prototype_id = given(command.credential_prototype_id, "credential_prototype_id")
    read = credential_definition.read(command.definition)
    wanted: dict[str, Any] = {
        "code": read.code,
        "name": read.name,
        "version": read.version,
        "definition": read.document,
        "digest": read.digest,
        "order": read.order,
    }
    if state is None:
        return [CredentialPrototypeImported(credential_prototype_id=prototype_id, uuid=read.uuid, **wanted)]
    present = _present(state, prototype_id)
    if present.uuid != read.uuid:
        raise StateError(
            f"Credential prototype {prototype_id} has the UUID {present.uuid}, the document {read.uuid}: it is another "
            "one.",
            field="uuid",
            code="credential_prototype_uuid_differs",
        )
    if present.digest == read.digest:
        return []
    kept = credential_definition.fields(read.document)
    changed = {**changes(present, wanted), **{name: wanted[name] for name in ("definition", "digest", "order")}}
    dropped = [name for name in credential_definition.fields(present.definition) if name not in kept]
    updated = CredentialPrototypeUpdated(credential_prototype_id=prototype_id, dropped=dropped, **changed)
    return [updated]
