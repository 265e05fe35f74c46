"""What follows from a due template: which due times become jobs, which were missed, which are passed over.

A due time is missed when a later one has passed too, or when it lies more than :data:`GRACE` back. The missed policy
says what becomes of those; the overlap policy says what a job of the same template that waits or runs means for the
next one.

Examples
--------
>>> from datetime import UTC
>>> hourly = Terms(interval="h", cron=None, zone="Europe/Prague")
>>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
>>> found = plan(hourly, noon, noon + timedelta(seconds=1))
>>> [window.due.hour for window in found.runs], found.next_due.hour
([12], 13)
>>> found = plan(hourly, noon, noon + timedelta(hours=3, minutes=5))
>>> [window.due.hour for window in found.missed], [window.due.hour for window in found.runs]
([12, 13, 14], [15])
"""

from __future__ import annotations

import hashlib
from collections import deque
from datetime import datetime, timedelta

import msgspec

from domain.deadline import deadline
from domain.schedule import next_due

GRACE = timedelta(seconds=60)
"""How far back a due time may lie and still count as on time."""

MOST_MISSED = 100
"""Missed due times that are told one by one; those before them are only counted."""

MOST_STEPS = 20_000
"""Due times that are walked through one by one after a long absence."""

MISSED_POLICIES = ("skip", "once", "all")
OVERLAP_POLICIES = ("allow", "skip", "queue", "cancel")


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of a template that its due times follow from; ``zone`` is the one that holds, seconds are whole."""

    interval: str
    cron: str | None
    zone: str
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


class Window(msgspec.Struct, frozen=True):
    """A due time and when the template is due again (None: never)."""

    due: datetime
    end: datetime | None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do about a due template.

    Attributes
    ----------
    runs : list[Window]
        Each becomes a job.
    missed : list[Window]
        Each becomes a missed task.
    uncounted : int
        Due times before those, which are only counted; at least so many.
    overlapped : Window or None
        The due time that was passed over because a job of the template still waits or runs.
    cancel_running : bool
        Whether the running jobs of the template are to be ended.
    next_due : datetime or None
        When the template is due after all of this.
    """

    runs: list[Window]
    missed: list[Window]
    uncounted: int = 0
    overlapped: Window | None = None
    cancel_running: bool = False
    next_due: datetime | None


def following(terms: Terms, after: datetime) -> datetime | None:
    """Return when a template is due after a moment, within its start and end; None if never.

    Raises
    ------
    ValidationError
        The schedule cannot be read.
    """
    if terms.start_at is not None and after < terms.start_at:
        after = terms.start_at - timedelta(microseconds=1)
    due = next_due(terms.interval, terms.cron, terms.zone, after)
    return None if due is None or (terms.end_at is not None and due > terms.end_at) else due


def plan(terms: Terms, due: datetime, now: datetime, *, queued: int = 0, running: int = 0) -> Plan:
    """Work out what follows from a template that is due.

    Parameters
    ----------
    terms : Terms
        The template's terms.
    due : datetime
        The due time in the index; not after ``now``.
    now : datetime
        The moment.
    queued, running : int
        Jobs of the template that wait and run.

    Raises
    ------
    ValidationError
        The schedule cannot be read.
    """
    passed, uncounted, upcoming = _passed(terms, due, now)
    on_time = [passed[-1]] if now - passed[-1].due <= GRACE else []
    late = passed[: len(passed) - len(on_time)]
    again: list[Window] = []
    if terms.missed_policy == "once" and late and not on_time:
        again = late[-1:]
    elif terms.missed_policy == "all":
        again = late[max(len(late) - terms.missed_limit, 0) :]
    missed = late[: len(late) - len(again)]
    uncounted += max(len(missed) - MOST_MISSED, 0)
    runs = again + on_time
    overlapped = None
    # One that waits is as good as a new one, also where the next run ends the running one.
    in_the_way = {"skip": queued + running, "queue": queued, "cancel": queued}.get(terms.overlap_policy, 0)
    if runs and in_the_way:
        overlapped, runs = runs[-1], []
    return Plan(
        runs=runs,
        missed=missed[-MOST_MISSED:],
        uncounted=uncounted,
        overlapped=overlapped,
        cancel_running=bool(runs and running and terms.overlap_policy == "cancel"),
        next_due=upcoming,
    )


def _passed(terms: Terms, due: datetime, now: datetime) -> tuple[list[Window], int, datetime | None]:
    """Return the windows that began until now (the latest of many), how many before them, and what is due next."""
    kept: deque[Window] = deque(maxlen=max(MOST_MISSED + terms.missed_limit + 1, 2))
    steps = 0
    moment: datetime | None = due
    while moment is not None and moment <= now:
        follower = following(terms, moment)
        kept.append(Window(moment, follower))
        steps += 1
        if steps == MOST_STEPS and follower is not None:
            # After so long an absence only the latest are told; the jump keeps ten times as many as are kept.
            span = (follower - due) / steps
            moment = max(follower, following(terms, now - span * 10 * (kept.maxlen or 1)) or follower)
            continue
        moment = follower
    return list(kept), steps - len(kept), moment


def deadline_of(terms: Terms, window: Window) -> datetime | None:
    """Return until when the result of a window is useful: its deadline, at the latest its end."""
    if terms.deadline_offset is None:
        return window.end
    wanted = deadline(window.due, terms.deadline_offset, terms.zone)
    return wanted if window.end is None else min(wanted, window.end)


def start_of(terms: Terms, run_template_id: int, due: datetime) -> datetime:
    """Return when the job of a due time may start: after the delay and the template's share of its jitter.

    Examples
    --------
    >>> noon = datetime(2026, 3, 1, 12)
    >>> spread = Terms(interval="h", cron=None, zone="UTC", delay=60, jitter=600)
    >>> start_of(spread, 42, noon) == start_of(spread, 42, noon)
    True
    >>> timedelta(seconds=60) <= start_of(spread, 42, noon) - noon < timedelta(seconds=660)
    True
    """
    start = due + timedelta(seconds=terms.delay)
    if terms.jitter > 0:
        seed = hashlib.sha256(f"{run_template_id}|{due.isoformat()}".encode()).digest()
        start += timedelta(milliseconds=int.from_bytes(seed[:8], "big") % (terms.jitter * 1000))
    return start
