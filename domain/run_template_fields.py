"""The fields of a run template: what each may be, and the form in which it is stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from domain import checks, cron, schedule
from domain.deadline import checked_offset
from domain.errors import ValidationError

EXECUTORS = ("Native", "Docker", "Podman", "Kubernetes", "Azure")
BACKOFFS = ("none", "fixed", "linear", "exponential")
MISSED_POLICIES = ("skip", "once", "all")
OVERLAP_POLICIES = ("allow", "skip", "queue", "cancel")
WHEN_LOST = ("fail", "retry")
LIMITS = ("wall_time", "cpu_time", "memory", "file_size", "output", "open_files", "processes")
"""Limits of a job: seconds, seconds, bytes, bytes, bytes, numbers of files and of processes."""

LONGEST_DELAY = 31 * 86_400
LONGEST_GAP = 7 * 86_400
MOST_ATTEMPTS = 100
MOST_MISSED = 1_000
MOST_LABELS = 50
PRIORITIES = (-1_000, 1_000)

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/=-]{0,62}")
_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}[$]?", re.ASCII)


def executor(name: str) -> str:
    """Return the name of an executor in its own spelling."""
    return checks.one_of(name, "executor", EXECUTORS)


def priority(value: int) -> int:
    """Return a priority: higher starts earlier."""
    return checks.whole(value, "priority", lowest=PRIORITIES[0], highest=PRIORITIES[1])


def _name(name: str) -> str:
    return checks.line(name, "name")


def _cron(expression: str | None) -> str | None:
    cleaned = expression.strip() if expression else ""
    if not cleaned:
        return None
    cron.parse(cleaned)
    return cleaned


def _time_zone(name: str | None) -> str | None:
    return checks.time_zone(name) if name and name.strip() else None


def _deadline(offset: str | None) -> str | None:
    return checked_offset(offset) if offset and offset.strip() else None


def _moment(field: str) -> Callable[[datetime | None], datetime | None]:
    def check(value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            label = field.replace("_", " ")
            raise ValidationError(f"The {label} has no time zone. Give one, as in 2026-01-31T08:00:00Z.", field=field)
        return None if value is None else value.astimezone(UTC)

    return check


def _whole(field: str, lowest: int, highest: int) -> Callable[[int], int]:
    return lambda value: checks.whole(value, field, lowest=lowest, highest=highest)


def _one_of(field: str, options: tuple[str, ...]) -> Callable[[str], str]:
    return lambda value: checks.one_of(value, field, options)


def labels(wanted: list[str]) -> list[str]:
    """Return labels, each once."""
    cleaned = list(dict.fromkeys(label.strip() for label in wanted))
    if len(cleaned) > MOST_LABELS:
        raise ValidationError(f"There are more than {MOST_LABELS} labels.", field="labels", code="too_many")
    for label in cleaned:
        if not _LABEL.fullmatch(label):
            raise ValidationError(
                f"“{label[:80]}” is no label. Use 1 to 63 letters, digits and _ . : / = -",
                field="labels",
                code="label_invalid",
            )
    return cleaned


def _limits(limits: dict[str, int]) -> dict[str, int]:
    checked = {checks.one_of(name, "limits", LIMITS): value for name, value in limits.items()}
    for value in checked.values():
        checks.whole(value, "limits", lowest=1, highest=2**53)
    return checked


def _run_as(user: str | None) -> str | None:
    cleaned = (user or "").strip()
    if cleaned and not _USER.fullmatch(cleaned):
        raise ValidationError(f"“{cleaned[:80]}” is no name of a user of the system.", field="run_as")
    return cleaned or None


def _note(text: str | None) -> str | None:
    return checks.text(text, "note") if text and text.strip() else None


CHECKS: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "interval": schedule.interval_code,
    "cron": _cron,
    "time_zone": _time_zone,
    "start_at": _moment("start_at"),
    "end_at": _moment("end_at"),
    "delay": _whole("delay", 0, LONGEST_DELAY),
    "jitter": _whole("jitter", 0, LONGEST_DELAY),
    "missed_policy": _one_of("missed_policy", MISSED_POLICIES),
    "missed_limit": _whole("missed_limit", 1, MOST_MISSED),
    "overlap_policy": _one_of("overlap_policy", OVERLAP_POLICIES),
    "when_lost": _one_of("when_lost", WHEN_LOST),
    "executor": executor,
    "priority": priority,
    "max_parallel": checks.most_at_once,
    "labels": labels,
    "limits": _limits,
    "run_as": _run_as,
    "deadline_offset": _deadline,
    "max_attempts": _whole("max_attempts", 1, MOST_ATTEMPTS),
    "retry_backoff": _one_of("retry_backoff", BACKOFFS),
    "retry_min_gap": _whole("retry_min_gap", 0, LONGEST_GAP),
    "note": _note,
}
"""Of each field that is checked by itself, the function that returns it in its stored form or refuses it."""
