"""Every refusal is an event: who was refused what, where it can be read by whoever watches over the company.

So many refusals of one user within an hour are put down; the last of them says that those which follow are not.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Protocol

from commands.actor import Actor, denied
from commands.errors import DeniedError
from commands.facts import Facts, sql
from domain.access_events import AccessDenied
from eventstore.connection import Companies
from eventstore.log import Append, Appended, Meta

MOST = {"any": 1000, "hidden": 50}
"""How many refusals of a user within an hour are put down: of any kind, and of what is hidden from them."""

KINDS = ("access_request", "artifact", "company", "credential", "credential_type", "job", "run_template", "task")
"""Things of companies that are named by their ids."""

BY_WORD = {kind.replace("_", "-"): kind for kind in KINDS}
"""The same by the words that command lines and addresses have for them."""


class Named(NamedTuple):
    """A thing that somebody named by its id, or a company by its code."""

    kind: str
    name: int | str


class Store(Protocol):
    """The event store, as far as refusals need it."""

    pool: Any

    async def append_all(self, appends: list[Append], *, meta: Meta) -> list[Appended]:
        """Append events; see :meth:`eventstore.store.EventStore.append_all`."""
        ...


@asynccontextmanager
async def recorded_denials(store: Store, actor: Actor, meta: Meta) -> AsyncGenerator[None]:
    """Put down each refusal that is raised within, and let it go on to the caller, or what they are told in its place.

    Parameters
    ----------
    store : EventStore
        Acts for the whole installation.
    actor : Actor
        Who is refused; refusals of parts of the program are faults, which nobody needs to watch for.
    meta : Meta
        By what way they came.
    """
    try:
        yield
    except DeniedError as error:
        await record_denial(store, actor, meta, error)
        if error.instead is not None:
            raise error.instead from error
        raise


async def record_denial(store: Store, actor: Actor, meta: Meta, error: DeniedError) -> None:
    """Put a refusal down, unless it was already on its way here, or this user had many of late."""
    if actor.user_id is None or error.recorded:
        return
    error.recorded = True
    kinds = ["any", "hidden"] if error.hidden else ["any"]
    rows = await store.pool.fetch(sql("count_refusal"), actor.user_id, kinds)
    counts = [(row["refusals"], MOST[row["what"]]) for row in rows]
    if all(count <= most for count, most in counts):
        last = any(count == most for count, most in counts)
        await store.append_all([_denial(actor, actor.user_id, error, last=last)], meta=meta)


async def hidden_from(facts: Facts, reach: Companies, named: Iterable[Named]) -> int | None:
    """Return the company of the first of some things that is one of a company out of reach; None: none of them is.

    Parameters
    ----------
    facts : Facts
        Those of the whole installation.
    reach : Companies
        Companies that row-level security lets through.
    """
    for kind, name in named:
        query = f"whose_{kind}" if isinstance(name, int) else "whose_code"
        row = None if reach == "*" else await facts.row(query, name)
        if row is not None and row["company_id"] not in reach:
            company_id: int = row["company_id"]
            return company_id
    return None


def hidden(actor: Actor, wish: str, permission: str, company_id: int) -> DeniedError:
    """Return what is put down when somebody named a thing of a company hidden from them; they are told nothing."""
    error = denied(actor, wish, permission, company_id)
    error.hidden = True
    return error


def was_recorded(error: BaseException | None) -> bool:
    """Tell whether an error is a refusal that was put down, or comes in the place of one."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    refusals = [one for one in (error, getattr(error, "__cause__", None)) if isinstance(one, DeniedError)]
    return any(one.recorded for one in refusals)


def options_named(kinds: Mapping[str, str], options: Mapping[str, object]) -> list[Named]:
    """Return the things that options name, by what each option names.

    Examples
    --------
    >>> options_named({"id": "job", "company": "company"}, {"id": 7, "company": "acme", "limit": 3})
    [Named(kind='job', name=7), Named(kind='company', name='acme')]
    """
    found = ((kind, options.get(option)) for option, kind in kinds.items())
    return [
        Named(kind, int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else value)
        for kind, value in found
        if isinstance(value, int | str)
    ]


def _denial(actor: Actor, user_id: int, error: DeniedError, *, last: bool) -> Append:
    company_id = error.company_id
    event = AccessDenied(
        user_id=user_id,
        wish=error.wish,
        permission=error.permission,
        company_id=company_id,
        token_id=actor.token_id,
        last=last,
    )
    stream = f"access-{user_id}" if company_id is None else f"access-{user_id}-{company_id}"
    return Append(stream=stream, company_id=company_id, events=[event])
