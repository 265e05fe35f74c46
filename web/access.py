"""For which companies a request acts: the one place where sign-in plugs in."""

from __future__ import annotations

from typing import Any

from litestar import Request

from commands.actor import Actor
from eventstore.connection import Companies

AnyRequest = Request[Any, Any, Any]


async def acting_companies(request: AnyRequest) -> Companies:
    """Return the companies that row-level security lets through for a request; all, as long as nobody signs in."""
    return "*"


async def acting_as(request: AnyRequest) -> Actor:
    """Return who executes the commands of a request, and for which companies."""
    return Actor.user("web", companies=await acting_companies(request))
