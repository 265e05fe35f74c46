"""Events of a task, the obligation of a run template for one window: stream ``task-ID``.

A window begins when the template is due and ends when it is due again. A task holds one attempt or several (jobs with
its ``task_id``); it ends fulfilled, failed, or missed when nobody tried.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.event import Event


class TaskEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a task."""

    category: ClassVar[str] = "task"

    task_id: int
    company_id: int
    run_template_id: int


class TaskOpened(TaskEvent, frozen=True, kw_only=True):
    """A window began.

    ``deadline`` is when the result stops being useful; ``window_end`` None: there is no next window.
    """

    window_start: datetime
    window_end: datetime | None
    deadline: datetime | None
    max_attempts: int = 1
    allow_late: bool = False
    opened_at: datetime


class TaskFulfilled(TaskEvent, frozen=True, kw_only=True):
    """A job of the task succeeded; ``late``: after the deadline, inside the window."""

    job_id: int
    fulfilled_at: datetime
    late: bool = False


class TaskFailed(TaskEvent, frozen=True, kw_only=True):
    """No attempt is left, or the window ended without success."""

    failed_at: datetime
    reason: str


class TaskMissed(TaskEvent, frozen=True, kw_only=True):
    """The window ended, or its run was given up, without an attempt."""

    missed_at: datetime
    reason: str
