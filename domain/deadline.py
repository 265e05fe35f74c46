"""Deadlines of a run template: until when a result is due, counted from the begin of its window.

Examples
--------
>>> from datetime import UTC, datetime
>>> begin = datetime(2026, 10, 24, 22, tzinfo=UTC)
>>> deadline(begin, "+1h30m", "Europe/Prague").isoformat()
'2026-10-24T23:30:00+00:00'
>>> deadline(begin, "08:00", "Europe/Prague").isoformat()
'2026-10-25T07:00:00+00:00'
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from domain.errors import ValidationError
from domain.schedule import next_due

_SPAN = re.compile(r"\+(?=\d)(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?", re.ASCII)
_TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


def checked_offset(offset: str, field: str = "deadline_offset") -> str:
    """Return a deadline in its usual form: a span from the begin of the window, or a time of day.

    Examples
    --------
    >>> checked_offset(" +3H "), checked_offset("8:00")
    ('+3h', '08:00')
    """
    cleaned = offset.strip().lower()
    if match := _TIME_OF_DAY.fullmatch(cleaned):
        return f"{int(match[1]):02}:{match[2]}"
    if not _SPAN.fullmatch(cleaned) or not _span(cleaned):
        raise ValidationError(
            f"The deadline “{offset[:80]}” cannot be read. Give a span such as +3h or +1h30m, or a time of day such as "
            "08:00.",
            field=field,
            code="deadline_invalid",
        )
    return cleaned


def deadline(begin: datetime, offset: str, zone: str) -> datetime:
    """Return the moment until which the result of a window is due, in UTC.

    Parameters
    ----------
    begin : datetime
        Begin of the window.
    offset : str
        Span from the begin (``+3h``), or the time of day (``08:00``) that follows it in the zone.
    zone : str
        IANA name of the time zone.
    """
    checked = checked_offset(offset)
    if checked.startswith("+"):
        return begin + _span(checked)
    hour, minute = checked.split(":")
    due = next_due("c", f"{int(minute)} {int(hour)} * * *", zone, begin - timedelta(microseconds=1))
    return begin if due is None else due


def _span(offset: str) -> timedelta:
    match = _SPAN.fullmatch(offset)
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
