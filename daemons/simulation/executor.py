"""Virtual time, and an executor whose runs take as long as a script says, in that time."""

from __future__ import annotations

import asyncio
import heapq
from datetime import datetime, timedelta

from daemons.executors.interface import Ended, Launch, Sink
from daemons.simulation.script import Look


class VirtualClock:
    """A clock that stands still until it is set on; who waits for a moment is woken when it has come."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._now = start
        self._waiting: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        """Return the moment, in UTC."""
        return self._now

    def seconds(self) -> float:
        """Return the seconds that have passed."""
        return (self._now - self._start).total_seconds()

    def after(self, seconds: float) -> asyncio.Future[None]:
        """Return what is done when so many seconds have passed."""
        self._count += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (self._now + timedelta(seconds=seconds), self._count, future))
        return future

    def next(self) -> datetime | None:
        """Return the moment that somebody waits for next."""
        return self._waiting[0][0] if self._waiting else None

    def waiting(self) -> int:
        """Return for how many moments somebody waits."""
        return len(self._waiting)

    def set(self, moment: datetime) -> None:
        """Set the clock on, and wake all whose moment has come."""
        self._now = max(self._now, moment)
        while self._waiting and self._waiting[0][0] <= self._now:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)


class SimulatedRun:
    """A run that ends when its time is over, or when it is cancelled."""

    pid = None

    def __init__(self, look: Look, over: asyncio.Future[None], reached: asyncio.Event) -> None:
        self._look = look
        self._over = over
        self._reached = reached
        self._cancelled = False

    async def wait(self) -> Ended:
        """Return how it ended."""
        self._reached.set()
        await self._over
        return Ended(exit_code=143, signal=15) if self._cancelled else Ended(exit_code=self._look.exit_code)

    async def cancel(self, grace: float) -> None:
        """End it at once."""
        self._cancelled = True
        if not self._over.done():
            self._over.set_result(None)


class SimulatedExecutor:
    """Starts no process: a run says and does what the script has for its job."""

    name = "Native"

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._looks: dict[int, tuple[Look, asyncio.Event]] = {}

    def expect(self, job_id: int, look: Look) -> asyncio.Event:
        """Take what will become of a job; return what is set once it runs."""
        reached = asyncio.Event()
        self._looks[job_id] = look, reached
        return reached

    async def start(self, launch: Launch, sink: Sink) -> SimulatedRun:
        """Start a job."""
        look, reached = self._looks.pop(launch.job_id)
        sink.take("stdout" if look.exit_code == 0 else "stderr", look.text.encode())
        return SimulatedRun(look, self._clock.after(look.seconds), reached)
