"""Make the read models of a database, and bring those of an older version up to date."""

from __future__ import annotations

import psycopg

from projections.errors import ProjectionVersionError
from projections.install import install
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

    Raises
    ------
    ProjectionVersionError
        A newer version of the program has made some of them.
    """
    done: list[str] = []
    with psycopg.connect(owner_url, autocommit=True, options=OWNER_OPTIONS) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        stored = dict(connection.execute("SELECT name, version FROM projections").fetchall())
        _refuse_newer(stored)
        missing = [projection for projection in ALL if projection.name not in stored]
        fresh = connection.execute("SELECT NOT EXISTS (SELECT FROM events)").fetchone()
        with connection.transaction():
            for projection in missing:
                install(connection, projection)
                done.append(f"read model {projection.name}")
        outdated = [p.name for p in ALL if p.name in stored and stored[p.name] < p.version]
        behind = [p.name for p in missing if p.inline] if not (fresh and fresh[0]) else []
        if outdated + behind:
            # Still under the lock: another process that wants the same finds it done.
            rebuild(owner_url, outdated + behind)
            done.extend(f"rebuilt {name}" for name in outdated + behind)
    return done


def _refuse_newer(stored: dict[str, int]) -> None:
    for projection in ALL:
        if stored.get(projection.name, 0) > projection.version:
            raise ProjectionVersionError(
                f"The read model {projection.name} has version {stored[projection.name]}; this version of MultiFlexi "
                f"knows up to {projection.version}: a newer one was here before. Install that, or restore a backup "
                "from before it."
            )
