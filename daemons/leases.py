"""Leases: renewed in one statement for all running jobs; jobs whose executor is gone are settled.

A job whose lease ran out is finished as ``lost`` by whoever notices first; the version of its stream fences the old
owner out. On the host where it ran, the process it may have left is ended first.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import structlog

from daemons.job_run import META, start_time
from daemons.runtime import Daemon
from domain.job_events import JobFinished
from eventstore.errors import EventStoreError
from eventstore.log import Append
from eventstore.store import EventStore

LEASE = 30.0
"""Seconds that a lease lasts."""

RENEW_EVERY = 8.0

RENEW = "SELECT renew_leases($1, $2, $3)"
LOST = """
    SELECT l.job_id, l.company_id, l.daemon_id, l.host, l.version, l.pid, l.pid_start, q.run_template_id,
           extract(epoch FROM clock_timestamp() - q.started_at)::double precision AS seconds
      FROM job_leases l LEFT JOIN job_queue q ON q.job_id = l.job_id
     WHERE l.expires_at < clock_timestamp()
        OR l.host = $1 AND l.daemon_id = ANY (SELECT d.id FROM daemons d WHERE d.host = $1 AND d.pid <> ALL
        ($2::integer[]))
     LIMIT 100
"""
DROP = "DELETE FROM job_leases WHERE job_id = $1 AND daemon_id = $2"
HERE = "SELECT d.pid FROM daemons d WHERE d.host = $1"

log = structlog.get_logger(__name__)


async def renew(store: EventStore, daemon: Daemon, job_ids: list[int]) -> list[int]:
    """Renew the leases of running jobs; return those that were lost."""
    return [row[0] for row in await store.pool.fetch(RENEW, daemon.id, LEASE, job_ids)]


async def settle_lost(store: EventStore, daemon: Daemon) -> int:
    """Finish the jobs whose executor is gone; return how many."""
    pids = [row["pid"] for row in await store.pool.fetch(HERE, daemon.host)]
    alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    rows = await store.pool.fetch(LOST, daemon.host, alive)
    for row in rows:
        if row["host"] == daemon.host:
            end_process(row)
        await settle(store, row)
    return len(rows)


def end_process(row: asyncpg.Record) -> None:
    """End the process that a lost job left on this host, if it is still that process."""
    pid = row["pid"]
    if pid and row["pid_start"] is not None and start_time(pid) == row["pid_start"]:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


async def settle(store: EventStore, row: asyncpg.Record) -> None:
    """Record a lost job as such, unless it ended by itself."""
    if row["run_template_id"] is not None:
        finished = JobFinished(
            job_id=row["job_id"],
            company_id=row["company_id"],
            run_template_id=row["run_template_id"],
            outcome="lost",
            exit_code=255,
            reason=f"The executor {row['daemon_id']} gave no more signs of life; what the job did is not known.",
            finished_at=datetime.now(UTC),
            duration=row["seconds"],
            pid=row["pid"],
        )
        append = Append(
            stream=f"job-{row['job_id']}", company_id=row["company_id"], events=[finished], expected=row["version"]
        )
        try:
            await store.append(append, meta=META)
            log.warning("a job was lost", job=row["job_id"], executor=row["daemon_id"])
        except EventStoreError as error:
            log.info("a job thought lost was settled by another", job=row["job_id"], reason=str(error))
    await store.pool.execute(DROP, row["job_id"], row["daemon_id"])
