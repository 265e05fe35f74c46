"""What a request needs: which addresses are open to everybody, and which permission each other one asks for."""

from __future__ import annotations

from commands.actor import Actor
from domain.permissions import OF_COMPANY
from eventstore.connection import Companies

OPEN = (r"^/$", r"^/favicon\.ico$", r"^/multiflexi/static/", r"^/multiflexi/health$", r"^/multiflexi/sign-in(/|$)")
"""Addresses that need nobody to be signed in, as regular expressions."""

PERMISSIONS = (
    ("/run-template", "template.view"),
    ("/application", "application.view"),
    ("/credential-prototype", "application.view"),
    ("/credential", "credential.view"),
    ("/compan", "company.view"),
    ("/audit", "audit.view"),
    ("/job", "job.view"),
    ("/task", "job.view"),
    ("/queue", "job.view"),
    ("/system", "company.view"),
    ("/account", "users.own"),
    ("/user", "users.view"),
)
"""What an address below the base asks for, by how it begins; the first that fits. Any other asks for ``job.view``."""


def permission_of(path: str) -> str:
    """Return the permission that an address asks for.

    Examples
    --------
    >>> permission_of("/multiflexi/run-template/7/edit"), permission_of("/multiflexi/")
    ('template.view', 'job.view')
    """
    below = path.removeprefix("/multiflexi")
    return next((permission for begin, permission in PERMISSIONS if below.startswith(begin)), "job.view")


def reach(actor: Actor, permission: str) -> Companies:
    """Return the companies that row-level security lets through for what asks for a permission.

    Examples
    --------
    >>> reach(Actor.user(5, [7], role="viewer"), "job.view"), reach(Actor.user(5, [7], role="viewer"), "audit.view")
    ([7], [])
    """
    if actor.companies == "*":
        return "*"
    if permission not in OF_COMPANY:
        return sorted(actor.companies)
    if permission in actor.permissions:
        return "*"
    return sorted(company_id for company_id, allowed in actor.grants.items() if permission in allowed)
