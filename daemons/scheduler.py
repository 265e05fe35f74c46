"""The scheduler: turns due templates into jobs, each due time into one, and ends the tasks whose window has passed.

It sleeps until the earliest due time and wakes when a template changes. Any number may run: the due time is part of the
idempotency key of the append and of a unique key of the queue, and the template is held at the version that was read.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from daemons.due import DueTemplate, appends, due_template, ids_needed, moved_on, planned
from daemons.expiry import end_expired_tasks
from daemons.runtime import Daemon, run
from eventstore.errors import ConcurrencyError, EventStoreError, UniqueError
from eventstore.listener import POLL
from eventstore.log import Append, Meta
from eventstore.store import EventStore
from projections.queries import query

PAGE = 2_000
"""Due templates taken at a time."""

META = Meta(actor="daemon:scheduler", source="scheduler")
STILL_DUE = "SELECT next_due FROM due WHERE run_template_id = $1"
IDS = "SELECT nextval($1::regclass) FROM generate_series(1, $2::integer)"

log = structlog.get_logger(__name__)


async def schedule_due(store: EventStore, now: datetime) -> int:
    """Schedule each template that is due at a moment; return how many jobs were queued."""
    queued = 0
    after: tuple[datetime | None, int | None] = (None, None)
    while True:
        rows = await store.pool.fetch(query("run_template.due"), now, PAGE, *after)
        if not rows:
            return queued
        queued += await schedule_page(store, [due_template(row) for row in rows], now)
        after = (rows[-1]["next_due"], rows[-1]["run_template_id"])
        if len(rows) < PAGE:
            return queued


async def schedule_page(store: EventStore, templates: Sequence[DueTemplate], now: datetime) -> int:
    """Schedule these templates; return how many jobs were queued."""
    plans = [planned(template, now) for template in templates]
    needed = [ids_needed(found) for found in plans]
    jobs = iter(await take_ids(store, "job_id", sum(count for count, _ in needed)))
    tasks = iter(await take_ids(store, "task_id", sum(count for _, count in needed)))
    wanted = [
        (template, appends(template, found, now, jobs, tasks), moved_on(template, found, now))
        for template, found in zip(templates, plans, strict=True)
    ]
    done = await asyncio.gather(*(append_one(store, *one) for one in wanted))
    return sum(count for count, told in zip((count for count, _ in needed), done, strict=True) if told)


async def take_ids(store: EventStore, sequence: str, count: int) -> list[int]:
    """Return so many fresh ids of a sequence."""
    return [row[0] for row in await store.pool.fetch(IDS, sequence, count)] if count else []


async def append_one(store: EventStore, template: DueTemplate, made: list[Append], otherwise: list[Append]) -> bool:
    """Append what follows from a due template, unless somebody else has, or has changed the template; tell whether.

    A due time that has been dealt with before is only moved on from.
    """
    try:
        done = await store.append_all(made, meta=META, key=template.key, fingerprint=template.key.encode())
        if not any(append.replayed for append in done):
            return True
        if await store.pool.fetchval(STILL_DUE, template.run_template_id) == template.next_due:
            await store.append_all(otherwise, meta=META)
    except (ConcurrencyError, UniqueError) as error:
        log.info("not scheduled, somebody was first", run_template=template.run_template_id, reason=str(error))
    except EventStoreError as error:
        log.error("not scheduled", run_template=template.run_template_id, error=str(error))
    return False


async def work(store: EventStore, daemon: Daemon) -> None:
    """Schedule what is due, sleep until something is, until the daemon is to stop."""
    store.listener.start()
    wake = store.listener.register(frozenset({"run_template", "company"}))
    stopping = asyncio.create_task(daemon.stopping.wait())
    stopping.add_done_callback(lambda _: wake.set())
    try:
        while not daemon.stopping.is_set():
            now = datetime.now(UTC)
            if await schedule_due(store, now) + await end_expired_tasks(store, now):
                continue
            earliest = await store.pool.fetchval(query("run_template.next_due"))
            wait = POLL if earliest is None else min(POLL, (earliest - datetime.now(UTC)).total_seconds())
            # What stays due could not be scheduled: it is tried again after the poll, not at once.
            await store.listener.wait(wake, wait if wait > 0 else POLL)
    finally:
        stopping.cancel()
        store.listener.forget(wake)


if __name__ == "__main__":
    sys.exit(run("scheduler", work))
