"""Tasks whose window has passed: missed if nobody tried, failed if somebody did; a job that runs is waited for."""

from __future__ import annotations

import asyncio
from datetime import datetime

import asyncpg
import structlog

from daemons.settling import task_of
from domain.task import expire
from eventstore.errors import EventStoreError
from eventstore.log import Append, Meta
from eventstore.store import EventStore
from projections.queries import query

META = Meta(actor="daemon:scheduler", source="scheduler")
BATCH = 500

log = structlog.get_logger(__name__)


async def end_expired_tasks(store: EventStore, now: datetime) -> int:
    """End open tasks whose window passed before a moment; return how many."""
    rows = await store.pool.fetch(query("task.expired"), now, BATCH)
    # Appends that are under way together share a transaction.
    return sum(await asyncio.gather(*(end_task(store, row, now) for row in rows)))


async def end_task(store: EventStore, row: asyncpg.Record, now: datetime) -> bool:
    """End a task that a row of ``task.expired`` describes; return whether it was not ended by somebody else."""
    task = task_of(row, row["max_attempts"])
    append = Append(
        stream=f"task-{task.task_id}",
        company_id=task.company_id,
        events=expire(task, row["attempts"], now),
        expected=row["stream_version"],
    )
    try:
        await store.append(append, meta=META)
    except EventStoreError as error:
        log.info("a task was ended by somebody else", task=task.task_id, reason=str(error))
        return False
    return True
