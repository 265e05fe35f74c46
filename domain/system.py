"""The installation as a whole: while it is paused no job starts, those that run go on.

Examples
--------
>>> from datetime import UTC, datetime
>>> noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
>>> [paused] = decide(None, PauseSystem(now=noon, reason="The database moves."))
>>> system = evolve(None, paused)
>>> decide(system, PauseSystem(now=noon))
[]
>>> [resumed] = decide(system, ResumeSystem(now=noon))
>>> evolve(system, resumed).paused
False
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain import checks
from domain.command import Command, moment
from domain.system_events import SystemEvent, SystemPaused, SystemResumed

SYSTEM_ID = 1
"""There is one installation, so one stream: ``system-1``."""

LONGEST_REASON = 2_000


class System(msgspec.Struct, frozen=True, kw_only=True):
    """The installation as its events left it."""

    system_id: int = SYSTEM_ID
    paused: bool = False
    reason: str | None = None


class SystemCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of the installation. The executor of the command gives ``now``."""

    category: ClassVar[str] = "system"

    system_id: int = SYSTEM_ID
    now: datetime | None = None


class PauseSystem(SystemCommand, frozen=True, kw_only=True):
    """Let no job start any more; running ones run on, and what is due still joins the queue."""

    reason: str | None = None


class ResumeSystem(SystemCommand, frozen=True, kw_only=True):
    """Let jobs start again."""


def decide(state: System | None, command: SystemCommand) -> list[SystemEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    match command:
        case PauseSystem():
            reason = checks.text((command.reason or "").strip(), "reason", longest=LONGEST_REASON) or None
            return [] if _paused(state) else [SystemPaused(paused_at=moment(command.now), reason=reason)]
        case ResumeSystem():
            return [SystemResumed(resumed_at=moment(command.now))] if _paused(state) else []
        case _:
            raise TypeError(f"{type(command).__name__} is no command of the installation.")


def evolve(state: System | None, event: SystemEvent) -> System:
    """Return the installation as an event leaves it."""
    match event:
        case SystemPaused():
            return System(system_id=event.system_id, paused=True, reason=event.reason)
        case SystemResumed():
            return System(system_id=event.system_id)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _paused(state: System | None) -> bool:
    return state is not None and state.paused
