"""What is appended when a job ends: its end, and what that means for its task.

A success fulfils the task, a failure is tried again as the template says: the next attempt is a new job, linked to the
task and to the job before it. All of it is one append, so a crash leaves neither half.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec

from domain.job_events import JobFinished, JobScheduled
from domain.task import Ended, Retries, Settlement, Task, settle
from eventstore.log import NO_STREAM, Append
from eventstore.store import EventStore
from projections.queries import query

NEXT_JOB = "SELECT nextval('job_id')"


async def settle_appends(store: EventStore, job: Mapping[str, Any], finished: JobFinished) -> list[Append]:
    """Return what is appended, all or nothing, when a job has ended.

    Called anew for each attempt to append, as the job's stream may have moved on by a request to cancel, and its task
    may have been ended by others.

    Parameters
    ----------
    store : EventStore
        Where the task and the queue are read.
    job : Mapping[str, Any]
        Of the job ``company_id``, ``version`` (its stream's), and ``definition`` if it is known.
    finished : JobFinished
        How it ended.
    """
    end = Append(
        stream=f"job-{finished.job_id}",
        company_id=finished.company_id,
        events=[finished],
        expected=job["version"],
    )
    if finished.task_id is None:
        return [end]
    row = await store.pool.fetchrow(query("task.to_settle"), finished.task_id)
    queued = await store.pool.fetchrow(query("job.queued"), finished.job_id)
    if row is None or queued is None or row["ended_as"] is not None:
        return [end]
    found = settlement_of(row, queued, finished, job.get("definition"))
    appends = [end]
    if found.events:
        appends.append(
            Append(
                stream=f"task-{row['id']}",
                company_id=row["company_id"],
                events=found.events,
                expected=row["stream_version"],
            )
        )
    if found.retry_at is not None:
        environment = await environment_of(store, queued)
        appends.append(retry(queued, finished, found, await store.pool.fetchval(NEXT_JOB), environment))
    return appends


def settlement_of(
    row: asyncpg.Record, queued: asyncpg.Record, finished: JobFinished, definition: Mapping[str, Any] | None
) -> Settlement:
    """Return what the end of a job means for its task, given as the query ``task.to_settle`` tells it."""
    task = task_of(row, max_attempts=1 if row["template_removed"] else row["max_attempts"])
    declared = ((definition or {}).get("exitCodes") or {}).get(str(finished.exit_code)) or {}
    ended = Ended(
        job_id=finished.job_id,
        attempt=queued["attempt"] or 1,
        outcome=finished.outcome,
        at=finished.finished_at,
        retry=declared.get("retry"),
    )
    retries = Retries(
        backoff=row["retry_backoff"] or "none",
        gap=row["retry_min_gap"] or 0,
        when_lost=row["when_lost"] or "fail",
        chance=random.random(),
    )
    return settle(task, ended, retries)


async def environment_of(store: EventStore, queued: asyncpg.Record) -> str | None:
    """Return the one-off values of a job as its event has them, in clear: the next attempt has them, too."""
    sealed = msgspec.json.decode(queued["environment"] or "null")
    if not sealed:
        return None
    (clear,) = await store.keyring.reveal([(sealed, f"job-{queued['job_id']}|environment")])
    return clear if isinstance(clear, str) else None


def retry(
    queued: asyncpg.Record, finished: JobFinished, found: Settlement, job_id: int, environment: str | None = None
) -> Append:
    """Return the append of the next attempt."""
    assert found.retry_at is not None
    labels = queued["labels"]
    scheduled = JobScheduled(
        job_id=job_id,
        company_id=finished.company_id,
        run_template_id=finished.run_template_id,
        uuid=str(uuid.uuid4()),
        application_id=queued["app_id"],
        application_version=queued["app_version"],
        not_before=found.retry_at,
        scheduled_at=finished.finished_at,
        schedule_type="retry",
        executor=queued["executor"],
        priority=queued["priority"],
        labels=msgspec.json.decode(labels, type=list[str]) if labels else [],
        environment=environment,
        launched_by="daemon:executor",
        task_id=finished.task_id,
        attempt=(queued["attempt"] or 1) + 1,
        retry_of=finished.job_id,
    )
    return Append(stream=f"job-{job_id}", company_id=finished.company_id, events=[scheduled], expected=NO_STREAM)


def task_of(row: asyncpg.Record, max_attempts: int) -> Task:
    """Return a task that has not ended, as ``task.to_settle`` and ``task.expired`` give it."""
    return Task(
        task_id=row["id"],
        company_id=row["company_id"],
        run_template_id=row["run_template_id"],
        window_start=row["window_start"],
        window_end=row["window_end"],
        deadline=row["deadline"],
        max_attempts=max_attempts,
        allow_late=row["allow_late"],
    )
