"""What schedulers have to do, in the words of the documentation: slow, and without anything of theirs.

A schedule is a question to the clock on the wall, asked each minute; a decision is arithmetic of what it has answered.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
GRACE = timedelta(seconds=60)
TOLD = 100
"""Missed due times that are told one by one."""

BEGINNINGS = tuple(
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in ("2026-03-28T20:00:05", "2026-10-24T20:00:05", "2026-04-04T09:00:05")
)
"""Evenings before a clock changes: twice that of Prague, that of Lord Howe (by half an hour)."""

DAYS = timedelta(days=6)
"""For so long after a beginning due times are known."""

ZONES = ("Europe/Prague", "Australia/Lord_Howe", "Asia/Kathmandu")

Question = Callable[[datetime], bool]


class Asked(NamedTuple):
    """A schedule: interval and cron expression as users give them, what they mean, whether they follow elapsed time."""

    interval: str
    cron: str | None
    shows: Question
    elapsed: bool


SCHEDULES = (
    Asked("i", None, lambda _: True, True),
    Asked("h", None, lambda wall: wall.minute == 0, True),
    Asked("c", "*/20 * * * *", lambda wall: wall.minute % 20 == 0, True),
    Asked("c", "*/30 2 * * *", lambda wall: wall.hour == 2 and wall.minute in (0, 30), True),
    Asked("d", None, lambda wall: (wall.hour, wall.minute) == (0, 0), False),
    Asked("c", "30 2 * * *", lambda wall: (wall.hour, wall.minute) == (2, 30), False),
    Asked("c", "15,45 1-3 * * *", lambda wall: wall.hour in (1, 2, 3) and wall.minute in (15, 45), False),
    Asked("n", None, lambda _: False, False),
)


@cache
def shown(beginning: datetime, zone: str) -> dict[datetime, list[datetime]]:
    """Return each minute that the clock of a zone shows in these days, with the moments at which it does."""
    place, minutes = ZoneInfo(zone), dict[datetime, list[datetime]]()
    first = beginning.replace(second=0) - timedelta(days=3)
    for number in range((DAYS + timedelta(days=5)) // MINUTE):
        moment = first + number * MINUTE
        minutes.setdefault(moment.astimezone(place).replace(tzinfo=None, fold=0), []).append(moment)
    return minutes


@cache
def due_times(beginning: datetime, zone: str, schedule: int) -> list[datetime]:
    """Return when a schedule is due in these days.

    What follows elapsed time is due whenever the clock shows it; another time once a day, the first time that the clock
    shows it, and where it goes over it, at the end of what it goes over.
    """
    asked, minutes = SCHEDULES[schedule], shown(beginning, zone)
    due: set[datetime] = set()
    wall, last = min(minutes), max(minutes)
    while wall <= last:
        if asked.shows(wall):
            if asked.elapsed:
                due.update(minutes.get(wall, ()))
            else:
                there = wall
                while there not in minutes and there < last:
                    there += MINUTE
                due.add(minutes[there][0])
        wall += MINUTE
    return sorted(due)


class Decision(NamedTuple):
    """What is decided of a due template: due times of jobs and missed tasks, what is passed over, which jobs end."""

    jobs: list[datetime]
    missed: list[datetime]
    skipped: tuple[str, int] | None
    cancelled: set[int]
    next_due: datetime | None


class Waiting(NamedTuple):
    """The jobs of a template that wait and those that run, as somebody has read them."""

    queued: frozenset[int]
    running: frozenset[int]


class Template:
    """A template, and all that has become of its due times."""

    def __init__(self, beginning: datetime, schedule: int) -> None:
        self.beginning = beginning
        self.schedule = schedule
        self.zone: str | None = None
        self.company_zone = ZONES[0]
        self.active = True
        self.missed_policy, self.missed_limit, self.overlap_policy = "once", 10, "queue"
        self.next_due: datetime | None = None
        self.tasks: set[datetime] = set()
        self.jobs: dict[int, datetime] = {}
        self.queued: set[int] = set()
        self.running: set[int] = set()

    @property
    def waiting(self) -> Waiting:
        return Waiting(frozenset(self.queued), frozenset(self.running))

    def due_times(self) -> list[datetime]:
        return due_times(self.beginning, self.zone or self.company_zone, self.schedule)

    def after(self, moment: datetime) -> datetime | None:
        """Return when it is due after a moment."""
        times = self.due_times()
        place = bisect_right(times, moment)
        return times[place] if place < len(times) else None

    def planned_anew(self, now: datetime) -> None:
        """Note that its schedule was changed at a moment: it is due from then on, whatever was due before."""
        self.next_due = self.after(now) if self.active else None

    def decision(self, now: datetime, seen: Waiting) -> Decision:
        """Return what a scheduler has to do that looks at a moment and has read these jobs."""
        times = self.due_times()
        assert self.next_due is not None and self.next_due <= now, "nobody had anything to decide: it was not due"
        passed = times[bisect_left(times, self.next_due) : bisect_right(times, now)]
        assert passed[0] == self.next_due
        on_time = [due for due in passed[-1:] if now - due <= GRACE]
        late = passed[: len(passed) - len(on_time)]
        made_up = {
            "skip": [],
            "once": [] if on_time else late[-1:],
            "all": late[max(len(late) - self.missed_limit, 0) :],
        }[self.missed_policy]
        missed = late[: len(late) - len(made_up)]
        jobs = made_up + on_time
        blocked = {
            "allow": False,
            "skip": bool(seen.queued or seen.running),
            "queue": bool(seen.queued),
            "cancel": bool(seen.queued),
        }[self.overlap_policy]
        overlap = bool(jobs) and blocked
        if overlap:
            jobs = []
        told = missed[-TOLD:]
        # What became a task before stays what it became.
        jobs = fresh(jobs, self.tasks)
        uncounted, told = len(missed) - len(told), fresh(told, self.tasks)
        passed_over = uncounted + len(told) + overlap
        skipped = None
        if not jobs:
            skipped = "overlap" if overlap else "missed" if passed_over else "done", max(passed_over, 1)
        elif uncounted:
            skipped = "missed", uncounted
        ended = set(seen.running) if self.overlap_policy == "cancel" and jobs else set[int]()
        return Decision(jobs, told, skipped, ended, self.after(now))

    def decided(self, found: Decision, jobs: dict[int, datetime]) -> None:
        """Note a decision."""
        self.tasks.update(found.jobs, found.missed)
        assert not jobs.keys() & self.jobs.keys()
        self.jobs.update(jobs)
        self.queued.update(jobs)
        self.next_due = found.next_due


def fresh(times: list[datetime], known: Collection[datetime]) -> list[datetime]:
    """Return the due times that have not become tasks."""
    return [due for due in times if due not in known]
