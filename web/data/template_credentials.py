"""The credentials of a run template and those that it may get, each with what it hides."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from commands.assignments import around, assigned_of
from commands.facts import Facts
from domain.credential_environment import Assigned, conflicts
from projections.queries import query as shared
from web.database import Connection
from web.errors import N_, NotFoundError

OFFERED = 200
"""Most credentials that are offered."""

HIDES = {
    "template": N_("takes the run template's value {field} away"),
    "company": N_("hides the company's value {field}"),
    "credential": N_("hides {field} of another credential"),
}
"""What a credential does to a value, by where that stands."""


class Conflicting(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a credential hides, and where that stands."""

    field: str
    tier: str


class CredentialOf(msgspec.Struct, frozen=True, kw_only=True):
    """A credential with the variables that it gives and those that it hides, or would hide."""

    id: int
    name: str
    prototype: str
    gives: list[str]
    hides: list[Conflicting]


class TemplateCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows: those assigned, in their order, and those of the company that may be, too."""

    run_template_id: int
    name: str
    company_id: int
    assigned: list[CredentialOf]
    offered: list[CredentialOf]


async def load(connection: Connection, facts: Facts, template_id: int) -> TemplateCredentials:
    """Read the credentials of a run template.

    Raises
    ------
    NotFoundError
        There is none of that id, or it is not for this user to see.
    """
    record = await connection.fetchrow(shared("run_template.find"), template_id, None)
    if record is None:
        raise NotFoundError(N_("There is no run template {id}."), id=template_id)
    assigned, tiers = await around(facts, template_id)
    rows = await connection.fetch(shared("credential.offered"), record["company_id"], template_id, OFFERED)
    others = [
        assigned_of({**row, **{name: _decoded(row[name]) for name in ("fields", "shared", "values")}}) for row in rows
    ]
    return TemplateCredentials(
        run_template_id=template_id,
        name=record["name"],
        company_id=record["company_id"],
        assigned=[_shown(one, assigned, tiers) for one in assigned],
        offered=[_shown(one, [*assigned, one], tiers) for one in others],
    )


def _shown(one: Assigned, together: Sequence[Assigned], tiers: dict[str, list[str]]) -> CredentialOf:
    hides = [
        Conflicting(field=each.field, tier=each.tier)
        for each in conflicts(together, tiers)
        if each.credential_id == one.id
    ]
    return CredentialOf(id=one.id, name=one.name, prototype=one.prototype, gives=one.provided, hides=hides)


def _decoded(text: str | None) -> object:
    return msgspec.json.decode(text) if text else None
