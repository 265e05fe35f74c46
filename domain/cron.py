"""Cron expressions: parsed into bit masks, and the next wall clock time that one matches, whatever the time zone.

Five fields are minute, hour, day of month, month and day of week; a sixth in front of them is the second. Understood
are lists, ranges (also over the end: ``22-2``), steps, names, ``L`` and ``LW`` and ``15W`` as day of month, ``5L`` or
``L5`` and ``5#2`` as day of week, ``?`` for ``*``, and the words ``@hourly`` to ``@yearly``. A day matches when both
day fields match if one of them begins with ``*``, and when either does if none begins so (crontab(5) of Debian).

Examples
--------
>>> parse("30 2 * * MON-FRI").follows_clock
True
>>> parse("30 25 * * *")
Traceback (most recent call last):
domain.cron.CronError: The cron expression “30 25 * * *” is wrong in its hour: 25 lies outside 0 to 23.
"""

from __future__ import annotations

import re
from calendar import isleap
from datetime import date
from functools import lru_cache

import msgspec
from croniter import CroniterError, croniter

from domain.errors import ValidationError

DAY = 86_400
LONGEST = 256
_EPOCH = date(1970, 1, 1).toordinal()
_LAST_ORDINAL = date.max.toordinal()
_MOST_MONTHS = 12 * 60

_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LENGTHS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class _Part(msgspec.Struct, frozen=True):
    name: str
    place: int  # of the field in an expression as croniter orders it
    lowest: int
    highest: int
    names: bool = False


SECOND = _Part("second", 5, 0, 59)
MINUTE = _Part("minute", 0, 0, 59)
HOUR = _Part("hour", 1, 0, 23)
DAY_OF_MONTH = _Part("day of month", 2, 1, 31)
MONTH = _Part("month", 3, 1, 12, names=True)
DAY_OF_WEEK = _Part("day of week", 4, 0, 7, names=True)
_PARTS = (SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)


class CronError(ValidationError):
    """A cron expression that cannot be read.

    Attributes
    ----------
    part : str
        Field of the expression at fault, e.g. ``hour``; empty if it is the whole.
    """

    default_code = "cron_invalid"

    def __init__(self, expression: str, part: str, reason: str) -> None:
        where = f" in its {part}" if part else ""
        super().__init__(f"The cron expression “{expression[:LONGEST]}” is wrong{where}: {reason}", field="cron")
        self.part = part


class Cron(msgspec.Struct, frozen=True):
    """A cron expression as bit masks: bit n is set where n matches.

    Attributes
    ----------
    days : tuple[int, ...]
        Matching days of a month, by the month's first weekday and length (:func:`_days`).
    follows_clock : bool
        Whether runs are fixed to the wall clock: neither the minute nor the hour begins with ``*``.
    """

    seconds: int
    minutes: int
    hours: int
    months: int
    days: tuple[int, ...]
    follows_clock: bool


class _DayRule(msgspec.Struct, frozen=True):
    """What a field about days asks for, before it is known which month it is."""

    values: frozenset[int]
    last: bool = False
    last_weekday: bool = False
    nearest: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()  # weekday, which one of the month; 0: the last


@lru_cache(maxsize=4096)
def parse(expression: str) -> Cron:
    """Read a cron expression.

    Raises
    ------
    CronError
        It cannot be read, or no day ever matches it.
    """
    if len(expression) > LONGEST:
        raise CronError(expression, "", f"it has more than {LONGEST} characters.")
    fields = _WORDS.get(expression.strip().lower(), expression).lower().split()
    if expression.strip().startswith("@") and fields[0].startswith("@"):
        raise CronError(expression, "", f"there is no such word. Words are {', '.join(_WORDS)}.")
    if len(fields) not in (5, 6):
        reason = f"it has {len(fields)} fields. Give minute, hour, day of month, month and day of week"
        raise CronError(expression, "", f"{reason}, or the second before them.")
    if len(fields) == 5:
        fields.insert(0, "0")
    second, minute, hour, month_day, month, week_day = (
        _rule(expression, part, field.replace("?", "*") if part in (DAY_OF_MONTH, DAY_OF_WEEK) else field)
        for part, field in zip(_PARTS, fields, strict=True)
    )
    both = fields[3][0] in "*?" or fields[5][0] in "*?"
    cron = Cron(
        seconds=_mask(second.values),
        minutes=_mask(minute.values),
        hours=_mask(hour.values),
        months=_mask(month.values),
        days=_days(month_day, week_day, both=both),
        follows_clock=not fields[1].startswith("*") and not fields[2].startswith("*"),
    )
    if not _ever_matches(cron):
        raise CronError(expression, DAY_OF_MONTH.name, "no month that is asked for has such a day.")
    return cron


