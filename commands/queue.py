"""Commands of the queue: a job ended wherever it stands, run again, and everything that waits cancelled.

Each is made of the commands of single jobs; what they add is to find out which of those fits.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec

from commands.actor import Actor, authorise
from commands.errors import BusyError, KeyReusedError
from commands.facts import available
from commands.preparing import Outcome
from commands.shell import Shell
from domain import job
from domain.aggregates import JOB
from domain.errors import NotFoundError, StateError
from domain.job import CancelJob, Job, RequestCancel, ScheduleJob
from domain.job_events import JobEvent, JobScheduled
from eventstore.errors import ConcurrencyError
from eventstore.log import Append, Meta
from projections.queries import query

CHUNK = 500
"""Jobs that are cancelled in one append."""

ATTEMPTS = 12
"""How often a chunk is chosen anew when one of its jobs started meanwhile."""

ANCHOR = "queue-0"
"""A stream that never comes into being: it lets an append without events be remembered under its key."""

RUNNING = "job_running"


class Truncated(msgspec.Struct, frozen=True):
    """How many jobs were cancelled."""

    cancelled: int


async def end(
    shell: Shell, job_id: int, actor: Actor, *, reason: str | None = None, key: str | None = None, source: str = "cli"
) -> Outcome:
    """Take a job out of the queue, or have it ended if it runs.

    Returns
    -------
    Outcome
        With ``JobCancelled`` if it waited, with ``JobCancelRequested`` if it runs; without an event if it was asked to
        end before.

    Raises
    ------
    StateError
        It has ended already.
    """
    # A repetition finds the job in another state: the key of the second command tells that it was the second.
    second = None if key is None else hashlib.sha256(f"end|{key}".encode()).hexdigest()
    if second is None or await shell.facts.answer(scoped(actor, second)) is None:
        try:
            return await shell.execute(CancelJob(job_id=job_id, reason=reason), actor, key=key, source=source)
        except StateError as error:
            if error.code != RUNNING:
                raise
    return await shell.execute(RequestCancel(job_id=job_id, reason=reason), actor, key=second, source=source)


async def run_again(
    shell: Shell,
    job_id: int,
    actor: Actor,
    *,
    environment: Mapping[str, str | None] | None = None,
    at: datetime | None = None,
    executor: str | None = None,
    key: str | None = None,
    source: str = "cli",
) -> Outcome:
    """Run a job that has ended once more, as a new job that is linked to it.

    Parameters
    ----------
    environment : Mapping[str, str] or None
        One-off values over those that the job had; None takes one away.
    at : datetime or None
        Not before this moment; None: at once.
    executor : str or None
        That of the job unless given.

    Raises
    ------
    NotFoundError
        There is no such job.
    StateError
        It has not ended yet.
    """
    before = await _loaded(shell, job_id, actor)
    merged: dict[str, str | None] = {**before.environment, **(environment or {})}
    task_id, attempt = await _link(shell, before, actor, key)
    wish = ScheduleJob(
        run_template_id=before.run_template_id,
        not_before=at,
        environment={name: value for name, value in merged.items() if value is not None},
        executor=executor or before.executor,
        retry_of=job_id,
        task_id=task_id,
        attempt=attempt,
    )
    return await shell.execute(wish, actor, key=key, source=source)


async def truncate(
    shell: Shell,
    actor: Actor,
    *,
    company_id: int | None = None,
    reason: str | None = None,
    key: str | None = None,
    source: str = "cli",
) -> Truncated:
    """Cancel all jobs that wait at this moment, of a company or of all; those that run are left alone.

    They are cancelled in several appends. One that broke off is finished by a repetition with the same key, one that
    was finished is not done again.

    Raises
    ------
    ForbiddenError
        The actor does not act for that company, or for the installation.
    BusyError
        Jobs started all the time while they were to be cancelled.
    """
    authorise(actor, CancelJob(job_id=0), company_id)
    newest: int | None = await _value(shell, "queue.newest", company_id)
    meta = Meta(actor=str(actor), source=source, correlation=key or str(uuid.uuid4()))
    digest = hashlib.sha256(f"truncate|{company_id}|{reason}".encode()).digest()
    number, cancelled = 0, 0
    while True:
        part = None if key is None else scoped(actor, f"{key}|{number}" if number else key)
        done = await _answered(shell, part, digest, key)
        if done is None:
            done = await _cancel_chunk(shell, (company_id, newest or 0), reason, meta, (part, digest))
        number, cancelled = number + 1, cancelled + done
        if done < CHUNK:
            return Truncated(cancelled)


def scoped(actor: Actor, key: str) -> str:
    """Return a key as it is stored: keys of different actors are different keys."""
    return f"{actor}|{key}"


async def _loaded(shell: Shell, job_id: int, actor: Actor) -> Job:
    state: Job | None = None
    async with available():
        async for recorded in shell.store.read_stream(JOB.stream(job_id)):
            if isinstance(recorded.event, JobEvent):
                state = job.evolve(state, recorded.event)
    if state is None:
        raise NotFoundError(
            f"There is no job {job_id}. `job:list` shows those there are.", field="job_id", code="job_not_found"
        )
    authorise(actor, ScheduleJob(run_template_id=state.run_template_id), state.company_id)
    if state.state not in (job.FINISHED, job.CANCELLED):
        raise StateError(
            f"Job {job_id} is {state.state}; only one that has ended can be run again. To run its template once more: "
            f"`run-template:schedule {state.run_template_id}`.",
            field="job_id",
            code=f"job_{state.state}",
        )
    return state


async def _link(shell: Shell, before: Job, actor: Actor, key: str | None) -> tuple[int | None, int]:
    """Return the task that a new attempt belongs to and its number: none while another attempt waits or runs."""
    answer = None if key is None else await shell.facts.answer(scoped(actor, key))
    if answer is not None:
        for stream in answer.streams:
            async for recorded in shell.store.read_stream(stream, end=1):
                if isinstance(recorded.event, JobScheduled):
                    return recorded.event.task_id, recorded.event.attempt
    if before.task_id is None or await _value(shell, "task.busy", before.task_id):
        return None, 1
    return before.task_id, before.attempt + (before.state == job.FINISHED)


async def _answered(shell: Shell, part: str | None, digest: bytes, key: str | None) -> int | None:
    """Return how many jobs an earlier append with this key cancelled, None if there was none."""
    answer = None if part is None else await shell.facts.answer(part)
    if answer is None:
        return None
    if answer.fingerprint != digest:
        raise KeyReusedError(key or "")
    return len(answer.streams)


async def _cancel_chunk(
    shell: Shell,
    which: tuple[int | None, int],
    reason: str | None,
    meta: Meta,
    remembered: tuple[str | None, bytes],
) -> int:
    part, digest = remembered
    for _ in range(ATTEMPTS):
        async with available():
            rows = await shell.store.pool.fetch(query("queue.waiting"), *which, CHUNK)
        if not rows and part is None:
            return 0
        appends = _cancellations(rows, reason)
        try:
            appended = await shell.store.append_all(
                [*appends, Append(stream=ANCHOR)], meta=meta, key=part, fingerprint=None if part is None else digest
            )
        except ConcurrencyError:
            continue
        if not any(one.replayed for one in appended):
            return len(rows)
        if (done := await _answered(shell, part, digest, part)) is not None:
            return done
    raise BusyError("Jobs start faster than they can be cancelled. Pause the installation first: `system:pause`.")


def _cancellations(rows: Sequence[asyncpg.Record], reason: str | None) -> list[Append]:
    now = datetime.now(UTC)
    appends: list[Append] = []
    for row in rows:
        waiting = Job(
            job_id=row["job_id"],
            company_id=row["company_id"],
            run_template_id=row["run_template_id"],
            application_id=row["app_id"],
            uuid="",
            state=job.QUEUED,
            executor=row["executor"],
            not_before=row["not_before"],
        )
        events = job.decide(waiting, CancelJob(job_id=row["job_id"], reason=reason, now=now))
        appends.append(
            Append(
                stream=JOB.stream(row["job_id"]),
                company_id=row["company_id"],
                events=events,
                expected=row["stream_version"],
            )
        )
    return appends


async def _value(shell: Shell, name: str, *arguments: object) -> int | None:
    async with available():
        found: int | None = await shell.store.pool.fetchval(query(name), *arguments)
    return found
