"""The scheduler: turns due templates into jobs, each due time into one, and ends the tasks whose window has passed.

It sleeps until the earliest due time and wakes when a template changes. Any number may run: a template is held at the
version that was read, and each of its windows becomes a task once.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime

from daemons.due import DueTemplate, appends, due_template, ids_needed, moved, planned, without
from daemons.due_append import Wanted, append_due
from daemons.expiry import end_expired_tasks
from daemons.runtime import Daemon, run
from domain.due_plan import Plan
from eventstore.listener import POLL
from eventstore.store import EventStore
from projections.queries import query

LOOK = 100_000
"""Due templates looked up at a time."""

PAGE = 1_000
"""Due templates scheduled at a time."""

IN_FLIGHT = 2
"""Pages that the database works on while the next one is read and planned."""


async def schedule_due(store: EventStore, now: datetime) -> int:
    """Schedule each template that is due at a moment; return how many jobs were queued."""
    queued = 0
    pages: list[asyncio.Task[int]] = []
    try:
        async for ids in pages_due(store, now):
            rows = await store.pool.fetch(query("run_template.due"), now, ids)
            while len(pages) >= IN_FLIGHT:
                queued += await pages.pop(0)
            pages.append(asyncio.create_task(schedule_page(store, [due_template(row) for row in rows], now)))
        while pages:
            queued += await pages.pop(0)
        return queued
    finally:
        for page in pages:
            page.cancel()
        await asyncio.gather(*pages, return_exceptions=True)


async def pages_due(store: EventStore, now: datetime) -> AsyncIterator[list[int]]:
    """Yield templates that are due at a moment, the longest overdue first, a page at a time."""
    after: tuple[datetime | None, int | None] = (None, None)
    while True:
        row = await store.pool.fetchrow(query("run_template.due_ids"), now, LOOK, *after)
        if row is None or row["ids"] is None:
            return
        ids: list[int] = row["ids"]
        for start in range(0, len(ids), PAGE):
            yield ids[start : start + PAGE]
        if len(ids) < LOOK:
            return
        after = (row["moments"][-1], ids[-1])


async def schedule_page(store: EventStore, templates: Sequence[DueTemplate], now: datetime) -> int:
    """Schedule these templates; return how many jobs were queued."""
    plans = [planned(template, now) for template in templates]
    outcomes = await append_plans(store, templates, plans, now)
    queued = sum(ids_needed(found)[0] for found, told in zip(plans, outcomes, strict=True) if told == "scheduled")
    known = [
        (template, found)
        for template, found, told in zip(templates, plans, outcomes, strict=True)
        if told == "known" and found is not None
    ]
    if known:
        queued += await schedule_rest(store, known, now)
    return queued


async def schedule_rest(store: EventStore, known: Sequence[tuple[DueTemplate, Plan]], now: datetime) -> int:
    """Schedule what is left of plans of which some windows became tasks before, because a due time was set back."""
    templates = [template for template, _ in known]
    opened: dict[int, set[datetime]] = {}
    windows = [(template.run_template_id, window.due) for template, plan in known for window in plan.runs + plan.missed]
    for row in await store.pool.fetch(query("task.opened"), [of for of, _ in windows], [due for _, due in windows]):
        opened.setdefault(row["run_template_id"], set()).add(row["window_start"])
    plans = [without(found, opened.get(template.run_template_id, set())) for template, found in known]
    outcomes = await append_plans(store, templates, plans, now)
    return sum(len(found.runs) for found, told in zip(plans, outcomes, strict=True) if told == "scheduled")


async def append_plans(
    store: EventStore, templates: Sequence[DueTemplate], plans: Sequence[Plan | None], now: datetime
) -> Sequence[str]:
    """Append what follows from plans; return what became of each."""
    needed = [ids_needed(found) for found in plans]
    jobs, tasks = await take_ids(store, sum(count for count, _ in needed), sum(count for _, count in needed))
    wanted = [
        Wanted(template, appends(template, found, now, jobs, tasks), *moved(found))
        for template, found in zip(templates, plans, strict=True)
    ]
    return await append_due(store, wanted)


async def take_ids(store: EventStore, jobs: int, tasks: int) -> tuple[Iterator[int], Iterator[int]]:
    """Return so many fresh ids of jobs and of tasks."""
    row = await store.pool.fetchrow(query("run_template.ids"), jobs, tasks)
    assert row is not None
    return iter(row["jobs"]), iter(row["tasks"])


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
