"""What importing a credential prototype would do, told before it is done."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from commands.facts import Facts
from domain import credential_definition
from domain.credential_prototype_diff import compare, effects
from domain.definition_diff import Difference, Effect

LOOKED_AT = 500
"""Types and credentials that are looked at, each."""


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """A credential (``credential``) or a type (``type``) for which something changes."""

    kind: str
    id: int
    name: str
    company_id: int
    effects: tuple[Effect, ...]


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What importing a prototype would do.

    Attributes
    ----------
    outcome : str
        ``imported`` (it is new), ``updated`` or ``unchanged``.
    prototype_id : int or None
        The prototype that it is another version of.
    before : str or None
        Version that it has now.
    read : Prototype
        The document.
    difference : Difference
        What differs; nothing for a new one.
    types, credentials : int
        How many there are of it.
    dropped : dict[str, int]
        Fields that it no longer has, with how many values of each stay stored.
    affected : tuple[Affected, ...]
        Types and credentials that the caller may see and for which something changes.
    """

    outcome: str
    prototype_id: int | None
    before: str | None
    read: credential_definition.Prototype
    difference: Difference = Difference()
    types: int = 0
    credentials: int = 0
    dropped: dict[str, int] = {}
    affected: tuple[Affected, ...] = ()


async def assess(facts: Facts, source: bytes | str) -> Assessment:
    """Return what importing a prototype would do. Types and credentials are those that the facts show.

    Raises
    ------
    DocumentError
        It is no prototype.
    """
    read = credential_definition.read(source)
    known = await facts.row("credential_prototype_of_uuid", read.uuid)
    if known is None:
        return Assessment(outcome="imported", prototype_id=None, before=None, read=read)
    number, version = known["id"], known["version"]
    if known["digest"] == read.digest:
        return Assessment(outcome="unchanged", prototype_id=number, before=version, read=read)
    row = await facts.row("credential_prototype_users", number, LOOKED_AT)
    use = await facts.row("credential_prototype_use", number)
    if row is None or use is None:
        raise AssertionError("a prototype that is there has a row")
    before: dict[str, Any] = json.loads(row["definition"])
    kept = credential_definition.fields(read.document)
    used: dict[str, int] = json.loads(use["fields"])
    old = credential_definition.fields(before)
    return Assessment(
        outcome="updated",
        prototype_id=number,
        before=version,
        read=read,
        difference=compare(before, read.document),
        types=use["types"],
        credentials=row["credentials"],
        dropped={name: count for name, count in used.items() if name in old and name not in kept},
        affected=tuple(_affected(before, read.document, json.loads(row["users"]))),
    )


def _affected(before: dict[str, Any], after: dict[str, Any], users: list[dict[str, Any]]) -> list[Affected]:
    found: list[Affected] = []
    for one in users:
        own, shared = one.pop("own"), one.pop("shared")
        if told := effects(before, after, own, shared, of_type=one["kind"] == "type"):
            found.append(Affected(effects=told, **one))
    return found
