"""What due times, tasks, jobs and their output may live through."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from domain.event import Event
from domain.job_events import (
    Artifact,
    Channel,
    JobCancelled,
    JobCancelRequested,
    JobChanged,
    JobFinished,
    JobStarted,
    OutputCaptured,
    OutputDropped,
)
from domain.schedule_events import DueSkipped
from domain.task_events import TaskFailed, TaskFulfilled, TaskMissed, TaskOpened
from eventstore.log import Append
from tests.projections.history import History, Job, held, moment, pick
from tests.testbed.events import job_scheduled

OUTCOMES = ("success", "failure", "warning", "not_found", "killed", "timeout", "lost", "cancelled")


def schedule_due(now: History, a: int, b: int) -> None:
    """Open a task for the window and queue its first job, as the scheduler does."""
    template = pick(now.templates, a)
    company, due = now.templates[template]
    job, task = now.next_id(), now.next_id()
    if due is None or due in now.dues:
        return
    following = (due + timedelta(minutes=60 + job), due - timedelta(minutes=60 + job), None)[b % 3]
    now.dues.add(due)
    now.templates[template] = company, following
    now.queued[job] = Job(company, template, task)
    scheduled = job_scheduled(
        job, company, run_template_id=template, due=due, next_due=following, schedule_type="h", priority=b, task_id=task
    )
    opened = TaskOpened(
        task_id=task,
        company_id=company,
        run_template_id=template,
        window_start=due,
        window_end=following,
        deadline=following,
        max_attempts=2,
        allow_late=b % 2 == 0,
        opened_at=due,
    )
    now.happen(
        held(now, template, company), now.one("task", task, company, opened), now.one("job", job, company, scheduled)
    )


def skip_due(now: History, a: int, b: int) -> None:
    template = pick(now.templates, a)
    company, due = now.templates[template]
    if due is None:
        return
    following = due + timedelta(minutes=61 + now.next_id()) if b % 3 else None
    now.templates[template] = company, following
    skipped = DueSkipped(
        run_template_id=template, company_id=company, due=due, reason="overlap", next_due=following, skipped_at=due
    )
    now.happen(held(now, template, company), now.one("schedule", template, company, skipped))


def miss_a_window(now: History, a: int, b: int) -> None:
    template, task = pick(now.templates, a), now.next_id()
    company, _ = now.templates[template]
    if moment(b) in now.dues:
        return
    now.dues.add(moment(b))
    about: dict[str, Any] = {"task_id": task, "company_id": company, "run_template_id": template}
    opened = TaskOpened(window_start=moment(b), window_end=moment(b + 1), deadline=None, opened_at=moment(b), **about)
    missed = TaskMissed(missed_at=moment(b + 1), reason="Nobody scheduled it.", **about)
    now.happen(now.one("task", task, company, opened, missed))


def expire_task(now: History, a: int, _: int) -> None:
    """End a task whose window has passed while its job waits or runs."""
    job = pick({**now.queued, **now.running}, a)
    of = {**now.queued, **now.running}[job]
    if of.task_id is not None and of.task_id not in now.ended_tasks:
        end_task(now, of, TaskFailed, failed_at=moment(a), reason="The window ended without success.")


def end_task(now: History, job: Job, kind: type[Event], *further: Append, **fields: Any) -> None:
    assert job.task_id is not None
    now.ended_tasks.add(job.task_id)
    fields |= {"task_id": job.task_id, "company_id": job.company_id, "run_template_id": job.run_template_id}
    end = kind(**fields)
    now.happen(*further, now.one("task", job.task_id, job.company_id, end))


def schedule_by_hand(now: History, a: int, b: int) -> None:
    template = pick(now.templates, a)
    company, _ = now.templates[template]
    jobs = {now.next_id(): Job(company, template) for _ in range(1 + b % 3)}
    now.queued.update(jobs)
    further: dict[str, Any] = {"run_template_id": template, "environment": '{"A":"b"}', "labels": ["big"]}
    now.happen(*(now.one("job", job, company, job_scheduled(job, company, **further)) for job in jobs))


def change_job(now: History, a: int, b: int) -> None:
    job = pick(now.queued, a)
    fields: tuple[dict[str, Any], ...] = (
        {"not_before": moment(b)},
        {"executor": "Docker", "priority": b},
        {"schedule_type": "CommandLine"},
    )
    changed = JobChanged(changed_at=moment(a), **fields[(a + b) % 3], **now.queued[job].named(job))
    now.happen(now.one("job", job, now.queued[job].company_id, changed))


def start_job(now: History, a: int, _: int) -> None:
    job = pick(now.queued, a)
    now.running[job] = of = now.queued.pop(job)
    started = JobStarted(executor_id="e", host="h", started_at=moment(job), task_id=of.task_id, **of.named(job))
    now.happen(now.one("job", job, of.company_id, started))


def ask_job_to_end(now: History, a: int, b: int) -> None:
    job = pick(now.running, a)
    asked = JobCancelRequested(
        requested_at=moment(b), requested_by="user:1", reason="Enough" if b % 2 else None, **now.running[job].named(job)
    )
    now.happen(now.one("job", job, now.running[job].company_id, asked))


def finish_job(now: History, a: int, b: int) -> None:
    """End a job; its task ends with it, or another attempt is queued, in the same append."""
    job = pick(now.running, a)
    of = now.running.pop(job)
    outcome, at = OUTCOMES[(a + b) % 8], moment(60 * 12 * b)
    finished = JobFinished(
        outcome=outcome,
        exit_code=b,
        finished_at=at,
        duration=(0.1, 0.2, 0.3, 1e-3, 123456.789, None)[(a + b) % 6],
        command=["/bin/true", "***"],
        pid=17 if b % 2 else None,
        reason="Late" if b % 3 else None,
        stdout=Channel(length=b, digest="00"),
        task_id=of.task_id,
        artifacts=[Artifact(name="report.json", content_type="application/json", size=b, digest="ab")] * (b % 2),
        **of.named(job),
    )
    end = now.one("job", job, of.company_id, finished)
    if of.task_id is None or of.task_id in now.ended_tasks:
        now.happen(end)
    elif outcome in ("success", "warning"):
        end_task(now, of, TaskFulfilled, end, job_id=job, fulfilled_at=at, late=b % 2 == 0)
    elif of.attempt > 1 or outcome == "cancelled":
        end_task(now, of, TaskFailed, end, failed_at=at, reason="No attempt is left.")
    else:
        again = now.next_id()
        now.queued[again] = of._replace(attempt=2)
        fields: dict[str, Any] = {"run_template_id": of.run_template_id, "task_id": of.task_id, "attempt": 2}
        retry = job_scheduled(again, of.company_id, schedule_type="retry", retry_of=job, not_before=at, **fields)
        now.happen(end, now.one("job", again, of.company_id, retry))


def cancel_job(now: History, a: int, b: int) -> None:
    job = pick(now.queued, a)
    of = now.queued.pop(job)
    cancelled = JobCancelled(cancelled_at=moment(60 * 12 * b), reason="No" if b % 2 else None, **of.named(job))
    now.happen(now.one("job", job, of.company_id, cancelled))


def write_output(now: History, a: int, b: int) -> None:
    job, channel = pick(now.running, a), ("stdout", "stderr")[b % 2]
    company, offset = now.running[job].company_id, now.offsets.get((job, channel), 0)
    common: dict[str, Any] = {"job_id": job, "company_id": company, "channel": channel}
    common["captured_at"] = moment(7 * b % 5)
    captured = OutputCaptured(offset=offset, length=b + 1, **common)
    events: list[Event] = [captured]
    if b == 5:
        events.append(OutputDropped(offset=offset + b + 1, length=1000, limit=6, **common))
    now.offsets[job, channel] = offset + b + 1
    now.happen(now.one("output", job, company, *events))
