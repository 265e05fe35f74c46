"""Make the tables and the fold of a projection where they are not yet."""

from __future__ import annotations

import psycopg
from psycopg import sql

from projections.projection import Projection


def install(connection: psycopg.Connection, projection: Projection) -> None:
    """Make the tables and the fold of a projection in the first schema of the search path, and note its version."""
    connection.execute(projection.definition.encode())
    protect(connection, projection)
    connection.execute(
        "INSERT INTO projections (name, version, inline) VALUES (%s, %s, %s)",
        (projection.name, projection.version, projection.inline),
    )


def protect(connection: psycopg.Connection, projection: Projection) -> None:
    """Grant the roles what they need of the tables of a projection, and isolate the companies in them."""
    for table in projection.tables:
        connection.execute(
            sql.SQL("SELECT protect_read_model({}::regclass, %s, %s)").format(sql.Literal(table)),
            (projection.inline, projection.shared),
        )
