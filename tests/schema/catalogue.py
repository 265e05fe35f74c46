"""The tables of a database as its catalogue has them, and sessions of each role."""

from __future__ import annotations

from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.testbed.postgres import Database


def as_superuser(database: Database) -> psycopg.Connection[Any]:
    return psycopg.connect(database.superuser_url, autocommit=True, options="-c search_path=multiflexi")


def as_role(database: Database, role: str, companies: str | None = None) -> psycopg.Connection[Any]:
    connection = psycopg.connect(
        database.url_of(role), autocommit=True, options=f"-c role=multiflexi_{role} -c search_path=multiflexi"
    )
    if companies is not None:
        connection.execute("SELECT set_config('multiflexi.companies', %s, false)", [companies])
    return connection


RELATIONS = """
    SELECT c.relname, c.relispartition, c.relkind::text,
           EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'company_id'),
           c.relrowsecurity AND c.relforcerowsecurity, c.reloptions
      FROM pg_class c WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
     ORDER BY c.relname
"""


def relations(database: Database, schema: str = "multiflexi") -> list[tuple[str, bool, str, bool, bool, Any]]:
    with as_superuser(database) as connection:
        return connection.execute(RELATIONS, [schema]).fetchall()


def tables(database: Database, schema: str = "multiflexi") -> list[str]:
    """Return the tables that have companies."""
    return [
        name for name, leaf, kind, company, _, _ in relations(database, schema) if company and not leaf and kind in "rp"
    ]


def has_rows(connection: psycopg.Connection[Any], table: str, company: int) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE company_id = %s)").format(sql.Identifier(table))
    row = connection.execute(query, [company]).fetchone()
    return bool(row and row[0])


COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
     WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     ORDER BY a.attnum
"""
MADE_UP = {
    "text": "'made up {company}'",
    "integer": "{number}",
    "bigint": "{number}",
    "smallint": "1",
    "numeric": "0",
    "double precision": "0",
    "boolean": "false",
    "jsonb": "'{{\"company_id\": {company}}}'",
    "bytea": "'\\x0{company}'",
    "date": "current_date",
    "timestamp with time zone": "now()",
    "xid8": "'1'",
    "text[]": "'{{}}'",
    "integer[]": "'{{}}'",
    "uuid": "gen_random_uuid()",
}


def make_up_row(connection: psycopg.Connection[Any], table: str, company: int) -> None:
    """Insert a row of a company with some value in each column."""
    columns = connection.execute(COLUMNS, [table]).fetchall()
    own = "id" if table == "company" else "company_id"
    values = [made_up(kind, company, company if name == own else 900_000 + company) for name, kind in columns]
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
            sql.Identifier(table), names_of(columns), sql.SQL(", ").join(values)
        )
    )


def made_up(kind: str, company: int, number: int) -> sql.SQL:
    return sql.SQL(cast("LiteralString", MADE_UP[kind].format(company=company, number=number)))


def names_of(columns: list[tuple[Any, ...]]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)


def insert(
    connection: psycopg.Connection[Any], table: str, columns: list[tuple[Any, ...]], row: tuple[Any, ...]
) -> None:
    values = [
        Jsonb(value) if kind == "jsonb" and value is not None else value
        for (_, kind), value in zip(columns, row, strict=True)
    ]
    marks = sql.SQL(", ").join(sql.SQL("%s::") + sql.SQL(cast("LiteralString", kind)) for _, kind in columns)
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
            sql.Identifier(table), names_of(columns), marks
        ),
        values,
    )
