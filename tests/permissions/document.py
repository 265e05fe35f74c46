"""What ``docs/permissions.md`` says, read from its tables: the tests of permissions expect that and nothing else."""

from __future__ import annotations

import re
from functools import cache

from cli.permission_table import DOCUMENT

_ROW = re.compile(r"^\| `([^`]+)` \|(.*)\|$")


@cache
def tables() -> dict[str, dict[str, dict[str, str]]]:
    """Return the tables by heading; of each row the cells by title."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    titles: list[str] = []
    heading = ""
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading, titles = line[3:], []
        elif line.startswith("| ") and not titles:
            titles = [cell.strip() for cell in line.strip("|").split("|")][1:]
        elif row := _ROW.match(line):
            cells = [cell.strip() for cell in row[2].split("|")]
            found.setdefault(heading, {})[row[1]] = dict(zip(titles, cells, strict=True))
    return found


def allowed(heading: str, name: str, system_roles: set[str], company_role: str | None, *, own: bool = False) -> bool:
    """Tell what the document says of a command: whether somebody may give it.

    Parameters
    ----------
    heading, name : str
        Table and row.
    system_roles : set[str]
        System roles that they have.
    company_role : str or None
        Role that they have in the company that it concerns.
    own : bool
        Whether it is about their own account.
    """
    row = tables()[heading][name]
    told = {row[role] for role in system_roles} | ({row[f"company {company_role}"]} if company_role else set())
    assert told <= {"yes", "own", "no"}, told
    return "yes" in told or (own and "own" in told)


def needed(heading: str, name: str) -> str:
    """Return the permission that the document names for a command; empty: none, or none that users have."""
    told = tables()[heading][name]["needs"]
    return told.strip("`") if told.startswith("`") else ""
