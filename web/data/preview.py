"""The next runs of a schedule as people read them, and what daylight saving time does to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from domain import zones
from domain.cron import parse
from domain.schedule import Due, expression, upcoming
from web.errors import N_
from web.words import Translate

COUNT = 8
BEFORE = timedelta(microseconds=1)

MOVED = N_("moved by daylight saving time: the clock goes from {before} to {after}, and the time asked for is in between")
TWICE = N_("the clock shows this hour twice that night; the run is the first time only")
BOTH = N_("the clock shows this hour twice that night; it runs both times")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run to come: the moment, the same by the clock of the schedule's zone, and what is special about it."""

    due: datetime
    local: datetime
    moved: bool
    remark: str | None


def runs(
    interval: str,
    cron: str | None,
    zone: str,
    now: datetime,
    translate: Translate,
    *,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    count: int = COUNT,
) -> list[Run]:
    """Return the next runs of a schedule; errors are those of :func:`domain.schedule.upcoming`."""
    begin = now if start_at is None else max(now, start_at - BEFORE)
    found = upcoming(interval, cron, zone, begin, count=count, until=end_at)
    text = expression(interval, cron)
    fixed = text is not None and parse(text).follows_clock
    return [
        Run(due=each.due, local=each.local, moved=each.moved, remark=_remark(each, zone, fixed, translate))
        for each in found
    ]


def _remark(run: Due, zone: str, fixed: bool, translate: Translate) -> str | None:
    if run.moved:
        begin = int(run.due.timestamp())
        before = datetime.fromtimestamp(begin + zones.offset(zone, begin - 1), UTC)
        after = datetime.fromtimestamp(begin + zones.offset(zone, begin), UTC)
        return translate(MOVED).format(before=f"{before:%H:%M}", after=f"{after:%H:%M}")
    wall = run.local.replace(tzinfo=None)
    place = ZoneInfo(zone)
    first, second = (wall.replace(tzinfo=place, fold=fold).utcoffset() for fold in (0, 1))
    # In the hour that is skipped the two differ the other way round.
    if first is None or second is None or first <= second:
        return None
    return translate(TWICE if fixed else BOTH)
