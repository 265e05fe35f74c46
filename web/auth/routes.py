"""What a request needs: which addresses are open to everybody, and which permission each other one asks for."""

from __future__ import annotations

import re

from commands.actor import Actor
from domain.permissions import OF_COMPANY
from eventstore.connection import Companies

OPEN = (r"^/$", r"^/favicon\.ico$", r"^/multiflexi/static/", r"^/multiflexi/health$", r"^/multiflexi/sign-in(/|$)")
"""Addresses that need nobody to be signed in, as regular expressions."""

SEEN = (
    (r"/artifact|/job/[^/]+/(artifact|output)", "output.view"),
    (r"/run-template/[^/]+/credentials", "credential.view"),
    (r"/run-templates/(change|new)|/run-template/[^/]+/remove", "template.configure"),
    (r"/run-template", "template.view"),
    (r"/applications/import", "application.change"),
    (r"/application", "application.view"),
    (r"/credential-prototypes/import", "prototype.change"),
    (r"/credential-prototype", "application.view"),
    (r"/credential-types/new|/credential-type/", "credential.change"),
    (r"/credential", "credential.view"),
    (r"/company/[^/]+/members", "member.view"),
    (r"/company/[^/]+/remove", "company.remove"),
    (r"/company/[^/]+/clone", "company.create"),
    (r"/company/[^/]+/populate", "template.configure"),
    (r"/company/[^/]+/(edit|suspend|archive|restore)", "company.change"),
    (r"/companies/", "company.create"),
    (r"/compan", "company.view"),
    (r"/(customer|server)", "customer.manage"),
    (r"/access", "access.request"),
    (r"/audit", "audit.view"),
    (r"/system", "company.view"),
    (r"/pause/(system|application)/", "application.view"),
    (r"/account", "users.own"),
    (r"/users/new|/erasure", "users.manage"),
    (r"/user", "users.view"),
)
"""What looking at an address below the base asks for: the first that it begins like. Any other: ``job.view``."""

SENT = (
    (r"/pause/template/", "template.configure"),
    (r"/pause/company/", "company.change"),
    (r"/pause/application/", "application.change"),
    (r"/pause/", "system.manage"),
    (r"/job/[^/]+/cancel", "job.cancel"),
    (r"/job/[^/]+/again", "job.run"),
    (r"/run-template/[^/]+/(run|trial)", "job.run"),
    (r"/run-template/[^/]+/credentials", "credential.assign"),
    (r"/run-template(s?)/", "template.configure"),
    (r"/user/[^/]+/(grant|revoke)", "member.manage"),
    (r"/company/[^/]+/(members|request)", "member.manage"),
    (r"/company/[^/]+/remove", "company.remove"),
    (r"/company/[^/]+/clone", "company.create"),
    (r"/company/[^/]+/populate", "template.configure"),
    (r"/company/", "company.change"),
    (r"/companies", "company.create"),
    (r"/credential/[^/]+/reveal", "credential.reveal"),
    (r"/credential-prototype", "prototype.change"),
    (r"/credential", "credential.change"),
    (r"/application/[^/]+/(assign|unassign)", "company.change"),
    (r"/application", "application.change"),
    (r"/(customer|server)", "customer.manage"),
    (r"/access", "access.request"),
    (r"/user|/erasure", "users.manage"),
    (r"/account|/sign-out", "users.own"),
)
"""What sending a form to an address asks for. It is decided by the command that is executed; this names it."""


def permission_of(path: str, method: str = "GET") -> str:
    """Return the permission that an address asks for.

    Examples
    --------
    >>> permission_of("/multiflexi/run-template/7/edit"), permission_of("/multiflexi/")
    ('template.view', 'job.view')
    >>> permission_of("/multiflexi/job/7/output/stdout.txt"), permission_of("/multiflexi/job/7/cancel", "POST")
    ('output.view', 'job.cancel')

    Raises
    ------
    LookupError
        Nothing is said of a form: a fault of the program.
    """
    below = path.removeprefix("/multiflexi")
    table = SENT if method == "POST" else SEEN
    found = next((permission for begin, permission in table if re.match(begin, below)), None)
    if found is None and method == "POST":
        raise LookupError(f"web.auth.routes names no permission for {path}.")
    return found or "job.view"


def reach(actor: Actor, permission: str) -> Companies:
    """Return the companies that row-level security lets through for what asks for a permission.

    Examples
    --------
    >>> reach(Actor.user(5, [7], role="viewer"), "job.view"), reach(Actor.user(5, [7], role="viewer"), "audit.view")
    ([7], [])
    """
    if permission not in OF_COMPANY:
        return "*" if actor.companies == "*" else sorted(actor.companies)
    if permission in actor.permissions:
        return "*"
    return sorted(company_id for company_id, allowed in actor.grants.items() if permission in allowed)
