"""Events of the installation as a whole: stream ``system-1``."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.event import Event


class SystemEvent(Event, frozen=True, kw_only=True):
    """Base of the events of the installation."""

    category: ClassVar[str] = "system"

    system_id: int = 1


class SystemPaused(SystemEvent, frozen=True, kw_only=True):
    """No job starts any more; running ones run on."""

    paused_at: datetime
    reason: str | None = None


class SystemResumed(SystemEvent, frozen=True, kw_only=True):
    """Jobs start again."""

    resumed_at: datetime
