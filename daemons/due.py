"""Turn the plan of a due template into appends: tasks, jobs, what was missed, what is passed over.

All that follows from a template's due time is appended or nothing, held to the version of the template that was read.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from domain.due_plan import Plan, Terms, Window, deadline_of, plan, start_of
from domain.errors import DomainError
from domain.job_events import JobCancelRequested, JobScheduled
from domain.schedule_events import DueSkipped
from domain.task_events import TaskMissed, TaskOpened
from eventstore.log import ANY, NO_STREAM, Append

LAUNCHED_BY = "daemon:scheduler"


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What the scheduler reads of a template."""

    interval: str
    cron: str | None = None
    executor: str = "Native"
    start_at: datetime | None = None
    end_at: datetime | None = None
    delay: int = 0
    jitter: int = 0
    missed_policy: str = "once"
    missed_limit: int = 10
    overlap_policy: str = "queue"
    deadline_offset: str | None = None
    max_attempts: int = 1
    allow_late: bool = False
    priority: int = 0
    labels: list[str] = msgspec.field(default_factory=list[str])


class DueTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A template that is due, as the query ``run_template.due`` gives it."""

    run_template_id: int
    company_id: int
    next_due: datetime
    document: Document
    terms: Terms
    app_id: int
    app_version: str
    stream_version: int
    queued: int
    running: list[int]


_decoder = msgspec.json.Decoder(Document)
_plan = lru_cache(maxsize=4096)(plan)
"""Templates with the same terms that are due together have the same plan."""


def due_template(row: Any) -> DueTemplate:
    """Return a row of ``run_template.due`` as what it is."""
    run_template_id, company_id, next_due, text, zone, app_id, app_version, stream_version, queued, running = row
    document = _decoder.decode(text)
    return DueTemplate(
        run_template_id=run_template_id,
        company_id=company_id,
        next_due=next_due,
        document=document,
        terms=terms_of(document, zone),
        app_id=app_id,
        app_version=app_version,
        stream_version=stream_version,
        queued=queued,
        running=running,
    )


def terms_of(read: Document, zone: str) -> Terms:
    """Return the terms that the due times of a template follow from."""
    return Terms(
        interval=read.interval,
        cron=read.cron,
        zone=zone,
        start_at=read.start_at,
        end_at=read.end_at,
        delay=read.delay,
        jitter=read.jitter,
        missed_policy=read.missed_policy,
        missed_limit=read.missed_limit,
        overlap_policy=read.overlap_policy,
        deadline_offset=read.deadline_offset,
        max_attempts=read.max_attempts,
        allow_late=read.allow_late,
    )


def planned(template: DueTemplate, now: datetime) -> Plan | None:
    """Return the plan of a due template, or None if its schedule cannot be read any more."""
    try:
        return _plan(template.terms, template.next_due, now, queued=template.queued, running=len(template.running))
    except DomainError:
        return None


def ids_needed(found: Plan | None) -> tuple[int, int]:
    """Return how many ids of jobs and of tasks a plan needs."""
    return (0, 0) if found is None else (len(found.runs), len(found.runs) + len(found.missed))


def moved(found: Plan | None) -> tuple[datetime | None, datetime | None]:
    """Return when a template is due next by its plan, and the last due time that a job is made for."""
    if found is None:
        return None, None
    return found.next_due, found.runs[-1].due if found.runs else None


def appends(
    template: DueTemplate, found: Plan | None, now: datetime, job_ids: Iterator[int], task_ids: Iterator[int]
) -> list[Append]:
    """Return what is appended for a due template, all of it or nothing."""
    if found is None:
        return [_skip(template, template.next_due, 1, "unreadable", None, now)]
    made = [_missed(template, window, next(task_ids), now) for window in found.missed]
    for window in found.runs:
        task_id = next(task_ids)
        opened = _opened(template, window, task_id, now)
        made.append(
            Append(stream=f"task-{task_id}", company_id=template.company_id, events=[opened], expected=NO_STREAM)
        )
        made.append(_job(template, window, found, now, (next(job_ids), task_id)))
    if not found.runs or found.uncounted:
        made.append(_passed_over(template, found, now))
    if found.cancel_running:
        made += [_cancel(template, job_id, now) for job_id in template.running]
    return made


def without(found: Plan, known: Collection[datetime]) -> Plan:
    """Return a plan without the windows that became tasks before: a due time that was set back is not run twice."""
    runs = [window for window in found.runs if window.due not in known]
    missed = [window for window in found.missed if window.due not in known]
    return msgspec.structs.replace(found, runs=runs, missed=missed, cancel_running=found.cancel_running and bool(runs))


def _passed_over(template: DueTemplate, found: Plan, now: datetime) -> Append:
    """Return what tells due times that are not told one by one, and moves the index on where no job is scheduled."""
    if found.runs:
        return _skip(template, template.next_due, found.uncounted, "missed", found.next_due, now)
    count = found.uncounted + len(found.missed) + (1 if found.overlapped else 0)
    reason = "overlap" if found.overlapped else "missed" if count else "done"
    return _skip(template, template.next_due, max(count, 1), reason, found.next_due, now)


def _opened(template: DueTemplate, window: Window, task_id: int, now: datetime) -> TaskOpened:
    terms = template.terms
    return TaskOpened(
        task_id=task_id,
        company_id=template.company_id,
        run_template_id=template.run_template_id,
        window_start=window.due,
        window_end=window.end,
        deadline=deadline_of(terms, window),
        max_attempts=terms.max_attempts,
        allow_late=terms.allow_late,
        opened_at=now,
    )


def _missed(template: DueTemplate, window: Window, task_id: int, now: datetime) -> Append:
    missed = TaskMissed(
        task_id=task_id,
        company_id=template.company_id,
        run_template_id=template.run_template_id,
        missed_at=now,
        reason="Nobody scheduled it in time.",
    )
    return Append(
        stream=f"task-{task_id}",
        company_id=template.company_id,
        events=[_opened(template, window, task_id, now), missed],
        expected=NO_STREAM,
    )


def _job(template: DueTemplate, window: Window, found: Plan, now: datetime, ids: tuple[int, int]) -> Append:
    job_id, task_id = ids
    read = template.document
    scheduled = JobScheduled(
        job_id=job_id,
        company_id=template.company_id,
        run_template_id=template.run_template_id,
        uuid=_random_uuid(),
        application_id=template.app_id,
        application_version=template.app_version,
        not_before=start_of(template.terms, template.run_template_id, window.due),
        scheduled_at=now,
        schedule_type=read.interval,
        due=window.due,
        next_due=found.next_due,
        executor=read.executor,
        priority=read.priority,
        labels=read.labels,
        launched_by=LAUNCHED_BY,
        task_id=task_id,
    )
    return Append(stream=f"job-{job_id}", company_id=template.company_id, events=[scheduled], expected=NO_STREAM)


def _random_uuid() -> str:
    """Return a random UUID (version 4) in a third of the time that :mod:`uuid` takes, which many at once would show."""
    text = os.urandom(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"


def _skip(
    template: DueTemplate, due: datetime, count: int, reason: str, next_due: datetime | None, now: datetime
) -> Append:
    skipped = DueSkipped(
        run_template_id=template.run_template_id,
        company_id=template.company_id,
        due=due,
        count=count,
        reason=reason,
        next_due=next_due,
        skipped_at=now,
    )
    return Append(
        stream=f"schedule-{template.run_template_id}", company_id=template.company_id, events=[skipped], expected=ANY
    )


def _cancel(template: DueTemplate, job_id: int, now: datetime) -> Append:
    requested = JobCancelRequested(
        job_id=job_id,
        company_id=template.company_id,
        run_template_id=template.run_template_id,
        requested_at=now,
        requested_by=LAUNCHED_BY,
        reason="The next run of the template is due.",
    )
    return Append(stream=f"job-{job_id}", company_id=template.company_id, events=[requested], expected=ANY)
