"""Who may do what: the permissions, the roles that have them, and the permission that each command asks for.

A permission is held for the whole installation, through a system role, or in single companies, through a membership.
``docs/permissions.md`` holds the same as a table; a test compares the two.

Examples
--------
>>> permission_of("CancelJob"), "job.cancel" in COMPANY_ROLES["viewer"], "job.cancel" in COMPANY_ROLES["manager"]
('job.cancel', False, True)
>>> of_system_roles(["editor", "user"]) >= {"application.change", "access.request"}
True
"""

from __future__ import annotations

from collections.abc import Iterable

OF_COMPANY = {
    "company.view": "see the company and what it consists of",
    "company.change": "change the company, pause and resume it",
    "template.view": "see run templates",
    "template.configure": "make, change and remove run templates",
    "job.view": "see jobs, tasks and the queue",
    "job.run": "start jobs",
    "job.cancel": "cancel jobs and empty the queue",
    "output.view": "see what jobs wrote, and their artifacts",
    "credential.view": "see credentials, their secrets masked",
    "credential.assign": "assign credentials to run templates",
    "credential.change": "make, change and remove credentials",
    "credential.reveal": "see the secrets of credentials in clear",
    "member.view": "see who may do what in the company",
    "member.manage": "grant and revoke access to the company, decide on requests",
    "audit.view": "see who changed what and when",
}
"""Permissions that can be held in a single company, with what they allow."""

OF_INSTALLATION = {
    "company.create": "set up companies",
    "company.remove": "remove companies",
    "customer.manage": "see, make, change and remove customers and servers",
    "application.view": "see the catalogue of applications",
    "application.change": "import, change and remove applications",
    "prototype.change": "import, change and remove credential prototypes",
    "users.view": "see the users",
    "users.manage": "make, change and remove users, their roles and groups",
    "users.own": "manage the user's own account: profile, password, second factor, passkeys, sessions",
    "token.own": "make and revoke the user's own API tokens",
    "access.request": "ask for access",
    "system.view": "see how the installation is",
    "system.manage": "pause the installation, maintain its queue, its keys and its read models",
}
"""Permissions that are held for the whole installation only."""

EVERYTHING = {**OF_COMPANY, **OF_INSTALLATION}

ENGINE = "engine"
"""Permission of commands that only parts of the program give. Nobody else has it."""

SUPER_ADMIN = "super_admin"
"""The system role that may do everything, in every company."""

_ANYBODY = frozenset({"users.own", "application.view", "access.request"})
_USER = _ANYBODY | {"token.own"}

SYSTEM_ROLES: dict[str, frozenset[str]] = {
    SUPER_ADMIN: frozenset(EVERYTHING),
    "admin": _USER
    | {
        "company.create",
        "customer.manage",
        "application.change",
        "prototype.change",
        "users.view",
        "users.manage",
        "member.view",
        "member.manage",
        "system.view",
        "system.manage",
    },
    "editor": _USER | {"application.change", "prototype.change", "system.view"},
    "user": _USER,
    "viewer": _ANYBODY,
}
"""System roles, the mightiest first. None but ``super_admin`` lets a user into a company."""

DEFAULT_ROLE = "user"

_VIEWER = frozenset({"company.view", "template.view", "job.view", "output.view", "credential.view"})
_MANAGER = _VIEWER | {"template.configure", "job.run", "job.cancel", "credential.assign", "member.view"}

COMPANY_ROLES: dict[str, frozenset[str]] = {
    "viewer": _VIEWER,
    "manager": _MANAGER,
    "admin": frozenset(OF_COMPANY),
}
"""Roles in a company, the weakest first."""

