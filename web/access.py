"""For which companies a request acts: the one place where sign-in plugs in."""

from __future__ import annotations

from typing import Any

from litestar import Request

from eventstore.connection import Companies

AnyRequest = Request[Any, Any, Any]


async def acting_companies(request: AnyRequest) -> Companies:  # noqa: ARG001 - the signature that sign-in needs
    """Return the companies that row-level security lets through for a request; all, as long as nobody signs in."""
    return "*"


async def acting_as(request: AnyRequest) -> str:  # noqa: ARG001 - the signature that sign-in needs
    """Return the actor that events caused by a request name."""
    return "user:web"
