"""Command lines that act as a user, found by login or by API token: let through or refused before anything is done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

import click

from cli import whom
from cli.failure import RefusedError
from cli.permissions import ANYBODY, WHOLE, of_command, of_company
from commands.accounts import actor_of
from commands.actor import Actor, denied
from commands.denials import BY_WORD, hidden, hidden_from, options_named, record_denial, recorded_denials, was_recorded
from commands.errors import DeniedError
from commands.facts import SqlFacts
from commands.tokens import bearer
from eventstore.blind_index import BlindIndex
from eventstore.company_view import CompanyPool
from eventstore.connection import Companies
from eventstore.log import Meta
from eventstore.settings import load
from eventstore.store import EventStore

NOBODY = "There is no user “{}” who may act. `user:list` shows those there are."

OF_OPTION = {
    "company": "company",
    "company_id": "company",
    "credential_id": "credential",
    "credential_type_id": "credential_type",
    "credentialtype": "credential_type",
    "job_id": "job",
    "runtemplate_id": "run_template",
}
"""Of options, what they name in whatever command."""


def admit(name: str, login: str | None, token: str | None, options: Mapping[str, object]) -> None:
    """Let a user run a command, and let the rest of the program know whom it acts for.

    Parameters
    ----------
    name : str
        The command.
    login, token : str or None
        One of them names the user; a login goes before a token.
    options : Mapping[str, object]
        What the command line says, by option.

    Raises
    ------
    RefusedError
        There is no such user, or the token is not good.
    DeniedError
        The user may not run this command; that is put down as an event.
    """
    actor, elsewhere = asyncio.run(_identified(name, login, token, options))
    companies = reach(actor, of_command(name))
    whom.ACTOR.set(actor)
    whom.COMPANIES.set("*" if companies == "*" else tuple(companies))
    whom.HIDDEN.set(elsewhere)
    whom.STILL.set(partial(_still, name, login, token))


def put_down_hidden(error: BaseException | None) -> None:
    """Put down that a user named something that is hidden from them, unless the command did.

    Parameters
    ----------
    error : BaseException or None
        What the command ended with.
    """
    company_id, name = whom.HIDDEN.get(), click.get_current_context().command.name or ""
    if company_id is not None and not was_recorded(error):
        asyncio.run(_put_down(hidden(whom.ACTOR.get(), name, of_command(name), company_id)))


async def _put_down(error: DeniedError) -> None:
    actor = whom.ACTOR.get()
    async with EventStore(load(), role="app", application="multiflexi-cli") as store:
        await record_denial(store, actor, Meta(actor=str(actor), source="cli"), error)


async def _still(name: str, login: str | None, token: str | None, store: EventStore, company_id: int) -> None:
    """Raise if the user may by now no longer run a command that lasts, about something of a company.

    Raises
    ------
    RefusedError
        The token was revoked or has expired, the user is gone, or was let out of the company.
    """
    facts = SqlFacts(CompanyPool(store.pool, "*"), BlindIndex(store.keyring))
    actor = await _user(facts, login) if login else await _bearer(facts, token or "")
    allowed = reach(actor, of_command(name))
    if allowed != "*" and company_id not in allowed:
        raise RefusedError(f"You may no longer run {name} for company {company_id}.")


async def _identified(
    name: str, login: str | None, token: str | None, options: Mapping[str, object]
) -> tuple[Actor, int | None]:
    """Return who acts, and the company of something that the command names and that is hidden from them."""
    permission = of_command(name)
    async with EventStore(load(), role="app", application="multiflexi-cli") as store:
        facts = SqlFacts(store.pool, BlindIndex(store.keyring))
        actor = await _user(facts, login) if login else await _bearer(facts, token or "")
        async with recorded_denials(store, actor, Meta(actor=str(actor), source="cli")):
            if not (permission == ANYBODY or _somewhere(actor, permission)):
                raise denied(actor, name, permission, None)
        named = options_named(_named(name), options) if of_company(permission) else []
        return actor, await hidden_from(facts, reach(actor, permission), named)


def _named(name: str) -> dict[str, str]:
    kind = BY_WORD.get(name.partition(":")[0])
    return OF_OPTION if kind is None else {**OF_OPTION, "id": kind, "number": kind}


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
