"""Supervision of the parts of one installation: started in order, started again when they die, stopped in reverse.

A part is anything that can be started, waited for and stopped (:class:`Part`): a child process
(:class:`daemons.child.Child`) or the embedded PostgreSQL. ::

    async with Supervisor(print) as supervisor:
        await supervisor.start(Child(projector, log_folder))
        await supervisor.start(Child(web, log_folder))
        await supervisor.until_stopped()

SIGINT (Ctrl-C), SIGTERM or SIGHUP end the body of the ``async with``, wherever it is; all parts are then stopped, the
last one first. A second signal kills what still runs.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self


class PartError(Exception):
    """A part could not be started; the message says which, and what it said last."""


class Part(Protocol):
    """What a supervisor needs to know of a part."""

    @property
    def name(self) -> str:
        """What users call it."""
        ...

    async def start(self) -> None:
        """Start it and return when it is ready.

        Raises
        ------
        PartError
            It did not get ready.
        """
        ...

    async def wait(self) -> str:
        """Wait until it has ended by itself, and tell how."""
        ...

    async def stop(self, force: asyncio.Event) -> None:
        """Stop it and return when it is gone; at once when ``force`` is set, also while stopping."""
        ...


@dataclass(frozen=True)
class BackOff:
    """How long to wait before a part that died is started again, in seconds.

    Attributes
    ----------
    first, factor, most : float
        The first wait, how it grows with each failure in a row, and where it ends.
    stable_after : float
        A part that ran this long counts as healthy: its next failure is the first again.
    """

    first: float = 0.2
    factor: float = 2.0
    most: float = 30.0
    stable_after: float = 30.0

    def delay(self, failures: int) -> float:
        """Return the wait after a number of failures in a row (1 or more)."""
        return min(self.most, self.first * self.factor ** min(failures - 1, 32))


class Supervisor:
    """Runs parts until a signal comes.

    Parameters
    ----------
    say : Callable[[str], None]
        Takes one line for the user.
    back_off : BackOff
        How restarts are spaced.
    """

    def __init__(self, say: Callable[[str], None], back_off: BackOff | None = None) -> None:
        self._say = say
        self._back_off = back_off or BackOff()
        self._parts: list[Part] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._force = asyncio.Event()
        self._body: asyncio.Task[object] | None = None
        self._interrupted = False
        self._leaving = False

    async def __aenter__(self) -> Self:
        self._body = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in _signals():
            # Also where the shell had SIGINT ignored for a command in the background: whoever sends it means us.
            loop.add_signal_handler(number, self._on_signal)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._leaving = True
        try:
            await self._stop_all()
        finally:
            loop = asyncio.get_running_loop()
            for number in _signals():
                loop.remove_signal_handler(number)
        if self._interrupted and isinstance(error, asyncio.CancelledError) and self._body is not None:
            return self._body.uncancel() == 0
        return False

    async def start(self, part: Part) -> None:
        """Start a part, wait until it is ready, and from then on start it again whenever it ends.

        Raises
        ------
        PartError
            It did not get ready.
        """
        began = time.monotonic()
        self._parts.append(part)
        await part.start()
        self._watchers.append(asyncio.create_task(self._watch(part), name=f"watch {part.name}"))
        self._say(f"{part.name} is ready ({time.monotonic() - began:.1f} s)")

    async def forget(self, part: Part) -> None:
        """Stop a part that did not start, and know nothing of it any more."""
        await part.stop(self._force)
        self._parts.remove(part)

    async def until_stopped(self) -> None:
        """Wait for the signal that ends everything."""
        await asyncio.Event().wait()

    def _on_signal(self) -> None:
        if self._interrupted or self._leaving:
            self._say("Killing what still runs …")
            self._force.set()
            return
        self._interrupted = True
        self._say("Stopping … (once more to kill)")
        if self._body is not None:
            self._body.cancel()

    async def _watch(self, part: Part) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            how = await part.wait()
            failures = 1 if time.monotonic() - began >= self._back_off.stable_after else failures + 1
            while True:
                delay = self._back_off.delay(failures)
                self._say(f"{part.name} {how}; starting it again in {delay:.1f} s")
                await asyncio.sleep(delay)
                try:
                    await part.start()
                except PartError as error:
                    self._say(str(error))
                    how = "did not start"
                    failures += 1
                else:
                    self._say(f"{part.name} runs again")
                    break

    async def _stop_all(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for part in reversed(self._parts):
            try:
                await part.stop(self._force)
            except Exception as error:  # noqa: BLE001 - the others must be stopped all the same
                self._say(f"{part.name} could not be stopped: {error}")


def _signals() -> list[signal.Signals]:
    """Return the signals that stop us; a hang-up only where it is not ignored on purpose (``nohup``)."""
    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        wanted.append(signal.SIGHUP)
    return wanted
