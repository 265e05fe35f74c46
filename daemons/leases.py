"""Leases: renewed in one statement for all running jobs; jobs whose executor is gone are settled.

A job whose lease ran out is finished as ``lost`` by whoever notices first; the version of its stream fences the old
owner out. On the host where it ran, the processes it may have left are ended first, found by their mark.

A lease that ran out while the database was away says nothing of its owner, who could not renew it either: leases are
judged only by an executor that has reached the database for some seconds, in which the owner has renewed its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from datetime import UTC, datetime

import asyncpg
import structlog

from daemons.executors import process_tree
from daemons.job_run import token_of
from daemons.recorder import META
from daemons.runtime import Daemon
from daemons.settling import settle_appends
from daemons.surroundings import GRACE
from daemons.work_folder import WorkFolders
from domain.job_events import JobCancelRequested, JobFinished
from eventstore.errors import ConcurrencyError, EventStoreError
from eventstore.store import EventStore

LEASE = 30.0
"""Seconds that a lease lasts."""

RENEW_EVERY = 6.0
"""Seconds between renewals."""

LOOK_EVERY = 2.0
"""Seconds between looking for jobs of others that are to be settled."""

RENEW_SOON = 1.0
"""Seconds between both while the database was away or has just come back."""

OBSERVED = 4.0
"""Seconds of reaching the database after which others' leases are judged."""

UNHEARD = 2.5
"""Seconds after the grace time of a request to cancel, after which others do what its executor has not done."""

RENEW = "SELECT renew_leases($1, $2, $3)"
LOST = """
    SELECT l.job_id, l.company_id, l.daemon_id, l.host, l.version AS lease_version, l.pid, l.pid_start, q.*,
           extract(epoch FROM clock_timestamp() - q.started_at)::double precision AS seconds
      FROM job_leases l LEFT JOIN job_queue q ON q.job_id = l.job_id
     WHERE (l.daemon_id <> $4 OR l.job_id <> ALL ($5::integer[]))
       AND (l.daemon_id = ANY ($1::text[])
            OR $2 AND (l.expires_at < clock_timestamp()
                       OR EXISTS (SELECT FROM streams s WHERE s.stream = 'job-' || l.job_id AND s.version > l.version
                                     AND s.last_time < clock_timestamp() - make_interval(secs => $3))))
     LIMIT 100
"""
DROP = "DELETE FROM job_leases WHERE job_id = $1 AND daemon_id = $2"
HERE = "SELECT d.id, d.pid FROM daemons d WHERE d.machine = $1 AND d.kind = 'executor'"
FORGET = """
    DELETE FROM daemons d
     WHERE d.id = ANY ($1::text[]) AND NOT EXISTS (SELECT FROM job_leases l WHERE l.daemon_id = d.id)
"""

log = structlog.get_logger(__name__)


class Contact:
    """Since when the database has been reached without a break, as far as this executor knows."""

    def __init__(self) -> None:
        self._since: float | None = None

    def made(self) -> None:
        """Note that the database answered."""
        if self._since is None:
            self._since = time.monotonic()

    def broken(self) -> None:
        """Note that the database did not answer."""
        self._since = None

    @property
    def observed(self) -> bool:
        """Whether others have had the time to renew their leases."""
        return self._since is not None and time.monotonic() - self._since >= OBSERVED


async def renew(store: EventStore, daemon: Daemon, job_ids: list[int]) -> list[int]:
    """Renew the leases of running jobs; return those that were lost."""
    if not job_ids:
        return []
    return [row[0] for row in await store.pool.fetch(RENEW, daemon.id, LEASE, job_ids)]


async def settle_lost(
    store: EventStore, daemon: Daemon, running: Collection[int] = (), *, observed: bool = True, grace: float = GRACE
) -> int:
    """Finish the jobs whose executor is gone; return how many.

    Parameters
    ----------
    running : Collection[int]
        Jobs that this executor runs itself.
    observed : bool
        Whether leases that ran out may be judged. Executors of this machine that are not there any more always are.
    grace : float
        Seconds that a job has to end by itself when it was asked to.
    """
    here = await store.pool.fetch(HERE, daemon.machine)
    gone = [row["id"] for row in here if process_tree.is_zombie(row["pid"])]
    rows = await store.pool.fetch(LOST, gone, observed, grace + UNHEARD, daemon.id, list(running))
    for row in rows:
        if row["host"] == daemon.host:
            await end_processes(row)
        await settle(store, row)
    if gone:
        await store.pool.execute(FORGET, gone)
    return len(rows)


async def end_processes(row: asyncpg.Record) -> None:
    """End the processes that a lost job left on this host, and remove its folder."""
    pid = row["pid"]
    if pid and row["pid_start"] is not None and process_tree.start_time(pid) == row["pid_start"]:
        process_tree.kill_group(pid)
    token = token_of(row["job_id"], row["daemon_id"], row["lease_version"])
    ended = await process_tree.end_marked(token)
    if ended:
        log.warning("processes of a lost job were ended", job=row["job_id"], processes=ended)
    folders = WorkFolders()
    path = folders.path(row["job_id"], token)
    if os.path.exists(path):  # noqa: PTH110
        await folders.remove(path)


async def settle(store: EventStore, row: asyncpg.Record) -> None:
    """Record a lost job as such, unless it ended by itself."""
    if row["run_template_id"] is not None:
        try:
            await finish(store, row)
        except ConcurrencyError as error:
            log.info("a job thought lost was settled by another", job=row["job_id"], reason=str(error))
        except EventStoreError as error:
            log.error("a lost job could not be settled", job=row["job_id"], error=str(error))
            return
    await store.pool.execute(DROP, row["job_id"], row["daemon_id"])


async def finish(store: EventStore, row: asyncpg.Record) -> None:
    """Append the end of a lost job; as cancelled if that is what somebody wanted."""
    version: int = row["lease_version"]
    wish: JobCancelRequested | None = None
    async for recorded in store.read_stream(f"job-{row['job_id']}", start=version + 1):
        if not isinstance(recorded.event, JobCancelRequested):
            return
        version, wish = recorded.version, recorded.event
    gone = f"The executor {row['daemon_id']} gave no more signs of life; what the job did is not known."
    finished = JobFinished(
        job_id=row["job_id"],
        company_id=row["company_id"],
        run_template_id=row["run_template_id"],
        task_id=row.get("task_id"),
        outcome="lost" if wish is None else "cancelled",
        exit_code=255,
        reason=gone if wish is None else f"Cancelled by {wish.requested_by}. {gone}",
        finished_at=datetime.now(UTC),
        duration=row["seconds"],
        pid=row["pid"],
    )
    await store.append_all(await settle_appends(store, {**row, "version": version}, finished), meta=META)
    log.warning("a job was lost", job=row["job_id"], executor=row["daemon_id"])
