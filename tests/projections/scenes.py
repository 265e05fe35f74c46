"""Scenes that tests of read models play in."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import psycopg

from domain.job_events import JobFinished, JobStarted
from eventstore.log import NO_STREAM, START, Append
from eventstore.store import EventStore
from projections.rebuild import drop_replay, replay
from projections.registry import ALL
from tests.projections.rows import Rows, differences, fold_all, rows_of, skipped
from tests.testbed.events import DAY, company_created, job_scheduled, output_captured
from tests.testbed.postgres import Database
from tests.testbed.stores import wait_visible

FUTURE = datetime.fromisoformat("2999-01-01T00:00:00Z")
NAMES = [projection.name for projection in ALL]


def folded_anew(database: Database) -> Rows:
    schema = replay(database.owner_url, NAMES, FUTURE)
    try:
        return rows_of(database, schema)
    finally:
        drop_replay(database.owner_url, schema)


def appends_of_job(job: int) -> list[Append]:
    """Return the whole life of a job of company 1, in three streams."""
    about: dict[str, Any] = {"job_id": job, "company_id": 1, "run_template_id": 1}
    started = JobStarted(executor_id="e", host="h", started_at=DAY, **about)
    finished = JobFinished(outcome="success", exit_code=0, finished_at=DAY, duration=0.1, **about)
    output = [output_captured(job, offset) for offset in range(3)]
    return [
        Append(stream=f"job-{job}", company_id=1, events=[job_scheduled(job), started, finished]),
        Append(stream=f"output-{job}", company_id=1, events=output, payloads=[b"x"] * 3),
    ]


async def furnish(store: EventStore) -> None:
    """Make company 1 and some history."""
    created = company_created(1)
    await store.append(Append(stream="company-1", company_id=1, events=[created], expected=NO_STREAM))
    for job in range(1, 40):
        await store.append_all(appends_of_job(job))


async def history(store: EventStore) -> None:
    """Make some history that readers of the log may see to its end."""
    await furnish(store)
    newest = START
    for job in range(100, 120):
        newest = (await store.append_all(appends_of_job(job)))[-1].cursor
    await wait_visible(store, newest)


async def settle(database: Database, store: EventStore) -> Rows:
    """Fold what is left and compare with a fold of the whole log."""
    done = await store.append(Append(stream="company-9", company_id=9, events=[company_created(9)]))
    await wait_visible(store, done.cursor)
    await asyncio.to_thread(fold_all, database, 1000)
    rows = await asyncio.to_thread(rows_of, database)
    assert skipped(database) == []
    assert differences(rows, await asyncio.to_thread(folded_anew, database)) == {}
    return rows


def schemas(database: Database, like: str) -> list[str]:
    with psycopg.connect(database.superuser_url) as connection:
        return [row[0] for row in connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE %s", [like])]
