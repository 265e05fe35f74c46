"""A claim whose executor takes no answer any more, so that its transaction, and the lock that it holds, cannot end.

The server commits a claim once the jobs are sent. A frozen executor, or one whose machine has lost power, reads
nothing: when more is to be sent than the buffers between the two hold, the server waits for it, and all other claims
wait for the server. Whoever has waited for long ends that session; its jobs stay queued, as nothing was committed.
"""

from __future__ import annotations

import asyncpg
import structlog

from eventstore.connection import connect_as_login
from eventstore.store import EventStore

WAIT = 10.0
"""Seconds for which a claim waits for the one before it. They take milliseconds."""

END = """
    SELECT a.pid, a.wait_event IS NULL AS is_hidden,
           CASE WHEN a.wait_event = 'ClientWrite' AND a.query_start < clock_timestamp() - make_interval(secs => $1)
                THEN pg_terminate_backend(a.pid) END AS is_ended
      FROM pg_locks l
      JOIN pg_stat_activity a USING (pid),
           hashtextextended('multiflexi.claim_jobs', 0) AS key
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
       AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
       AND l.classid::bigint = (key >> 32) & 4294967295 AND l.objid::bigint = key & 4294967295
"""
"""Whoever holds the lock of claims is ended if it has waited for its client for so long. Sessions of other logins tell
nothing of themselves."""

log = structlog.get_logger(__name__)


async def end_stuck_claim(store: EventStore) -> None:
    """End the session that keeps all others from claiming, if it waits for an executor that reads nothing.

    Raises
    ------
    DatabaseUnavailableError, asyncpg.PostgresError, OSError
        The database is away.
    """
    # Not in the role of an executor: a session may be ended by its own login.
    connection = await connect_as_login(store.settings.url_of(store.role), f"{store.application}-unblock")
    try:
        for row in await connection.fetch(END, WAIT):
            tell(row)
    finally:
        await connection.close()


def tell(row: asyncpg.Record) -> None:
    """Log what was found, and done about it."""
    if row["is_ended"]:
        log.warning("ended a claim whose executor takes no answer any more", server_process=row["pid"])
    elif row["is_hidden"]:
        log.error(
            "nothing can be claimed: a session of another login holds the lock of claims. If its executor is frozen, "
            "end it: SELECT pg_terminate_backend(PID), as a superuser",
            server_process=row["pid"],
        )
    else:
        log.warning("a claim waits for another, which is at work for long", server_process=row["pid"])
