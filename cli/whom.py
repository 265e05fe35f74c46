"""Whom a command line acts for. Nobody asked for: the owner of this machine, who may do everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Literal

TOKEN_VARIABLE = "MULTIFLEXI_TOKEN"  # noqa: S105 (the name of a variable)
"""Variable of the environment with an API token to act by."""

ACTOR: ContextVar[Any] = ContextVar("actor", default=None)
"""The user who was asked for, a :class:`commands.actor.Actor`; None: the owner of this machine."""

HIDDEN: ContextVar[int | None] = ContextVar("hidden", default=None)
"""The company of something that the command names and that is hidden from whom it acts for."""

STILL: ContextVar[Callable[[Any, int], Awaitable[None]] | None] = ContextVar("still", default=None)
"""Given the event store and a company, raises if the user may no longer run the command there; None: the owner."""

COMPANIES: ContextVar[Literal["*"] | tuple[int, ...]] = ContextVar("companies", default="*")
"""Companies that row-level security lets through for the command."""