_TABLE: dict[str, tuple[str, ...]] = {
    "company.create": ("CreateCompany",),
    "company.change": (
        "ChangeCompany",
        "SuspendCompany",
        "RestoreCompany",
        "AssignApplication",
        "UnassignApplication",
    ),
    "company.remove": ("RemoveCompany",),
    "customer.manage": (
        "CreateCustomer",
        "ChangeCustomer",
        "RemoveCustomer",
        "CreateServer",
        "ChangeServer",
        "RemoveServer",
    ),
    "application.change": (
        "ImportApplication",
        "ChangeApplication",
        "EnableApplication",
        "DisableApplication",
        "SetApplicationIcon",
        "RemoveApplication",
    ),
    "template.configure": (
        "CreateRunTemplate",
        "ChangeRunTemplate",
        "ActivateRunTemplate",
        "DeactivateRunTemplate",
        "RemoveRunTemplate",
    ),
    "credential.assign": ("AssignCredential", "UnassignCredential"),
    "credential.change": (
        "CreateCredentialType",
        "ChangeCredentialType",
        "RemoveCredentialType",
        "CreateCredential",
        "ChangeCredential",
        "RemoveCredential",
        "RecordCredentialCheck",
    ),
    "credential.reveal": ("RevealCredential",),
    "prototype.change": ("ImportCredentialPrototype", "RemoveCredentialPrototype"),
    "job.run": ("ScheduleJob", "ChangeJob"),
    "job.cancel": ("CancelJob", "RequestCancel"),
    "system.manage": ("PauseSystem", "ResumeSystem", "ReencryptCredentialType", "ReencryptCredential"),
    "users.manage": (
        "CreateUser",
        "ChangeUser",
        "RemoveUser",
        "GrantRole",
        "RevokeRole",
        "CreateGroup",
        "ChangeGroup",
        "RemoveGroup",
        "AddGroupMember",
        "RemoveGroupMember",
        "ApproveErasure",
        "RejectErasure",
        "StartErasure",
        "CompleteErasure",
        "ForgetErasure",
    ),
    "users.own": (
        "ChangeProfile",
        "SetPassword",
        "EnableTotp",
        "DisableTotp",
        "MakeRecoveryCodes",
        "UseRecoveryCode",
        "AddPasskey",
        "RemovePasskey",
        "LinkIdentity",
        "UnlinkIdentity",
        "RequestErasure",
        "WithdrawErasure",
    ),
    "token.own": ("CreateToken", "ChangeToken", "RevokeToken"),
    "access.request": ("RequestAccess", "WithdrawRequest"),
    "member.manage": ("GrantMembership", "RevokeMembership", "ApproveRequest", "RefuseRequest"),
    ENGINE: ("StartJob", "FinishJob", "RescheduleRunTemplate"),
}
"""Of each permission, the commands that ask for it."""

_OF_COMMAND = {command: permission for permission, commands in _TABLE.items() for command in commands}

OWN = frozenset({"users.own", "token.own", "access.request"})
"""Permissions about the user's own account; for that of another, ``users.manage`` is needed."""


def permission_of(command: str) -> str:
    """Return the permission that a command asks for, by the name of its class.

    Raises
    ------
    LookupError
        The table above has none: a fault of the program.
    """
    try:
        return _OF_COMMAND[command]
    except KeyError:
        raise LookupError(f"domain.permissions names no permission for {command}.") from None


def commands() -> list[str]:
    """Return the names of all commands in the table."""
    return sorted(_OF_COMMAND)


def of_system_roles(roles: Iterable[str]) -> frozenset[str]:
    """Return what system roles allow for the whole installation."""
    return frozenset(permission for role in roles for permission in SYSTEM_ROLES.get(role, ()))


def of_company_role(role: str, more: Iterable[str] = (), less: Iterable[str] = ()) -> frozenset[str]:
    """Return what a role allows in a company, with permissions added to it and others taken away.

    Examples
    --------
    >>> "output.view" in of_company_role("viewer", less=["output.view"])
    False
    """
    return (COMPANY_ROLES.get(role, frozenset()) | frozenset(more)) - frozenset(less)
