"""Command lines that act as a user, found by login or by API token: let through or refused before anything is done."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from cli import whom
from cli.failure import RefusedError
from cli.permissions import ANYBODY, WHOLE, of_command, of_company
from commands.accounts import actor_of
from commands.actor import Actor, denied
from commands.denials import recorded_denials
from commands.facts import SqlFacts
from commands.tokens import bearer
from eventstore.blind_index import BlindIndex
from eventstore.connection import Companies
from eventstore.log import Meta
from eventstore.settings import load
from eventstore.store import EventStore

NOBODY = "There is no user “{}” who may act. `user:list` shows those there are."


def admit(name: str, login: str | None, token: str | None) -> None:
    """Let a user run a command, and let the rest of the program know whom it acts for.

    Parameters
    ----------
    name : str
        The command.
    login, token : str or None
        One of them names the user; a login goes before a token.

    Raises
    ------
    RefusedError
        There is no such user, or the token is not good.
    DeniedError
        The user may not run this command; that is put down as an event.
    """
    permission = of_command(name)
    actor = asyncio.run(_identified(name, permission, login, token))
    whom.ACTOR.set(actor)
    companies = reach(actor, permission)
    whom.COMPANIES.set("*" if companies == "*" else tuple(companies))


async def _identified(name: str, permission: str, login: str | None, token: str | None) -> Actor:
    async with EventStore(load(), role="app", application="multiflexi-cli") as store:
        facts = SqlFacts(store.pool, BlindIndex(store.keyring))
        actor = await _user(facts, login) if login else await _bearer(facts, token or "")
        async with recorded_denials(store, actor, Meta(actor=str(actor), source="cli")):
            if not (permission == ANYBODY or _somewhere(actor, permission)):
                raise denied(actor, name, permission, None)
        return actor


async def _user(facts: SqlFacts, login: str) -> Actor:
    row = await facts.row("user_of_login", await facts.keyed("login", login))
    actor = None if row is None else await actor_of(facts, row["id"], datetime.now(UTC))
    if actor is None:
        raise RefusedError(NOBODY.format(login[:60]))
    return actor


async def _bearer(facts: SqlFacts, token: str) -> Actor:
    actor = await bearer(facts, token, datetime.now(UTC))
    if actor is None:
        raise RefusedError("The token is not good: it is wrong, has expired or was revoked.")
    return actor


def _somewhere(actor: Actor, permission: str) -> bool:
    return actor.everywhere(permission) or any(permission in allowed for allowed in actor.grants.values())


def reach(actor: Actor, permission: str) -> Companies:
    """Return the companies that row-level security lets through for a command that needs a permission.

    Examples
    --------
    >>> reach(Actor.user(5, [7], role="viewer"), "job.view"), reach(Actor.user(5, [7], role="viewer"), "job.run")
    ([7], [])
    """
    if permission in WHOLE or (of_company(permission) and permission in actor.permissions):
        return "*"
    if not of_company(permission):
        return "*" if actor.companies == "*" else sorted(actor.companies)
    return sorted(company_id for company_id, allowed in actor.grants.items() if permission in allowed)
