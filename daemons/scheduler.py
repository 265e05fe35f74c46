"""The scheduler: turns due templates into jobs, each due time into one.

It sleeps until the earliest due time and wakes when a template changes. Any number may run: the due time is part of the
idempotency key of the command and of a unique key of the queue, and the template is held at the version that was read.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from datetime import UTC, datetime

import asyncpg
import structlog

from daemons.runtime import Daemon, run
from domain.errors import DomainError
from domain.job_events import JobScheduled
from domain.schedule import next_due
from eventstore.append import guard
from eventstore.errors import ConcurrencyError, EventStoreError, UniqueError
from eventstore.listener import POLL
from eventstore.log import NO_STREAM, Append, Meta
from eventstore.store import EventStore
from projections.queries import query

BATCH = 1_000
"""Due templates taken at a time."""

META = Meta(actor="daemon:scheduler", source="scheduler")
JOB_IDS = "SELECT nextval('job_id') FROM generate_series(1, $1::integer)"

log = structlog.get_logger(__name__)


async def schedule_due(store: EventStore, now: datetime) -> int:
    """Queue a job for each template that is due; return how many were taken."""
    rows = await store.pool.fetch(query("run_template.due"), now, BATCH)
    if not rows:
        return 0
    ids = [row[0] for row in await store.pool.fetch(JOB_IDS, len(rows))]
    await asyncio.gather(*(schedule_one(store, row, job_id, now) for row, job_id in zip(rows, ids, strict=True)))
    return len(rows)


async def schedule_one(store: EventStore, row: asyncpg.Record, job_id: int, now: datetime) -> None:
    """Queue the job of one due template, unless somebody else has done so or has changed the template."""
    due: datetime = row["next_due"]
    scheduled = JobScheduled(
        job_id=job_id,
        company_id=row["company_id"],
        run_template_id=row["run_template_id"],
        uuid=str(uuid.uuid4()),
        application_id=row["app_id"],
        application_version=row["app_version"],
        not_before=due,
        scheduled_at=now,
        schedule_type=row["interv"],
        due=due,
        next_due=following(row, max(due, now)),
        executor=row["executor"],
        launched_by="daemon:scheduler",
    )
    key = f"due:{row['run_template_id']}:{due.isoformat()}"
    try:
        await store.append_all(
            [
                Append(stream=f"job-{job_id}", company_id=row["company_id"], events=[scheduled], expected=NO_STREAM),
                guard(f"run_template-{row['run_template_id']}", row["company_id"], row["stream_version"]),
            ],
            meta=META,
            key=key,
            fingerprint=key.encode(),
        )
    except (ConcurrencyError, UniqueError) as error:
        log.info("not scheduled, somebody was first", run_template=row["run_template_id"], reason=str(error))
    except EventStoreError as error:
        log.error("not scheduled", run_template=row["run_template_id"], error=str(error))


def following(row: asyncpg.Record, after: datetime) -> datetime | None:
    """Return when a template is due after a moment; None if never, or if its schedule cannot be understood any more."""
    try:
        return next_due(row["interv"], row["cron"], row["zone"], after)
    except DomainError as error:
        log.error(
            "schedule not understood; the template is not due any more",
            run_template=row["run_template_id"],
            error=str(error),
        )
        return None


async def work(store: EventStore, daemon: Daemon) -> None:
    """Schedule what is due, sleep until something is, until the daemon is to stop."""
    store.listener.start()
    wake = store.listener.register(frozenset({"run_template", "company"}))
    stopping = asyncio.create_task(daemon.stopping.wait())
    stopping.add_done_callback(lambda _: wake.set())
    try:
        while not daemon.stopping.is_set():
            if await schedule_due(store, datetime.now(UTC)):
                continue
            earliest = await store.pool.fetchval(query("run_template.next_due"))
            wait = POLL if earliest is None else min(POLL, (earliest - datetime.now(UTC)).total_seconds())
            if wait > 0:
                await store.listener.wait(wake, wait)
    finally:
        stopping.cancel()
        store.listener.forget(wake)


if __name__ == "__main__":
    sys.exit(run("scheduler", work))
