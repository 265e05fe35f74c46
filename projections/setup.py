"""Make the read models of a database, and bring those of an older version up to date."""

from __future__ import annotations

import psycopg
from psycopg import sql

from projections.projection import Projection
from projections.rebuild import OWNER_OPTIONS, rebuild
from projections.registry import ALL

LOCK = 0x4D46_0002
"""Key of the advisory lock that making read models holds."""


def install_all(owner_url: str) -> list[str]:
    """Make the read models that are missing and rebuild those of an older version.

    Parameters
    ----------
    owner_url : str
        PostgreSQL URL of a login that is a member of ``multiflexi_owner``; the database is migrated.

    Returns
    -------
    list[str]
        What was done, a line each.
    """
    done: list[str] = []
    with psycopg.connect(owner_url, autocommit=True, options=OWNER_OPTIONS) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        stored = dict(connection.execute("SELECT name, version FROM projections").fetchall())
        missing = [projection for projection in ALL if projection.name not in stored]
        fresh = connection.execute("SELECT NOT EXISTS (SELECT FROM events)").fetchone()
        with connection.transaction():
            for projection in missing:
                install(connection, projection)
                done.append(f"read model {projection.name}")
        outdated = [p.name for p in ALL if p.name in stored and stored[p.name] < p.version]
        behind = [p.name for p in missing if p.inline] if not (fresh and fresh[0]) else []
    for name in outdated + behind:
        rebuild(owner_url, name)
        done.append(f"rebuilt {name}")
    return done


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
