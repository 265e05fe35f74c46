"""Times as people read them: in the viewer's zone, which is named, and in words of how long ago."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal

NOTHING = "\N{EN DASH}"
"""What is shown where there is nothing to show."""

HOME = "Europe/Prague"
"""Zone of a viewer who chose none, looking at no company in particular."""

UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
"""Seconds and symbol of a unit of time, and of the one below it (SI and units accepted beside it)."""

JUST_NOW = timedelta(seconds=5)

COMMON = (
    "Europe/Prague",
    "UTC",
    "Europe/Bratislava",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Kyiv",
    "America/New_York",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Australia/Sydney",
)
"""Zones that are offered beside the company's own."""


@cache
def zone(name: str) -> tzinfo | None:
    """Return a zone by its IANA name, or None if there is none of that name."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@cache
def zones() -> frozenset[str]:
    """Return the names of all zones that this machine knows."""
    return frozenset(available_timezones()) | {"UTC"}


def first_known(*names: str | None) -> str:
    """Return the first name of a zone that is known here; UTC if none is.

    Examples
    --------
    >>> first_known(None, "Europe/Atlantis", "Europe/Prague")
    'Europe/Prague'
    """
    return next((name for name in names if name and zone(name) is not None), "UTC")


class Clock:
    """Formats times for one viewer.

    Parameters
    ----------
    language : str
        Language of the words.
    zone_name : str
        IANA name of the zone; must be known.
    now : datetime
        The moment at which the page is made.
    """

    def __init__(self, language: str, zone_name: str, now: datetime) -> None:
        self.language = language
        self.zone_name = zone_name
        self.zone = zone(zone_name) or UTC
        self.now = now

    @property
    def zone_label(self) -> str:
        """The zone with its abbreviation at this moment.

        Examples
        --------
        >>> Clock("en", "Europe/Prague", datetime(2026, 7, 1, tzinfo=UTC)).zone_label
        'Europe/Prague (CEST)'
        """
        short = self.local(self.now).tzname() or ""
        return self.zone_name if short in ("", self.zone_name) else f"{self.zone_name} ({short})"

    def local(self, moment: datetime) -> datetime:
        """Return a moment in the viewer's zone."""
        return moment.astimezone(self.zone)

    def full(self, moment: datetime) -> str:
        """Return date and time to the second, with the zone: what a tooltip shows."""
        local = self.local(moment)
        pattern = {"cs": "EEEE d. MMMM yyyy, HH:mm:ss", "en": "EEEE, d MMMM yyyy, HH:mm:ss"}[self.language]
        text = format_datetime(local, pattern, tzinfo=self.zone, locale=self.language)
        return f"{text} {local.tzname() or self.zone_name}"

    def short(self, moment: datetime) -> str:
        """Return the time of a moment of today, else its date and time, as short as can be told apart."""
        local, today = self.local(moment), self.local(self.now).date()
        if local.date() == today:
            return f"{local:%H:%M:%S}"
        pattern = {"cs": "d. M. HH:mm", "en": "d MMM, HH:mm"} if local.year == today.year else {
            "cs": "d. M. yyyy HH:mm", "en": "d MMM yyyy, HH:mm"
        }  # fmt: skip
        return format_datetime(local, pattern[self.language], tzinfo=self.zone, locale=self.language)

    def days_ago(self, days: int) -> date:
        """Return the day that was so many days ago."""
        return self.local(self.now).date() - timedelta(days=days)

    def wall(self, local: datetime) -> str:
        """Return what a clock shows at a moment that is given in the clock's own zone, with the day of the week."""
        pattern = {"cs": "EEE d. M. yyyy HH:mm", "en": "EEE d MMM yyyy, HH:mm"}[self.language]
        return format_datetime(local.replace(tzinfo=None), pattern, locale=self.language)

    def same_day(self, one: datetime, other: datetime) -> bool:
        """Tell whether two moments are on one day of the viewer's; midnight belongs to the day before, too."""
        return self.local(one).date() == self.local(other - timedelta(microseconds=1)).date()

    def minutes(self, moment: datetime) -> str:
        """Return the time of a moment of today to the minute, else its date and time."""
        return self.minute(moment) if self.local(moment).date() == self.local(self.now).date() else self.short(moment)

    def minute(self, moment: datetime) -> str:
        """Return the time of day to the minute."""
        return f"{self.local(moment):%H:%M}"

    def field(self, moment: datetime | None) -> str:
        """Return a moment as the value of a field of date and time (HTML, ``datetime-local``); empty for None."""
        return "" if moment is None else f"{self.local(moment):%Y-%m-%dT%H:%M}"

    def clock(self, moment: datetime) -> str:
        """Return the time of day with thousandths: what a line of a timeline shows."""
        local = self.local(moment)
        return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"

    def relative(self, moment: datetime) -> str:
        """Return how long ago, or in how long.

        Examples
        --------
        >>> at = datetime(2026, 7, 1, tzinfo=UTC)
        >>> Clock("cs", "UTC", at).relative(at - timedelta(minutes=5))
        'před 5 minutami'
        """
        delta = moment - self.now
        if abs(delta) < JUST_NOW:
            return {"cs": "právě teď", "en": "just now"}[self.language]
        return format_timedelta(delta, add_direction=True, threshold=1.2, locale=self.language)

    def day(self, day: date) -> str:
        """Return a day of this year, without the year."""
        return format_date(day, {"cs": "d. M.", "en": "d MMM"}[self.language], locale=self.language)

    def long_day(self, day: date) -> str:
        """Return a day in full."""
        return format_date(day, {"cs": "EEEE d. MMMM", "en": "EEEE, d MMMM"}[self.language], locale=self.language)


def seconds_between(begin: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds from begin to end, never below zero; None if either is not known."""
    return None if begin is None or end is None else max(0.0, (end - begin).total_seconds())


def duration(seconds: float | None, language: str = "en") -> str:
    """Return a length of time in the two units that matter.

    Examples
    --------
    >>> [duration(each) for each in (0.0042, 0.25, 3.21, 59.96, 61, 3725, 90061)]
    ['4 ms', '250 ms', '3.2 s', '60.0 s', '1 min 1 s', '1 h 2 min', '1 d 1 h']
    >>> duration(3.21, "cs")
    '3,2 s'
    """
    if seconds is None:
        return NOTHING
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{format_decimal(seconds, '0.0', locale=language)} s"
    whole = round(seconds)
    size, unit, smaller, small_unit = next(each for each in UNITS if whole >= each[0])
    rest = whole % size // smaller
    return f"{whole // size} {unit} {rest} {small_unit}" if rest else f"{whole // size} {unit}"
