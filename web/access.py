"""Who makes a request, and for which companies it acts: the middleware of signing in has found out."""

from __future__ import annotations

from typing import Any

from litestar import Request

from commands.actor import Actor, require
from commands.denials import recorded_denials
from eventstore.connection import Companies
from eventstore.log import Meta
from web.auth.routes import permission_of, reach

AnyRequest = Request[Any, Any, Any]

SEEN_BY = {
    "template.configure": "template.view",
    "company.change": "company.view",
    "company.remove": "company.view",
    "credential.change": "credential.view",
    "output.view": "job.view",
}
"""Of permissions to change things, those to see them."""


async def acting_companies(request: AnyRequest) -> Companies:
    """Return the companies that row-level security lets through for a request: those where its user may see this."""
    wanted = permission_of(request.url.path)
    # Who sees a thing and may not change it is told so, rather than that it is not there.
    return reach(await acting_as(request), SEEN_BY.get(wanted, wanted))


async def acting_as(request: AnyRequest) -> Actor:
    """Return who executes the commands of a request, with what they may do at this moment."""
    actor: Actor = request.user
    return actor


def may_somewhere(actor: Actor, permission: str, company_id: int | None = None) -> bool:
    """Tell whether somebody has a permission in a company; None: in any at all.

    Examples
    --------
    >>> may_somewhere(Actor.user(5, [7], role="viewer"), "job.run"), may_somewhere(Actor.user(5, [7]), "job.run", 8)
    (False, False)
    """
    reached = reach(actor, permission)
    return bool(reached) if company_id is None or reached == "*" else company_id in reached


async def need(request: AnyRequest, permission: str, company_id: int | None = None, *, wish: str) -> Actor:
    """Return who asks, if they have a permission; a refusal is put down.

    Raises
    ------
    DeniedError
        They have it not.
    """
    actor = await acting_as(request)
    store = request.app.state.site.database.store
    async with recorded_denials(store, actor, Meta(actor=str(actor), source="web")):
        require(actor, permission, company_id, wish=wish)
    return actor