def next_match(cron: Cron, wall: int) -> int | None:
    """Return the first matching wall clock time that is not before another.

    Parameters
    ----------
    cron : Cron
        Parsed expression.
    wall : int
        Wall clock time as seconds since 1970-01-01 00:00 of that clock.

    Returns
    -------
    int or None
        Wall clock time of the match in the same form; None if there is none within sixty years.
    """
    day, second = divmod(wall, DAY)
    found = _next_day(cron, day + _EPOCH)
    if found is None:
        return None
    if found == day + _EPOCH:
        time = _next_time(cron, second)
        if time is not None:
            return day * DAY + time
        found = _next_day(cron, found + 1)
        if found is None:
            return None
    first = _lowest(cron.hours) * 3600 + _lowest(cron.minutes) * 60 + _lowest(cron.seconds)
    return (found - _EPOCH) * DAY + first


def _next_time(cron: Cron, second_of_day: int) -> int | None:
    hour, rest = divmod(second_of_day, 3600)
    minute, second = divmod(rest, 60)
    if cron.hours >> hour & 1:
        if cron.minutes >> minute & 1 and (later := cron.seconds >> second):
            return second_of_day + _lowest(later)
        if later := cron.minutes >> (minute + 1):
            return hour * 3600 + (minute + 1 + _lowest(later)) * 60 + _lowest(cron.seconds)
    if later := cron.hours >> (hour + 1):
        return (hour + 1 + _lowest(later)) * 3600 + _lowest(cron.minutes) * 60 + _lowest(cron.seconds)
    return None


def _next_day(cron: Cron, ordinal: int) -> int | None:
    if not 1 <= ordinal <= _LAST_ORDINAL:
        return None
    start = date.fromordinal(ordinal)
    year, month, day = start.year, start.month, start.day
    first = ordinal - day + 1
    for _ in range(_MOST_MONTHS):
        length = _LENGTHS[month] + (month == 2 and isleap(year))
        if cron.months >> month & 1:
            later = cron.days[_month_kind((first + 6) % 7, length)] >> day
            if later:
                return first + day - 1 + _lowest(later)
        first += length
        day = 1
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        if first > _LAST_ORDINAL:
            return None
    return None


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _mask(values: frozenset[int]) -> int:
    return sum(1 << value for value in values)


def _month_kind(first_weekday: int, length: int) -> int:
    return first_weekday * 4 + length - 28


def _days(month_day: _DayRule, week_day: _DayRule, *, both: bool) -> tuple[int, ...]:
    """Return the matching days of each kind of month: first weekday (0: Monday) times length (28 to 31)."""
    kinds: list[int] = []
    for first_weekday in range(7):
        for length in range(28, 32):
            left = _mask(frozenset(_month_days(month_day, first_weekday, length)))
            right = _mask(frozenset(_week_days(week_day, first_weekday, length)))
            kinds.append(left & right if both else left | right)
    return tuple(kinds)


def _month_days(rule: _DayRule, first_weekday: int, length: int) -> list[int]:
    found = [day for day in rule.values if day <= length]
    if rule.last:
        found.append(length)
    if rule.last_weekday:
        found.append(length - max(0, (first_weekday + length - 1) % 7 - 4))
    for wished in rule.nearest:
        day = min(wished, length)
        weekday = (first_weekday + day - 1) % 7
        if weekday == 5:
            day += -1 if day > 1 else 2
        elif weekday == 6:
            day += 1 if day < length else -2
        found.append(day)
    return found


