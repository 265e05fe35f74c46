"""Wait until a read model shows what was written, so that users read their own writes."""

from __future__ import annotations

import asyncio
from typing import Protocol

import asyncpg

from commands.facts import available, sql
from eventstore.log import Cursor
from projections.errors import ProjectionLagError, UnknownProjectionError

SHORTEST_PAUSE = 0.002
LONGEST_PAUSE = 0.05


class HasPool(Protocol):
    """A store, as far as waiting needs one."""

    @property
    def pool(self) -> asyncpg.Pool:
        """Connections for reading."""
        ...


async def wait_for(store: HasPool, projection: str, cursor: Cursor, timeout: float = 5.0) -> None:
    """Return when a projection has folded the log up to a place.

    Parameters
    ----------
    store : EventStore
        Open store.
    projection : str
        Name of the projection, e.g. ``job_history``. An inline one is never behind.
    cursor : Cursor
        Place in the log, as ``Outcome.cursor`` gives it.
    timeout : float
        Most seconds to wait.

    Raises
    ------
    UnknownProjectionError
        There is no projection of that name.
    ProjectionLagError
        It did not get there in time; the error tells how far it is behind.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout
    pause = SHORTEST_PAUSE
    while True:
        async with available():
            row = await store.pool.fetchrow(sql("projection"), projection)
        if row is None:
            raise UnknownProjectionError(f"There is no projection {projection!r} in this database.")
        place = Cursor(row["epoch"], row["xid"], row["position"])
        if row["inline"] or place >= cursor:
            return
        left = end - loop.time()
        if left <= 0:
            behind = max(cursor.position - place.position, 1)
            raise ProjectionLagError(
                f"Projection {projection} is about {behind} events behind after {timeout:g} s, at {place} of {cursor}. "
                "What was written is safe. Is the projector running?"
            )
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 1.5, LONGEST_PAUSE)
