"""What time it is for the jobs of an executor: the time of day, and seconds to measure with."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the moment, in UTC."""
        ...

    def seconds(self) -> float:
        """Return seconds that only grow."""
        ...


class WallClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the moment, in UTC."""
        return datetime.now(UTC)

    def seconds(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()


WALL = WallClock()
