"""Tasks and jobs of a run template as the scheduler writes them into the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.job_events import JobScheduled
from domain.task_events import TaskFailed, TaskFulfilled, TaskMissed, TaskOpened
from tests.cli.life import Life

HOUR = timedelta(hours=1)


def this_hour() -> datetime:
    """Return when the hour began."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def opened(jobs: Life, task: int, begin: datetime, template: int = 1, **fields: Any) -> None:
    """Open a task for the hour from a moment on."""
    event = TaskOpened(
        task_id=task, company_id=1, run_template_id=template, window_start=begin, window_end=begin + HOUR,
        deadline=begin + HOUR, **{"opened_at": datetime.now(UTC), **fields},
    )  # fmt: skip
    jobs.append(f"task-{task}", event)


def ended(jobs: Life, task: int, how: str, job: int = 1) -> None:
    """End a task: fulfilled, late, failed or missed."""
    now = datetime.now(UTC)
    ids: dict[str, Any] = {"task_id": task, "company_id": 1, "run_template_id": 1}
    events = {
        "fulfilled": lambda: TaskFulfilled(**ids, job_id=job, fulfilled_at=now),
        "late": lambda: TaskFulfilled(**ids, job_id=job, fulfilled_at=now, late=True),
        "failed": lambda: TaskFailed(**ids, failed_at=now, reason="No attempt is left."),
        "missed": lambda: TaskMissed(**ids, missed_at=now, reason="Nobody scheduled it in time."),
    }
    jobs.append(f"task-{task}", events[how]())


def queued(jobs: Life, job: int, template: int = 1, **fields: Any) -> None:
    """Queue a job. Ids are those of the test: it takes large ones, which no sequence gives."""
    now = datetime.now(UTC)
    event = JobScheduled(
        job_id=job, company_id=1, run_template_id=template, uuid=f"job-{job}", application_id=1,
        application_version="1", **{"scheduled_at": now, "not_before": now, **fields},
    )  # fmt: skip
    jobs.append(f"job-{job}", event)
