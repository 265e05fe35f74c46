"""Values as people read them: one line, no control characters, times in a time zone that is named."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from domain.event import Erased

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_NAMED = {"\n": "⏎", "\t": " ", "\r": ""}


@lru_cache
def time_zone(name: str) -> ZoneInfo:
    """Return a time zone by its name."""
    return ZoneInfo(name)


def moment(value: datetime, zone: str | None) -> str:
    """Return a moment in a time zone, with that zone's abbreviation; None: the zone of this machine.

    Examples
    --------
    >>> from datetime import UTC
    >>> moment(datetime(2026, 1, 31, 12, tzinfo=UTC), "Europe/Prague")
    '2026-01-31 13:00:00 CET'
    """
    return value.astimezone(time_zone(zone) if zone else None).strftime("%Y-%m-%d %H:%M:%S %Z")


def cell(value: object, zone: str | None = None) -> str:
    r"""Return a value as one line of text.

    Examples
    --------
    >>> cell(None), cell(True), cell({"A": "1"}), cell("a\x1b[31mb")
    ('', 'true', '{"A":"1"}', 'a�[31mb')
    """
    match value:
        case None:
            text = ""
        case bool():
            text = "true" if value else "false"
        case datetime():
            text = moment(value, zone)
        case Erased():
            text = "(erased)"
        case float():
            text = f"{value:.3f}".rstrip("0").rstrip(".")
        case dict() | list() | tuple():
            text = msgspec.json.encode(value).decode() if value else ""
        case _:
            text = str(value)
    return _CONTROL.sub(lambda match: _NAMED.get(match[0], "\ufffd"), text)


def width(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    Examples
    --------
    >>> width("kůň"), width("会社")
    (3, 4)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )
