"""Due times of a run template that became no job: stream ``schedule-RUN_TEMPLATE_ID``."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.event import Event


class ScheduleEvent(Event, frozen=True, kw_only=True):
    """Base of these events."""

    category: ClassVar[str] = "schedule"

    run_template_id: int
    company_id: int


class DueSkipped(ScheduleEvent, frozen=True, kw_only=True):
    """A due time was passed over.

    ``reason`` is ``overlap``, ``missed``, ``done`` or ``unreadable``; ``count`` due times from ``due`` on.
    """

    due: datetime
    count: int = 1
    reason: str
    next_due: datetime | None = None
    skipped_at: datetime
