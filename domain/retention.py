"""How long a company keeps what its jobs leave, and what is over at a moment.

Examples
--------
>>> from datetime import UTC, datetime
>>> rules = Rules(output=30, artifacts=None, history=365)
>>> rules.bounded()
Rules(output=30, artifacts=365, history=365)
>>> months_over(["2026-01", "2026-02"], 30, datetime(2026, 3, 3, tzinfo=UTC))
['2026-01']
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from domain.checks import whole

LONGEST = 36_500
"""Days, a hundred years."""


class Rules(msgspec.Struct, frozen=True):
    """For how many days output, files and the history of jobs are kept; None: for ever."""

    output: int | None = None
    artifacts: int | None = None
    history: int | None = None

    def bounded(self) -> Rules:
        """Return the rules with output and files kept no longer than the jobs that they belong to."""
        return Rules(_least(self.output, self.history), _least(self.artifacts, self.history), self.history)


def kept_days(days: int | None, field: str) -> int | None:
    """Return for how many days something is kept, None for ever.

    Raises
    ------
    ValidationError
        It is less than a day, or more than a hundred years.
    """
    return None if days is None else whole(days, field, lowest=1, highest=LONGEST)


def over_before(days: int, now: datetime) -> datetime:
    """Return the moment before which all is over that is kept for so many days."""
    return now - timedelta(days=days)


def months_over(months: Iterable[str], days: int, now: datetime) -> list[str]:
    """Return those months (``2026-01``, in UTC) of which even the last day is over, the oldest first."""
    bound = over_before(days, now)
    return sorted(month for month in months if month_end(month) <= bound)


def month_end(month: str) -> datetime:
    """Return the moment at which a month ends.

    Examples
    --------
    >>> month_end("2026-12").isoformat()
    '2027-01-01T00:00:00+00:00'
    """
    year, number = int(month[:4]), int(month[5:])
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _least(one: int | None, other: int | None) -> int | None:
    return min(one, other) if one is not None and other is not None else one if one is not None else other
