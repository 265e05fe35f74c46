"""What a user needs for each command of the command line, who acts by ``--as`` or by a token.

What a command changes is judged once more by the command of the domain that it executes. The owner of the machine, who
acts as nobody, needs nothing: they have the database.
"""

from __future__ import annotations

from domain.permissions import ENGINE, OF_COMPANY

ANYBODY = ""
"""Permission of commands that show or change nothing of an installation."""

OWNER = ENGINE
"""Permission of commands for the owner of the machine alone: they work on the database itself or on its files."""

_TABLE: dict[str, tuple[str, ...]] = {
    ANYBODY: (
        "application:validate-json",
        "archive:verify",
        "audit:check",
        "credential-prototype:validate-json",
        "credential-type:validate-json",
        "describe",
    ),
    OWNER: (
        "archive:attach",
        "archive:create",
        "archive:list",
        "audit:growth",
        "audit:head",
        "audit:proof",
        "audit:verify",
        "database:adopt",
        "database:migrate",
        "demo:create",
        "demo:servers",
        "job:cleanup",
        "projection:list",
        "projection:rebuild",
        "prune",
        "queue:fix",
        "replay",
        "user:first",
    ),
    "application.view": (
        "application:diff",
        "application:export-json",
        "application:get",
        "application:list",
        "application:show-config",
        "application:versions",
        "credential-prototype:export-json",
        "credential-prototype:get",
        "credential-prototype:list",
    ),
    "application.change": (
        "application:create",
        "application:delete",
        "application:import-json",
        "application:pause",
        "application:remove-json",
        "application:resume",
        "application:sync",
        "application:update",
    ),
    "audit.view": ("audit:list", "retention:list"),
    "credential.view": (
        "credential-type:get",
        "credential-type:list",
        "credential:get",
        "credential:list",
        "run-template:list-credentials",
    ),
    "credential.change": (
        "credential-type:create",
        "credential-type:delete",
        "credential-type:update",
        "credential:create",
        "credential:remove",
        "credential:test",
        "credential:update",
    ),
    "credential.assign": ("run-template:assign-credential", "run-template:unassign-credential"),
    "prototype.change": (
        "credential-prototype:create",
        "credential-prototype:delete",
        "credential-prototype:import-json",
        "credential-prototype:sync",
        "credential-prototype:update",
        "credential-type:import-json",
    ),
    "company.create": ("company:clone", "company:create", "company:import"),
    "company.view": ("company-app:list", "company:get", "company:list"),
    "company.change": (
        "company-app:assign",
        "company-app:unassign",
        "company:archive",
        "company:pause",
        "company:restore",
        "company:resume",
        "company:suspend",
        "company:update",
    ),
    "company.remove": ("company:remove",),
    "customer.manage": (
        "customer:create",
        "customer:get",
        "customer:list",
        "customer:remove",
        "customer:update",
        "server:create",
        "server:get",
        "server:list",
        "server:remove",
        "server:update",
    ),
    "job.view": (
        "job:get",
        "job:list",
        "job:status",
        "queue:list",
        "queue:overview",
        "task:get",
        "task:list",
        "task:status",
    ),
    "job.run": ("job:create", "job:retry", "job:update", "run-template:schedule"),
    "job.cancel": ("job:cancel", "job:delete", "queue:truncate"),
    "output.view": ("artifact:get", "artifact:list", "artifact:save", "job:watch"),
    "system.view": ("status",),
    "system.manage": (
        "credential:encrypt-existing",
        "encryption:init",
        "encryption:rewrap",
        "encryption:status",
        "system:pause",
        "system:resume",
    ),
    "template.view": (
        "run-template:dry-run",
        "run-template:get",
        "run-template:list",
        "run-template:preview",
        "run-template:stale",
    ),
    "template.configure": (
        "run-template:activate",
        "run-template:clone",
        "run-template:create",
        "run-template:deactivate",
        "run-template:delete",
        "run-template:populate",
        "run-template:reconfigure",
        "run-template:update",
    ),
    "users.view": ("user-group:get", "user-group:list", "user:get", "user:list"),
    "access.request": (
        "access-request:create",
        "access-request:get",
        "access-request:list",
        "access-request:withdraw",
    ),
    "users.manage": (
        "user-group:add",
        "user-group:create",
        "user-group:delete",
        "user-group:remove",
        "user-group:update",
        "user:create",
        "user:delete",
        "user:update",
        "user-role:set",
        "user-role:list",
        "user-erasure:approve",
        "user-erasure:cleanup",
        "user-erasure:process",
        "user-erasure:reject",
    ),
    "users.own": (
        "user-erasure:audit",
        "user-erasure:create",
        "user-erasure:list",
        "user-erasure:withdraw",
        "user:data-erasure",
    ),
    "token.own": (
        "token:create",
        "token:delete",
        "token:generate",
        "token:get",
        "token:list",
        "token:update",
    ),
    "member.view": ("user-company:list",),
    "member.manage": (
        "access-request:approve",
        "access-request:refuse",
        "user-company:assign",
        "user-company:unassign",
    ),
}

OF_COMMAND = {command: permission for permission, commands in _TABLE.items() for command in commands}
"""Of each command of the command line, the permission that a user needs for it."""

WHOLE = frozenset({"customer.manage", "users.view", "users.manage", "system.view", "system.manage"})
"""Permissions of the installation whose commands read what belongs to no company."""


def of_command(name: str) -> str:
    """Return the permission that a user needs for a command; one that nobody has if the table lacks it."""
    return OF_COMMAND.get(name, OWNER)


def of_company(permission: str) -> bool:
    """Tell whether a permission is held in companies."""
    return permission in OF_COMPANY
