"""A task: the obligation of a run template for one window, and what the end of an attempt means for it.

Examples
--------
>>> from datetime import UTC
>>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
>>> one = noon + timedelta(hours=1)
>>> opened = TaskOpened(task_id=1, company_id=7, run_template_id=42, window_start=noon, window_end=one,
...     deadline=one, max_attempts=3, opened_at=noon)
>>> task = evolve(None, opened)
>>> found = settle(task, Ended(job_id=5, attempt=1, outcome="failure", at=noon), Retries(backoff="fixed", gap=60))
>>> found.events, (found.retry_at - noon).seconds
([], 60)
>>> settle(task, Ended(job_id=6, attempt=2, outcome="success", at=noon)).events[0].late
False
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from domain.task_events import TaskEvent, TaskFailed, TaskFulfilled, TaskMissed, TaskOpened

SUCCESSES = frozenset({"success", "warning"})
SHORTEST_GAP = 1
"""Seconds of the first gap of the exponential back-off, at least."""

LONGEST_GAP = 86_400
SPREAD = 0.2
"""Part of an exponential gap by which chance moves it either way."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task as its events left it; ``ended`` is ``fulfilled, fulfilled_late, failed, missed`` or None."""

    task_id: int
    company_id: int
    run_template_id: int
    window_start: datetime
    window_end: datetime | None
    deadline: datetime | None
    max_attempts: int
    allow_late: bool
    ended: str | None = None
    fulfilled_by_job_id: int | None = None


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended: ``outcome`` of the job, ``retry`` as its exit code declares it (None: it does not)."""

    job_id: int
    attempt: int
    outcome: str
    at: datetime
    retry: bool | None = None


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How a template tries again: back-off, gap in seconds, what a lost executor means, and chance between 0 and 1."""

    backoff: str = "none"
    gap: int = 0
    when_lost: str = "fail"
    chance: float = 0.5


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What the end of an attempt means: events of the task, or when to try again, or nothing."""

    events: list[TaskEvent]
    retry_at: datetime | None = None


def evolve(state: Task | None, event: TaskEvent) -> Task:
    """Return the task after an event."""
    if isinstance(event, TaskOpened):
        return Task(
            task_id=event.task_id,
            company_id=event.company_id,
            run_template_id=event.run_template_id,
            window_start=event.window_start,
            window_end=event.window_end,
            deadline=event.deadline,
            max_attempts=event.max_attempts,
            allow_late=event.allow_late,
        )
    assert state is not None, "a task begins with TaskOpened"
    if isinstance(event, TaskFulfilled):
        ended = "fulfilled_late" if event.late else "fulfilled"
        return msgspec.structs.replace(state, ended=ended, fulfilled_by_job_id=event.job_id)
    return msgspec.structs.replace(state, ended="missed" if isinstance(event, TaskMissed) else "failed")


def settle(task: Task, ended: Ended, retries: Retries | None = None) -> Settlement:
    """Work out what the end of an attempt means for its task.

    A success within the deadline fulfils it, one after it only where the template allows that. A failure is tried again
    while attempts are left and there is still time, unless its exit code says that this is of no use; an exit code that
    asks for it is tried again in the same bounds.
    """
    retries = retries or Retries()
    if task.ended is not None:
        return Settlement(events=[])
    if ended.outcome in SUCCESSES:
        return _fulfilled(task, ended)
    retry_at = ended.at + gap_after(ended.attempt, retries)
    reason = why_not_again(task, ended, retries, retry_at)
    return _failed(task, ended.at, reason) if reason else Settlement(events=[], retry_at=retry_at)


def why_not_again(task: Task, ended: Ended, retries: Retries, retry_at: datetime) -> str | None:
    """Return why a failed attempt is the last one, or None if another follows."""
    if ended.outcome == "cancelled":
        return "The job was cancelled."
    if ended.retry is False and not (ended.outcome == "lost" and retries.when_lost == "retry"):
        return "The exit code of the job says that trying again is of no use."
    if ended.attempt >= task.max_attempts:
        return f"No attempt of {task.max_attempts} is left."
    until = task.window_end if task.allow_late else task.deadline or task.window_end
    if until is not None and retry_at >= until:
        return "There is no time left to try again."
    return None


def _fulfilled(task: Task, ended: Ended) -> Settlement:
    late = task.deadline is not None and ended.at > task.deadline
    if late and not task.allow_late:
        return _failed(task, ended.at, "The job succeeded, but after the deadline.")
    fulfilled = TaskFulfilled(
        task_id=task.task_id,
        company_id=task.company_id,
        run_template_id=task.run_template_id,
        job_id=ended.job_id,
        fulfilled_at=ended.at,
        late=late,
    )
    return Settlement(events=[fulfilled])


def gap_after(attempt: int, retries: Retries) -> timedelta:
    """Return how long to wait after an attempt before the next.

    Examples
    --------
    >>> [gap_after(n, Retries(backoff="linear", gap=10)).seconds for n in (1, 2, 3)]
    [10, 20, 30]
    >>> [gap_after(n, Retries(backoff="exponential", gap=10)).seconds for n in (1, 2, 3)]
    [10, 20, 40]
    """
    seconds = float(retries.gap)
    if retries.backoff == "linear":
        seconds *= attempt
    elif retries.backoff == "exponential":
        seconds = max(seconds, SHORTEST_GAP) * 2 ** min(attempt - 1, 30)
        seconds *= 1 - SPREAD + 2 * SPREAD * retries.chance
    return timedelta(seconds=min(seconds, LONGEST_GAP))


def expire(task: Task, attempts: int, now: datetime) -> list[TaskEvent]:
    """Return how a task ends whose window has passed: missed if nobody tried, failed otherwise; nothing before that."""
    if task.ended is not None or task.window_end is None or now < task.window_end:
        return []
    if attempts == 0:
        missed = TaskMissed(
            task_id=task.task_id,
            company_id=task.company_id,
            run_template_id=task.run_template_id,
            missed_at=now,
            reason="The window ended before an attempt began.",
        )
        return [missed]
    return _failed(task, now, "The window ended without success.").events


def _failed(task: Task, at: datetime, reason: str) -> Settlement:
    failed = TaskFailed(
        task_id=task.task_id,
        company_id=task.company_id,
        run_template_id=task.run_template_id,
        failed_at=at,
        reason=reason,
    )
    return Settlement(events=[failed])
