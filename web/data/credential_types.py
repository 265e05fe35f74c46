"""Credential types: the list of them, what uses one, and the prototypes and companies that a new one may be of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec

from projections.queries import query as shared
from web import words
from web.data.credentials import CredentialRow
from web.database import Connection
from web.errors import N_, NotFoundError
from web.view import View

PAGE = 50
PROTOTYPES = 1000
"""Most prototypes that the form of a new type offers."""

USERS = 50
"""Most credentials that are named of a type."""


class TypeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A credential type in a list; ``credentials`` is how many are of it."""

    id: int
    name: str
    company_id: int
    company_slug: str | None
    prototype_id: int
    prototype: str
    version: str | None
    credentials: int


class TypeList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of credential types. ``more`` is the ``skip`` of the next page, if there is one."""

    types: list[TypeRow]
    skip: int
    more: int | None


class Prototype(msgspec.Struct, frozen=True, kw_only=True):
    """A prototype to choose."""

    id: int
    code: str
    name: str
    version: str | None
    description: str
    fields: int
    types: int


class Users(msgspec.Struct, frozen=True):
    """The credentials of a type, as many as are named, and whether there are more."""

    credentials: list[CredentialRow]
    more: bool


async def load_list(connection: Connection, view: View) -> TypeList:
    """Read a page of credential types."""
    skip = view.number("skip")
    records = await connection.fetch(shared("credential.types"), view.company_id, PAGE + 1, skip, False)
    rows = [TypeRow(**{name: each[name] for name in TypeRow.__struct_fields__}) for each in records[:PAGE]]
    return TypeList(types=rows, skip=skip, more=skip + PAGE if len(records) > PAGE else None)


async def prototypes(connection: Connection, language: str) -> list[Prototype]:
    """Return the prototypes that a new type may be of, by name."""
    records = await connection.fetch(shared("credential.prototypes"), PROTOTYPES, None, False)
    return sorted((_prototype(each, language) for each in records), key=lambda each: each.name.casefold())


async def prototype_of(connection: Connection, prototype_id: int, language: str) -> dict[str, Any]:
    """Read a prototype, as a type of it without values.

    Raises
    ------
    NotFoundError
        There is none of that id.
    """
    found = await connection.fetchrow(shared("credential.prototype"), prototype_id, None, None)
    if found is None:
        raise NotFoundError(N_("There is no credential prototype {id}."), id=prototype_id)
    definition: dict[str, Any] = msgspec.json.decode(found["definition"])
    return {
        "id": 0,
        "credential_type_id": 0,
        "prototype_id": prototype_id,
        "prototype": found["code"],
        "name": words.localized(definition.get("name"), language) or found["name"],
        "definition": definition,
        "shared": {},
        "values": {},
    }


async def users_of(connection: Connection, record: Mapping[str, Any]) -> Users:
    """Return the credentials that are of a type."""
    number = record["credential_type_id"]
    found = await connection.fetch(shared("credential.credentials"), None, number, None, None, USERS + 1, 0, False)
    names = CredentialRow.__struct_fields__
    rows = [CredentialRow(**{name: each[name] for name in names}) for each in found[:USERS]]
    return Users(rows, len(found) > USERS)


def _prototype(record: asyncpg.Record, language: str) -> Prototype:
    names, description = (msgspec.json.decode(record[name] or "null") for name in ("names", "description"))
    return Prototype(
        id=record["id"],
        code=record["code"],
        name=words.localized(names, language) or record["name"],
        description=words.localized(description, language),
        version=record["version"],
        fields=record["fields"],
        types=record["types"],
    )
