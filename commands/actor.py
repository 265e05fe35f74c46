"""Who executes a command, and whether they may.

Examples
--------
>>> str(Actor.user(1, companies=[7])), str(SYSTEM), str(Actor.daemon("scheduler"))
('user:1', 'system', 'daemon:scheduler')
>>> Actor.user(1, companies=[7]).acts_for(8)
False
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from domain.command import Command
from domain.errors import ForbiddenError

Everything = Literal["*"]


class Actor(msgspec.Struct, frozen=True):
    """Somebody, or a part of the program, that executes commands.

    Attributes
    ----------
    kind : str
        ``user``, ``daemon`` or ``system``.
    id : str
        Id of the user or name of the daemon; empty for the system.
    companies : frozenset[int] or "*"
        Companies that they act for; ``"*"``: the whole installation.
    """

    kind: Literal["user", "daemon", "system"]
    id: str = ""
    companies: frozenset[int] | Everything = frozenset()

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else self.kind

    @classmethod
    def user(cls, user_id: int | str, companies: Iterable[int] | Everything = ()) -> Actor:
        """Return a user who acts for some companies, or for all of them."""
        return cls("user", str(user_id), "*" if companies == "*" else frozenset(int(one) for one in companies))

    @classmethod
    def daemon(cls, name: str) -> Actor:
        """Return a daemon; it acts for the whole installation."""
        return cls("daemon", name, "*")

    def acts_for(self, company_id: int | None) -> bool:
        """Tell whether the actor acts for a company; None: for the installation."""
        return self.companies == "*" or company_id in self.companies


SYSTEM = Actor("system", "", "*")
"""The program itself."""


def authorise(actor: Actor, command: Command, company_id: int | None) -> None:
    """Let a command pass or refuse it: the one place at which permissions are decided.

    Parameters
    ----------
    actor : Actor
        Who executes it.
    command : Command
        What is executed.
    company_id : int or None
        Company that what is changed belongs to; None: the installation.

    Raises
    ------
    ForbiddenError
        The actor does not act for that company.
    """
    founds_company = command.category == "company" and command.creates
    if actor.acts_for(None if founds_company else company_id):
        return
    whom = "the installation" if company_id is None or founds_company else f"company {company_id}"
    raise ForbiddenError(
        f"{type(command).__name__} concerns {whom}, which {actor} does not act for. Ask an administrator for access.",
        code="not_this_company",
    )
