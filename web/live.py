"""Live pages: one subscription to the log for the whole process, and watchers that are woken by it.

A watcher is only told *that* something changed. It then reads what it shows as it is now, so a slow client skips what
lay between, and nothing queues up for it. Changes are told at most :data:`PER_SECOND` times a second, and only after
the read models have caught up with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import structlog

from eventstore.log import Cursor
from eventstore.store import EventStore
from eventstore.subscription import Subscription
from web.database import AWAY, Database
from web.errors import UnavailableError
from web.queries import query

PER_SECOND = 4
"""Most updates a second that a page gets."""

BEAT = 5.0
"""Seconds after which pages look again though no event came: daemons' signs of life are not events."""

CATCH_UP = 1.0
"""Seconds after which a change is told although the read models have not caught up."""

CATEGORIES = ("job", "task", "run_template", "company", "application", "system")
SHOWN = ("job_history", "dashboard")
"""Asynchronous read models that live pages show."""

MANY = 256
"""Changed jobs from which on every watcher is woken."""

log = structlog.get_logger(__name__)


class Watcher:
    """One live page that is open somewhere.

    Attributes
    ----------
    job_id : int or None
        The job it shows; None: all of them.
    woken : asyncio.Event
        Set when something happened.
    stale : bool
        Whether what happened was more than output. The page sets it back when it has looked.
    """

    def __init__(self, hub: Hub, job_id: int | None) -> None:
        self._hub = hub
        self.job_id = job_id
        self.woken = asyncio.Event()
        self.stale = True

    @property
    def version(self) -> int:
        """Number of the newest update of all pages."""
        return self._hub.version

    @property
    def ended(self) -> bool:
        """Whether the program is stopping: the page's stream must end."""
        return self._hub.closing

    async def wait(self, timeout: float) -> None:
        """Wait until something happened, or some seconds are over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self.woken.wait()
        self.woken.clear()

    def tell(self) -> None:
        """Wake it, as more than output happened."""
        self.stale = True
        self.woken.set()


class Hub:
    """Follows the log and wakes the watchers.

    Parameters
    ----------
    database : Database
        What is followed; it need not be there yet.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers: set[Watcher] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._changed: set[int] = set()
        self._newest: Cursor | None = None
        self._something = asyncio.Event()
        self.version = 0
        self.closing = False

    async def __aenter__(self) -> Hub:
        for work in (self._follow, self._tell, self._forward_output):
            self._tasks.append(asyncio.create_task(self._for_ever(work), name=work.__name__))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """End all streams; they notice at once."""
        self.closing = True
        for watcher in self._watchers:
            watcher.woken.set()

    @contextmanager
    def watch(self, job_id: int | None = None) -> Iterator[Watcher]:
        """Register a live page.

        Parameters
        ----------
        job_id : int or None
            The job it shows, with its output; None: it shows all of them.
        """
        watcher = Watcher(self, job_id)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    @property
    def watching(self) -> int:
        """How many live pages are open."""
        return len(self._watchers)

    async def _for_ever(self, work: Callable[[EventStore], Awaitable[None]]) -> None:
        await self._database.opened.wait()
        while True:
            try:
                await work(self._database.store)
            except (*AWAY, UnavailableError) as error:
                log.warning("live updates were interrupted; going on", error=str(error))
                await asyncio.sleep(1)

    async def _follow(self, store: EventStore) -> None:
        async with store.subscribe(await store.end_of_log(), categories=CATEGORIES) as subscription:
            async for changed, cursor in _changes(subscription):
                self._changed |= changed
                self._newest = cursor
                self._something.set()

    async def _tell(self, store: EventStore) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT):
                    await self._something.wait()
            newest, changed = self._newest, self._changed
            beat = not self._something.is_set()
            self._something.clear()
            self._changed = set()
            looked_for = newest if self._watchers and not beat else None
            if looked_for is not None and not await self._caught_up(store, looked_for):
                # Told now with what the inline read models know, and once more when the others are there.
                self._changed |= changed
                self._something.set()
            self._wake(None if beat or len(changed) > MANY else changed)
            await asyncio.sleep(1 / PER_SECOND)

    async def _caught_up(self, store: EventStore, cursor: Cursor) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP):
                pause = 0.005
                while not await store.pool.fetchval(query("live.passed"), list(SHOWN), *cursor):
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 0.1)
                return True
        return False

    async def _forward_output(self, store: EventStore) -> None:
        store.listener.start()
        heard = store.listener.register(frozenset({"output"}))
        try:
            while True:
                await store.listener.wait(heard)
                for watcher in self._watchers:
                    if watcher.job_id is not None:
                        watcher.woken.set()
                await asyncio.sleep(1 / PER_SECOND / 2)
        finally:
            store.listener.forget(heard)

    def _wake(self, changed: set[int] | None) -> None:
        self.version += 1
        for watcher in self._watchers:
            if changed is None or watcher.job_id is None or watcher.job_id in changed:
                watcher.tell()


async def _changes(subscription: Subscription) -> AsyncIterator[tuple[set[int], Cursor]]:
    """Yield the ids of jobs that changed, and the place up to which they were looked at."""
    async for batch in subscription:
        jobs = {int(each.stream.partition("-")[2]) for each in batch if each.stream.startswith("job-")}
        yield jobs, batch[-1].cursor


class Snapshots:
    """What live pages show, made once for all viewers that see the same.

    Parameters
    ----------
    keep : int
        How many different ones are kept.
    """

    def __init__(self, keep: int = 64) -> None:
        self._keep = keep
        self._made: dict[object, tuple[int, asyncio.Task[dict[str, str]]]] = {}

    async def get(self, key: object, version: int, make: Callable[[], Awaitable[dict[str, str]]]) -> dict[str, str]:
        """Return the snapshot of a version, made by whoever asks first.

        Parameters
        ----------
        key : object
            What the viewers have in common.
        version : int
            Version of the hub.
        make : Callable[[], Awaitable[dict[str, str]]]
            Makes the parts of the page.
        """
        made = self._made.get(key)
        if made is None or made[0] != version or _failed(made[1]):
            task = asyncio.ensure_future(_await(make))
            self._made.pop(key, None)
            self._made[key] = (version, task)
            while len(self._made) > self._keep:
                self._made.pop(next(iter(self._made)))
        else:
            task = made[1]
        return await asyncio.shield(task)


def _failed(task: asyncio.Task[dict[str, str]]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


async def _await(make: Callable[[], Awaitable[dict[str, str]]]) -> dict[str, str]:
    return await make()
