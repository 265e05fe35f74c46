"""The rows of read models, to be compared."""

from __future__ import annotations

from typing import Any

import msgspec
import psycopg
from psycopg import sql

from projections.projection import Projection
from projections.registry import ALL, ASYNC
from tests.testbed.postgres import Database

Rows = dict[str, list[dict[str, Any]]]


def rows_of(database: Database, schema: str = "multiflexi", projections: tuple[Projection, ...] = ALL) -> Rows:
    """Return all rows of the tables of projections, in a schema, by table, in an order of their own."""
    with psycopg.connect(database.superuser_url) as connection:
        return {
            table: sorted(
                (row[0] for row in connection.execute(_all_rows(schema, table)).fetchall()),
                key=lambda row: msgspec.json.encode(row, order="sorted"),
            )
            for projection in projections
            for table in projection.tables
        }


def _all_rows(schema: str, table: str) -> sql.Composed:
    return sql.SQL("SELECT to_jsonb(t) FROM {} t").format(sql.Identifier(schema, table))


def differences(one: Rows, other: Rows) -> dict[str, Any]:
    """Return what differs, table by table: nothing if all rows are the same."""
    return {
        table: {
            "only here": [row for row in one[table] if row not in other[table]],
            "only there": [row for row in other[table] if row not in one[table]],
        }
        for table in one
        if one[table] != other[table]
    }


def fold_all(database: Database, limit: int, role: str = "multiflexi_projector") -> int:
    """Fold all that asynchronous projections have not folded yet, as the projector does; return how many events."""
    options = f"-c role={role} -c search_path=multiflexi -c timezone=UTC"
    most = 0
    with psycopg.connect(database.url_of("projector"), autocommit=True, options=options) as connection:
        for projection in ASYNC:
            folded = 0
            while row := connection.execute("SELECT project(%s, %s)", ([projection.name], limit)).fetchone():
                folded += row[0]
                if row[0] == 0:
                    break
            most = max(most, folded)
    return most


def skipped(database: Database) -> list[tuple[str, str, str]]:
    """Return what projections could not take: projection, stream and error of each."""
    with psycopg.connect(database.superuser_url) as connection:
        query = "SELECT projection, stream, error FROM multiflexi.skipped_events ORDER BY 1, 2"
        return [(row[0], row[1], row[2]) for row in connection.execute(query).fetchall()]
