"""A period that a list is narrowed to, given as days or moments in the viewer's zone."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import msgspec

from web.errors import N_, BadRequestError
from web.times import Clock
from web.view import View

SHORTEST = len("2026-01-31")


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """From a moment, before a moment; ``from_text`` and ``to_text`` are the parameters as they were given."""

    begin: datetime | None = None
    end: datetime | None = None
    from_text: str | None = None
    to_text: str | None = None


def period_of(view: View, clock: Clock) -> Period:
    """Return the period that the parameters ``from`` and ``to`` of a page give; a day as ``to`` counts in full.

    Raises
    ------
    BadRequestError
        One of them is neither a day nor a moment.
    """
    begin, end = view.parameters.get("from"), view.parameters.get("to")
    return Period(
        begin=_moment("from", begin, clock) if begin else None,
        end=_moment("to", end, clock, timedelta(days=1)) if end else None,
        from_text=begin,
        to_text=end,
    )


def _moment(name: str, text: str, clock: Clock, more: timedelta = timedelta()) -> datetime:
    try:
        if len(text) == SHORTEST:
            return datetime.combine(date.fromisoformat(text) + more, datetime.min.time(), clock.zone)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise BadRequestError(
            N_("The parameter {name} is “{value}”; expected a day such as 2026-01-31, or a moment."),
            name=name,
            value=text[:40],
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=clock.zone)
