"""When a run template is due: interval codes and cron expressions in a time zone, across daylight saving time.

The rules are those of Debian's cron. A time fixed to the clock that falls into a skipped hour is due at the end of that
hour, and once in a repeated hour, the first time. An expression whose minute or hour begins with ``*`` follows elapsed
time: whatever the clock shows, also twice. Due times do not depend on where one starts to look.

Examples
--------
>>> from datetime import UTC, datetime
>>> next_due("c", "30 2 * * *", "Europe/Prague", datetime(2026, 3, 28, 12, tzinfo=UTC)).isoformat()
'2026-03-29T01:00:00+00:00'
>>> [run] = upcoming("c", "30 2 * * *", "Europe/Prague", datetime(2026, 3, 28, 12, tzinfo=UTC), count=1)
>>> run.local.isoformat(), run.moved
('2026-03-29T03:00:00+02:00', True)
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from domain import checks, zones
from domain.cron import Cron, next_match, parse
from domain.errors import ValidationError

INTERVALS = {
    "n": None,
    "i": "* * * * *",
    "h": "0 * * * *",
    "d": "0 0 * * *",
    "w": "0 0 * * 1",
    "m": "0 0 1 * *",
    "y": "0 0 1 1 *",
    "c": None,
}
"""Interval codes with the cron expression each stands for; ``n`` is never due, ``c`` has an expression of its own."""

_WORDS = {
    "n": ("manually", "manual", "disabled", "never", "none"),
    "i": ("minutly", "minutely", "@minutely"),
    "h": ("hourly", "@hourly"),
    "d": ("daily", "@daily"),
    "w": ("weekly", "@weekly"),
    "m": ("monthly", "@monthly"),
    "y": ("yearly", "annually", "@yearly", "@annually"),
    "c": ("custom", "cron"),
}
_CODES = {word: code for code, words in _WORDS.items() for word in (code, *words)}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = int(datetime(9998, 1, 1, tzinfo=UTC).timestamp())
_TWO_DAYS = 172_800


class Due(msgspec.Struct, frozen=True):
    """One moment at which a template is due.

    Attributes
    ----------
    due : datetime
        The moment, in UTC.
    local : datetime
        The same moment in the time zone of the schedule.
    moved : bool
        Whether daylight saving time moved it: the wall clock time that was asked for does not exist that day.
    """

    due: datetime
    local: datetime
    moved: bool


def interval_code(text: str) -> str:
    """Return the code of an interval given as code or word.

    Examples
    --------
    >>> interval_code("hourly"), interval_code("d")
    ('h', 'd')
    """
    code = _CODES.get(text.strip().lower())
    if code is None:
        known = ", ".join(f"{code} ({words[0].removeprefix('@')})" for code, words in _WORDS.items())
        raise ValidationError(
            f"The interval “{text[:80]}” does not exist. Choose one of {known}.",
            field="interval",
            code="interval_unknown",
        )
    return code


def expression(interval: str, cron: str | None) -> str | None:
    """Return the cron expression of a schedule, None if it is never due.

    Raises
    ------
    ValidationError
        The interval does not exist, or is ``c`` without an expression.
    """
    code = interval_code(interval)
    if code != "c":
        return INTERVALS[code]
    if cron is None or not cron.strip():
        raise ValidationError(
            "The interval is c (custom), but there is no cron expression. Give one, such as 30 2 * * *.",
            field="cron",
            code="cron_missing",
        )
    return cron.strip()


def next_due(interval: str, cron: str | None, zone: str, after: datetime) -> datetime | None:
    """Return the first moment after another at which a schedule is due.

    Parameters
    ----------
    interval : str
        Interval code (``n i h d w m y c``).
    cron : str or None
        Cron expression of interval ``c``.
    zone : str
        IANA name of the time zone.
    after : datetime
        Moment, with a time zone of its own; what is due at this very moment does not count.

    Returns
    -------
    datetime or None
        In UTC; None if the schedule is never due.

    Raises
    ------
    CronError, ValidationError
        The schedule cannot be read; ``field`` names what is wrong.
    """
    found = expression(interval, cron)
    if found is None:
        checks.time_zone(zone)
        return None
    due = _next(found, zone, _seconds(after))
    return None if due is None else _moment(due[0])


def upcoming(
    interval: str, cron: str | None, zone: str, after: datetime, *, count: int, until: datetime | None = None
) -> list[Due]:
    """Return the next moments at which a schedule is due, at most ``count`` and none after ``until``.

    Arguments and errors are those of :func:`next_due`.
    """
    found = expression(interval, cron)
    place = ZoneInfo(checks.time_zone(zone))
    last = _LATEST if until is None else _seconds(until)
    runs: list[Due] = []
    moment = _seconds(after)
    while found is not None and len(runs) < count:
        due = _next(found, zone, moment)
        if due is None or due[0] > last:
            break
        moment, moved = due
        runs.append(Due(due=_moment(moment), local=_moment(moment).astimezone(place), moved=moved))
    return runs


@lru_cache(maxsize=16_384)
def _next(cron: str, zone: str, after: int) -> tuple[int, bool] | None:
    """Return the next due moment in seconds since 1970 and whether it was moved, None if there is none."""
    parsed = parse(cron)
    checks.time_zone(zone)
    if parsed.follows_clock:
        return _next_by_clock(parsed, zone, after)
    moment = _next_by_elapsed_time(parsed, zone, after)
    return None if moment is None else (moment, False)


def _next_by_clock(cron: Cron, zone: str, after: int) -> tuple[int, bool] | None:
    wall = after + zones.offset(zone, after)
    while True:
        found = next_match(cron, wall + 1)
        if found is None or found > _LATEST:
            return None
        moment, moved = _moment_of_wall(zone, found)
        if moment > after:
            return moment, moved
        wall = found


def _moment_of_wall(zone: str, wall: int) -> tuple[int, bool]:
    """Return when the clock first shows a time, or the end of the gap that swallowed it, and whether one did."""
    begin, end, offset = zones.stretch(zone, wall - 86_400)
    while wall - offset >= end:
        begin, end, offset = zones.stretch(zone, end)
    return (begin, True) if wall - offset < begin else (wall - offset, False)


def _next_by_elapsed_time(cron: Cron, zone: str, after: int) -> int | None:
    moment = after + 1
    while moment < _LATEST:
        _, end, offset = zones.stretch(zone, moment)
        wall = next_match(cron, moment + offset)
        if wall is None:
            return None
        if wall - offset < end:
            return wall - offset
        # The clock may go back at the end of this stretch and show times again; far from both there is nothing to find.
        moment = end if end - moment < _TWO_DAYS else max(end, wall - offset - _TWO_DAYS)
    return None


def _seconds(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("The moment has no time zone.")
    return (moment - _EPOCH) // timedelta(seconds=1)


def _moment(seconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)
