"""Offsets of time zones from UTC, as stretches of time with one offset each, found once and kept.

The standard library answers what the offset is at a moment, not when it changes; schedules need the changes.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

_BLOCK = 1 << 24  # seconds looked at together, about half a year
_PROBE = 21_600  # no zone of the IANA database changes its offset and back within six hours
_EARLIEST = int(datetime(1, 1, 3, tzinfo=UTC).timestamp())
_LATEST = int(datetime(9999, 12, 30, tzinfo=UTC).timestamp())


def offset(zone: str, moment: int) -> int:
    """Return the offset from UTC in seconds at a moment (seconds since 1970).

    Examples
    --------
    >>> offset("Europe/Prague", 1_774_746_000), offset("Europe/Prague", 1_774_745_999)
    (7200, 3600)
    """
    return stretch(zone, moment)[2]


def stretch(zone: str, moment: int) -> tuple[int, int, int]:
    """Return the stretch of one offset around a moment: its begin, its end and the offset from UTC, in seconds.

    A long stretch may be told in several parts that follow on each other.
    """
    number, _ = divmod(moment, _BLOCK)
    starts, offsets = _block(zone, number)
    index = bisect_right(starts, moment) - 1
    end = starts[index + 1] if index + 1 < len(starts) else (number + 1) * _BLOCK
    return starts[index], end, offsets[index]


@lru_cache(maxsize=8192)
def _block(zone: str, number: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    place = ZoneInfo(zone)
    begin = number * _BLOCK
    starts, offsets = [begin], [_offset(place, begin)]
    for probe in range(begin, begin + _BLOCK, _PROBE):
        low, high = probe, min(probe + _PROBE, begin + _BLOCK - 1)
        changed = _offset(place, high)
        if changed == offsets[-1]:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if _offset(place, middle) == offsets[-1]:
                low = middle
            else:
                high = middle
        starts.append(high)
        offsets.append(changed)
    return tuple(starts), tuple(offsets)


def _offset(place: ZoneInfo, moment: int) -> int:
    clamped = min(max(moment, _EARLIEST), _LATEST)
    difference = datetime.fromtimestamp(clamped, place).utcoffset()
    assert difference is not None
    return round(difference.total_seconds())
