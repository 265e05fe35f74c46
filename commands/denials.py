"""Every refusal is an event: who was refused what, where it can be read by whoever watches over the company."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

from commands.actor import Actor
from commands.errors import DeniedError
from domain.access_events import AccessDenied
from eventstore.log import Append, Appended, Meta


class Appends(Protocol):
    """The event store, as far as refusals need it."""

    async def append_all(self, appends: list[Append], *, meta: Meta) -> list[Appended]:
        """Append events; see :meth:`eventstore.store.EventStore.append_all`."""
        ...


@asynccontextmanager
async def recorded_denials(store: Appends, actor: Actor, meta: Meta) -> AsyncGenerator[None]:
    """Put down each refusal that is raised within, and let it go on to the caller.

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
        raise


async def record_denial(store: Appends, actor: Actor, meta: Meta, error: DeniedError) -> None:
    """Put a refusal down, unless it was already on its way here."""
    if actor.user_id is None or error.recorded:
        return
    error.recorded = True
    await store.append_all([_denial(actor, actor.user_id, error)], meta=meta)


def _denial(actor: Actor, user_id: int, error: DeniedError) -> Append:
    company_id = error.company_id
    event = AccessDenied(
        user_id=user_id,
        wish=error.wish,
        permission=error.permission,
        company_id=company_id,
        token_id=actor.token_id,
    )
    stream = f"access-{user_id}" if company_id is None else f"access-{user_id}-{company_id}"
    return Append(stream=stream, company_id=company_id, events=[event])
