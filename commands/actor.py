"""Who executes a command, and whether they may.

Examples
--------
>>> str(Actor.user(1, companies=[7])), str(SYSTEM), str(Actor.daemon("scheduler"))
('user:1', 'system', 'daemon:scheduler')
>>> viewer = Actor.user(1, companies=[7], role="viewer")
>>> viewer.acts_for(8), viewer.may("job.view", 7), viewer.may("job.run", 7), viewer.may("job.view", 8)
(False, True, False, False)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from commands.errors import DeniedError
from domain.command import Command
from domain.permissions import ENGINE, EVERYTHING, OF_COMPANY, OWN, SUPER_ADMIN, of_company_role, permission_of

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
    permissions : frozenset[str]
        What a user may do in the whole installation, in whatever company.
    grants : Mapping[int, frozenset[str]]
        What a user may do in single companies.
    roles : frozenset[str]
        System roles of a user.
    token_id : int or None
        API token that the user acts by.
    """

    kind: Literal["user", "daemon", "system"]
    id: str = ""
    companies: frozenset[int] | Everything = frozenset()
    permissions: frozenset[str] = frozenset()
    grants: Mapping[int, frozenset[str]] = {}
    roles: frozenset[str] = frozenset()
    token_id: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}" if self.id else self.kind

    @classmethod
    def user(cls, user_id: int | str, companies: Iterable[int] | Everything = (), role: str = "admin") -> Actor:
        """Return a user with a role in some companies, or one who may do everything in all of them."""
        if companies == "*":
            return cls("user", str(user_id), "*", frozenset(EVERYTHING), roles=frozenset({SUPER_ADMIN}))
        grants = {int(one): of_company_role(role) for one in companies}
        return cls("user", str(user_id), frozenset(grants), grants=grants)

    @classmethod
    def daemon(cls, name: str) -> Actor:
        """Return a daemon; it acts for the whole installation."""
        return cls("daemon", name, "*")

    @property
    def user_id(self) -> int | None:
        """Id of the user; None for a part of the program."""
        return int(self.id) if self.kind == "user" and self.id.isdigit() else None

    def acts_for(self, company_id: int | None) -> bool:
        """Tell whether the actor acts for a company; None: for the installation."""
        return self.companies == "*" or company_id in self.companies

    def may(self, permission: str, company_id: int | None = None, owner: int | None = None) -> bool:
        """Tell whether the actor has a permission.

        Parameters
        ----------
        permission : str
            One of :data:`domain.permissions.EVERYTHING`.
        company_id : int or None
            Company that it concerns; None: the installation.
        owner : int or None
            User whose account it concerns, where it concerns one.
        """
        if self.kind != "user":
            return self.acts_for(company_id)
        if permission in OWN and owner is not None and owner != self.user_id:
            return "users.manage" in self.permissions
        if permission in self.permissions:
            return True
        return company_id is not None and permission in self.grants.get(company_id, ())

    def everywhere(self, permission: str) -> bool:
        """Tell whether the actor has a permission whatever company it concerns."""
        return permission in self.permissions or (self.kind != "user" and self.companies == "*")

    def permissions_in(self, company_id: int) -> frozenset[str]:
        """Return what the actor may do in a company."""
        if self.kind != "user":
            return frozenset(OF_COMPANY) if self.acts_for(company_id) else frozenset()
        return self.permissions | self.grants.get(company_id, frozenset())


SYSTEM = Actor("system", "", "*")
"""The program itself."""


def wanted_by(command: Command) -> str:
    """Return the permission that a command asks for; one that nobody has if the table of permissions lacks it."""
    try:
        return permission_of(type(command).__name__)
    except LookupError:
        return ENGINE


def authorise(actor: Actor, command: Command, company_id: int | None, owner: int | None = None) -> None:
    """Let a command pass or refuse it: the one place at which permissions are decided.

    Parameters
    ----------
    actor : Actor
        Who executes it.
    command : Command
        What is executed.
    company_id : int or None
        Company that what is changed belongs to; None: the installation.
    owner : int or None
        User whose account is changed, where it is one.

    Raises
    ------
    DeniedError
        The actor has not the permission that the command asks for.
    """
    permission = wanted_by(command)
    if not actor.may(permission, company_id, owner):
        raise denied(actor, type(command).__name__, permission, company_id)


def require(actor: Actor, permission: str, company_id: int | None = None, *, wish: str) -> None:
    """Let what is no command pass or refuse it, such as seeing something.

    Parameters
    ----------
    wish : str
        What is wished, as the audit trail will name it.

    Raises
    ------
    DeniedError
        The actor has not the permission.
    """
    if not actor.may(permission, company_id):
        raise denied(actor, wish, permission, company_id)


def denied(actor: Actor, wish: str, permission: str, company_id: int | None) -> DeniedError:
    """Return the refusal of a wish."""
    details: dict[str, Any] = {"wish": wish, "permission": permission, "company_id": company_id}
    if company_id is None and not actor.companies and permission in OF_COMPANY:
        return DeniedError(
            f"{wish} needs access to a company, and {actor} has access to none. Ask for it: `access-request:create`.",
            code="no_company",
            **details,
        )
    if not actor.acts_for(company_id) and permission in OF_COMPANY:
        whom = "the installation" if company_id is None else f"company {company_id}"
        return DeniedError(
            f"{wish} concerns {whom}, which {actor} does not act for. Ask an administrator for access.",
            code="not_this_company",
            **details,
        )
    where = "" if company_id is None or permission not in OF_COMPANY else f" in company {company_id}"
    return DeniedError(
        f"{wish} needs the permission {permission}, which {actor} does not have{where}. Ask an administrator for it.",
        **details,
    )
