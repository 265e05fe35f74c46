"""Users as those who act: what they may do at this moment, read anew for each request, so that a grant ends in time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from commands.actor import Actor, Everything
from commands.facts import Facts
from domain.permissions import EVERYTHING, SUPER_ADMIN, of_company_role, of_system_roles


class Grant(msgspec.Struct, frozen=True):
    """A role in a company, with permissions added and taken away."""

    company_id: int
    role: str
    more: list[str]
    less: list[str]


class Scope(msgspec.Struct, frozen=True):
    """What an API token lets through: permissions and companies; None: all that its user has.

    Attributes
    ----------
    token_id : int
        The token.
    """

    token_id: int
    permissions: frozenset[str] | None = None
    companies: frozenset[int] | None = None


_GRANTS = msgspec.json.Decoder(type=list[Grant])


async def actor_of(facts: Facts, user_id: int, now: datetime, scope: Scope | None = None) -> Actor | None:
    """Return a user as an actor, with what they may do at a moment; None if they may not act at all.

    Parameters
    ----------
    facts : Facts
        Those of the whole installation.
    user_id : int
        The user.
    now : datetime
        The moment: grants that have ended by then are left out.
    scope : Scope or None
        Narrows it down to what an API token lets through.
    """
    row = await facts.row("actor", user_id, now)
    if row is None:
        return None
    actor = acting(user_id, row["roles"], _GRANTS.decode(row["grants"]))
    return actor if scope is None else narrowed(actor, scope)


def acting(user_id: int, roles: Iterable[str], grants: Iterable[Grant]) -> Actor:
    """Return a user who has some system roles and some grants in companies.

    Examples
    --------
    >>> jane = acting(5, ["user"], [Grant(7, "viewer", ["job.run"], []), Grant(7, "viewer", [], ["output.view"])])
    >>> jane.may("job.run", 7), jane.may("output.view", 7), jane.may("job.run", 8)
    (True, True, False)
    """
    held = frozenset(roles)
    by_company: dict[int, frozenset[str]] = {}
    for grant in grants:
        allowed = of_company_role(grant.role, grant.more, grant.less)
        by_company[grant.company_id] = by_company.get(grant.company_id, frozenset()) | allowed
    companies: frozenset[int] | Everything = "*" if SUPER_ADMIN in held else _seen(by_company)
    return Actor("user", str(user_id), companies, of_system_roles(held), by_company, held)


def narrowed(actor: Actor, scope: Scope) -> Actor:
    """Return an actor who may do only what a token lets through.

    Examples
    --------
    >>> whole = acting(5, ["super_admin"], [])
    >>> one = narrowed(whole, Scope(3, frozenset({"job.view", "job.run"}), frozenset({7})))
    >>> one.may("job.run", 7), one.may("job.run", 8), one.may("company.view", 7), one.companies
    (True, False, False, frozenset({7}))
    """
    wanted = frozenset(EVERYTHING) if scope.permissions is None else scope.permissions
    permissions = actor.permissions & wanted
    grants = {company_id: allowed & wanted for company_id, allowed in actor.grants.items()}
    companies = actor.companies
    if scope.companies is not None:
        # What is held everywhere is held in these companies only from here on.
        everywhere = permissions if actor.companies == "*" else frozenset[str]()
        grants = {one: grants.get(one, frozenset()) | everywhere for one in scope.companies if actor.acts_for(one)}
        permissions, companies = frozenset(), frozenset(grants)
    changes: dict[str, Any] = {"permissions": permissions, "grants": grants, "companies": companies}
    return msgspec.structs.replace(actor, token_id=scope.token_id, **changes)


def _seen(grants: dict[int, frozenset[str]]) -> frozenset[int]:
    return frozenset(company_id for company_id, allowed in grants.items() if "company.view" in allowed)