def _week_days(rule: _DayRule, first_weekday: int, length: int) -> list[int]:
    found: list[int] = []
    for day in range(1, length + 1):
        weekday = (first_weekday + day) % 7  # 0: Sunday
        rank = (day + 6) // 7
        last = (weekday, 0) in rule.nth and day + 7 > length
        if weekday in rule.values or (weekday, rank) in rule.nth or last:
            found.append(day)
    return found


def _ever_matches(cron: Cron) -> bool:
    return any(
        cron.months >> month & 1 and cron.days[_month_kind(first_weekday, length)]
        for month in range(1, 13)
        for length in ((28, 29) if month == 2 else (_LENGTHS[month],))
        for first_weekday in range(7)
    )


def _rule(expression: str, part: _Part, field: str) -> _DayRule:
    values: set[int] = set()
    nth: set[tuple[int, int]] = set()
    nearest: set[int] = set()
    last = last_weekday = False
    for term in field.split(","):
        if part is DAY_OF_MONTH and term in ("lw", "wl"):
            last_weekday = True
        elif part is DAY_OF_MONTH and term == "l":
            last = True
        elif part is DAY_OF_MONTH and (match := re.fullmatch(r"([1-9]|[12]\d|3[01])w", term, re.ASCII)):
            nearest.add(int(match[1]))
        elif part is DAY_OF_WEEK and (match := re.fullmatch(r"(?:l([0-7a-z]+)|([0-7a-z]+)l)", term, re.ASCII)):
            nth.add((_weekday(expression, match[1] or match[2]), 0))
        elif part is DAY_OF_WEEK and (match := re.fullmatch(r"([0-7a-z]+)#([1-5])", term, re.ASCII)):
            nth.add((_weekday(expression, match[1]), int(match[2])))
        else:
            values.update(_values(expression, part, term))
    return _DayRule(frozenset(values), last, last_weekday, frozenset(nearest), frozenset(nth))


def _weekday(expression: str, text: str) -> int:
    if text in _WEEKDAYS:
        return _WEEKDAYS.index(text)
    if re.fullmatch("[0-7]", text, re.ASCII):
        return int(text) % 7
    raise CronError(expression, DAY_OF_WEEK.name, f"“{text}” is no weekday. Use 0 to 7, or MON to SUN.")


def _values(expression: str, part: _Part, term: str) -> list[int]:
    # croniter reads a range of one value as all of them; here 9-9 is 9.
    single = re.fullmatch(r"(\w+)-\1(/[1-9]\d*)?", term, re.ASCII)
    plain = single[1] if single else term
    # Its random values (H, R) would differ from call to call; without them every term is of numbers, names and - / *.
    if not re.fullmatch(r"[0-9a-z*/-]+", plain, re.ASCII) or re.match(r"[hr](?![a-z])", plain):
        raise CronError(expression, part.name, _reason(part, term))
    fields = ["*", "*", "*", "*", "*", "0"]
    fields[part.place] = plain
    try:
        expanded, nth = croniter.expand(" ".join(fields if part is SECOND else fields[:5]))
    except CroniterError:
        raise CronError(expression, part.name, _reason(part, term)) from None
    found = expanded[part.place]
    if nth or "l" in found:
        raise CronError(expression, part.name, _reason(part, term))
    if found == ["*"]:
        return list(range(part.lowest, min(part.highest, 6) + 1 if part is DAY_OF_WEEK else part.highest + 1))
    return [value for value in found if isinstance(value, int)]


def _reason(part: _Part, term: str) -> str:
    if not term:
        return "a value is missing between the commas."
    if re.search(r"/0+$", term):
        return f"the step in “{term}” is 0; use 1 or more."
    numbers = [int(number) for number in re.findall(r"\d{1,9}", term.split("/", maxsplit=1)[0])]
    outside = [number for number in numbers if not part.lowest <= number <= part.highest]
    if outside:
        return f"{outside[0]} lies outside {part.lowest} to {part.highest}."
    names = ", names of three letters" if part.names else ""
    return (
        f"“{term}” cannot be read. Use numbers from {part.lowest} to {part.highest}{names}, ranges such as 1-5, steps "
        "such as */10, and commas between them."
    )
