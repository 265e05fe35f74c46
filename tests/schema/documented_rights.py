"""The rights of daemons as docs/database-roles.md tells them, and as the catalogue of a database has them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.schema.catalogue import as_superuser
from tests.testbed.postgres import Database

PAGE = Path(__file__).resolve().parents[2] / "docs" / "database-roles.md"
DAEMONS = ("scheduler", "executor", "projector")
Rights = dict[tuple[str, str], set[str]]
"""Of a name and a role: ``INSERT``, or ``SELECT hash`` where it is of a column."""

GRANTS = """
    SELECT c.relname, coalesce(g.rolname, 'PUBLIC'), a.privilege_type
      FROM pg_class c CROSS JOIN aclexplode(c.relacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
     WHERE c.relnamespace = 'multiflexi'::regnamespace
    UNION ALL
    SELECT c.relname, coalesce(g.rolname, 'PUBLIC'), a.privilege_type || ' ' || t.attname
      FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid
     CROSS JOIN aclexplode(t.attacl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
     WHERE c.relnamespace = 'multiflexi'::regnamespace AND NOT t.attisdropped
"""
COLUMNS = """
    SELECT c.relname, array_agg(t.attname::text) FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid
     WHERE c.relnamespace = 'multiflexi'::regnamespace AND t.attnum > 0 AND NOT t.attisdropped GROUP BY c.relname
"""
CALLERS = """
    SELECT p.proname, substr(g.rolname, 12)
      FROM pg_proc p JOIN pg_roles g ON g.rolname LIKE 'multiflexi\\_%' AND g.rolname NOT LIKE '%\\_login'
     WHERE p.pronamespace = 'multiflexi'::regnamespace AND has_function_privilege(g.oid, p.oid, 'EXECUTE')
"""
RIGHT = re.compile(r"([A-Z]+)(?: \(([^)]*)\))?")


def cells(columns: int) -> list[list[str]]:
    """Return the rows of the tables of the page that have so many columns and begin with a name."""
    rows = [line.strip("|\n").split("|") for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    return [[cell.strip().strip("`") for cell in row] for row in rows if len(row) == columns]


def documented(database: Database) -> Rights:
    """Return the rights that the page tells."""
    with as_superuser(database) as connection:
        columns = {name: set(of) for name, of in connection.execute(COLUMNS.encode()).fetchall()}
    told: Rights = {}
    for name, *rights, _ in cells(5):
        for role, text in zip(DAEMONS, rights, strict=True):
            held = told.setdefault((name, role), set())
            for privilege, of in RIGHT.findall(text):
                if of.startswith("all but "):
                    chosen = columns[name] - set(of.removeprefix("all but ").split(", "))
                else:
                    chosen = set(of.split(", ")) if of else set()
                held |= {f"{privilege} {column}" for column in chosen} or {privilege}
    return {key: rights for key, rights in told.items() if rights}


def granted(database: Database) -> Rights:
    """Return the rights that daemons were granted, themselves or as somebody they are a member of."""
    found: Rights = {}
    with as_superuser(database) as connection:
        for name, role, right in connection.execute(GRANTS.encode()).fetchall():
            if role.removeprefix("multiflexi_") in (*DAEMONS, "daemon", "PUBLIC"):
                found.setdefault((name, role.removeprefix("multiflexi_")), set()).add(right)
    return found


def documented_callers() -> dict[str, set[str]]:
    """Return of each function that is one daemon's alone who may call it."""
    return {name: {role, "owner", "daemon"} for name, role, _ in cells(3) if role in DAEMONS}


def callers(database: Database) -> dict[str, set[str]]:
    """Return of each function the roles that may call it."""
    found: dict[str, set[str]] = {}
    with as_superuser(database) as connection:
        for name, role in connection.execute(CALLERS.encode()).fetchall():
            found.setdefault(name, set()).add(role)
    return found
