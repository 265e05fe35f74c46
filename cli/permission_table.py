"""``docs/permissions.md``: who may do what, written from the tables that the program decides by.

``make docs`` writes it anew, ``python -m cli.permission_table --check`` tells whether it is as the program decides.
Tests read what they expect from the document, so that it cannot say one thing and the program do another.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cli.catalogue import COMMANDS
from cli.permissions import ANYBODY, of_command
from domain.permissions import (
    COMPANY_ROLES,
    ENGINE,
    OF_COMPANY,
    OF_INSTALLATION,
    OWN,
    SYSTEM_ROLES,
    commands,
    permission_of,
)
from web.app import PAGES
from web.auth.routes import OPEN
from web.auth.routes import permission_of as permission_of_address
from web.view import BASE

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "permissions.md"

YES, OWN_ONLY, NO = "yes", "own", "no"

COLUMNS = (*SYSTEM_ROLES, *(f"company {role}" for role in COMPANY_ROLES))

EXPANDED = {
    "/pause/{what:str}/{name:str}": ("system", "company", "application", "template"),
    "/credential/{name:str}/{what:str}": ("reveal", "test", "remove"),
    "/application/{name:str}/{what:str}": ("assign", "unassign"),
    "/company/{name:str}/{what:str}": ("suspend", "archive", "restore", "remove"),
    "/user/{name:str}/{what:str}": (
        "profile", "lock", "unlock", "password", "role", "unrole", "grant", "revoke",
    ),
}  # fmt: skip
"""Addresses whose permission depends on a part of them, with what that can be."""

INTRODUCTION = """\
# Who may do what

Written by `make docs` from the tables that the program decides by (`domain/permissions.py`, `cli/permissions.py`);
change those, not this page. Tests call every command as every role and compare with what this page says.

A user has **system roles**, which hold for the whole installation, and **roles in companies**, which hold in those
companies alone, by a membership of their own or of a group that they are in. What a user may do in a company is what
the system roles allow together with what the roles in that company allow. A membership can add single permissions to
its role and take others away, and can end by itself, as a system role can. None but `super_admin` is let into a
company by a system role.

**Groups** of users are made by whoever manages users (`user-group:*`); a company lets a group in as it lets a user in
(`user-company:assign --group NAME`). Whoever is in it may do in the company what the group may, until they leave it,
their time in it is over, or the company's grant ends.

What is granted **until a moment** - a system role, a role in a company, a place in a group - is refused from that
moment on, without anybody doing anything: what a user may do is looked up for every request and every command line.

**Access is asked for** by `access-request:create` or on the page *My access*, with a role, a reason and an end.
Whoever has `member.manage` in that company approves or refuses it, never their own and never a role mightier than
theirs; a membership follows from the approval. Who asked may take an open request back. Each step is an event.

**API tokens** let through no more than their user may do at that moment, narrowed down to the permissions and
companies that they were made for; a token cannot make another one.

In the tables, `yes` means: in the whole installation (system roles), in that company (roles in companies). `own`
means: about the user's own account; about that of another, whoever has `users.manage` may. `no` means: refused, which
the audit trail shows as `AccessDenied`.

Things of a company that a user does not see are not there for them: whoever names one by its id is answered the same
whether there is one or not, and that they tried is an `AccessDenied` of that company. Of the refusals of a user, 1,000
within an hour are put down, and 50 of what is hidden from them; the last one says that those which follow are left out.

The owner of the machine, who runs `multiflexi-cli` without `--as` and without a token, needs no permission: they have
the database. What is marked *owner* is for them alone.
"""


def document() -> str:
    """Return the text of the document."""
    parts = [
        INTRODUCTION,
        "## Permissions in a company\n",
        _table("permission", OF_COMPANY, lambda name: name, "allows to", OF_COMPANY.get),
        "## Permissions in the installation\n",
        _table("permission", OF_INSTALLATION, lambda name: name, "allows to", OF_INSTALLATION.get),
        "## Commands of the domain\n",
        "What is done on the web or the command line is done by these. Parts of the program alone give *engine*.\n",
        _table("command", commands(), permission_of, "needs", _named(ENGINE, "*engine*")),
        "## Commands of the command line\n",
        "What a command changes is judged once more, by the command of the domain that it gives.\n",
        _table("command line", sorted(COMMANDS), of_command, "needs", _named(ENGINE, "*owner*")),
        "## Addresses of the web\n",
        "Pages show what is of companies where their user has the permission. All others are open to everybody.\n",
        _table(
            "address",
            addresses(),
            lambda name: permission_of_address(*reversed(name.split())),
            "needs",
            _named(ENGINE, ""),
        ),
    ]
    return "\n".join(parts)


def addresses() -> list[str]:
    """Return the addresses of the web that need somebody to be signed in, each with its method."""
    found: set[str] = set()
    for handler in (handler for each in PAGES for handler in each.HANDLERS):
        for path in handler.paths:
            if not any(re.match(open_one, BASE + path) for open_one in OPEN):
                kinds = EXPANDED.get(path, ("{what}",))
                shown = [path.replace("{what:str}", kind).replace(":str}", "}") for kind in kinds]
                found |= {f"{method} {BASE}{one}" for method in handler.http_methods - {"HEAD"} for one in shown}
    return sorted(found, key=lambda name: tuple(reversed(name.split())))


def cells(permission: str) -> Iterator[str]:
    """Yield what each role may do that needs a permission.

    Examples
    --------
    >>> " ".join(cells("job.run"))
    'yes no no no no no yes yes'
    >>> " ".join(cells("token.own"))
    'yes yes own own no no no no'
    """
    for allowed in SYSTEM_ROLES.values():
        if permission == ANYBODY or (permission in allowed and (permission not in OWN or "users.manage" in allowed)):
            yield YES
        else:
            yield OWN_ONLY if permission in allowed else NO
    for allowed in COMPANY_ROLES.values():
        yield YES if permission == ANYBODY or permission in allowed else NO


def _named(permission: str, name: str) -> Callable[[str], str]:
    def shown(wanted: str) -> str:
        return name if wanted == permission else f"`{wanted}`" if wanted else "nothing"

    return shown


def _table(
    kind: str, names: Iterable[str], needs: Callable[[str], str], title: str, told: Callable[[str], str | None]
) -> str:
    lines = [f"| {kind} | {title} | {' | '.join(COLUMNS)} |", "| --- " * (2 + len(COLUMNS)) + "|"]
    lines += [f"| `{name}` | {told(needs(name))} | {' | '.join(cells(needs(name)))} |" for name in names]
    return "\n".join(lines) + "\n"


def main(words: list[str]) -> int:
    """Write the document, or with ``--check`` tell whether it is as the program decides."""
    text = document()
    if "--check" not in words:
        DOCUMENT.write_text(text, encoding="utf-8")
        return 0
    if DOCUMENT.exists() and DOCUMENT.read_text(encoding="utf-8") == text:
        return 0
    print(f"{DOCUMENT} is not as the program decides. `make docs` writes it anew.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
