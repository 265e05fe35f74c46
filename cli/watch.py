"""Follow a job from wherever it stands to its end, as its events arrive."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg

from cli.failure import MissingError
from domain.job_events import JobCancelled, JobEvent, JobFinished
from eventstore.errors import DatabaseUnavailableError
from eventstore.output import OutputChunk, read_output
from eventstore.store import EventStore

CATEGORIES = frozenset({"job", "output"})

INTERRUPTED = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    DatabaseUnavailableError,
)
"""What reading raises while the database is away for a moment."""


class Away:
    """The database is away; the job goes on, and so does following it."""


CHECKED_EVERY = 0.5
"""Seconds after which it is looked whether who follows may still do so."""


async def follow(
    store: EventStore, job_id: int, still: Callable[[EventStore, int], Awaitable[None]] | None = None
) -> AsyncIterator[JobEvent | OutputChunk | Away]:
    """Yield the events of a job and the chunks of its output, in their order, until the job has ended.

    Parameters
    ----------
    still : Callable or None
        Raises if who follows the job may no longer see what is of its company; looked at before anything more is
        shown, and while there is nothing to show.

    Raises
    ------
    MissingError
        There is no such job.
    """
    checked = time.monotonic()
    company_id: int | None = None
    wake = store.listener.register(CATEGORIES)
    store.listener.start()
    place = Place(store, job_id)
    try:
        while not place.ended:
            try:
                async for seen in place.read():
                    company_id = seen.company_id if isinstance(seen, JobEvent) else company_id
                    if still and company_id is not None and time.monotonic() - checked >= CHECKED_EVERY:
                        await still(store, company_id)
                        checked = time.monotonic()
                    yield seen
                due = time.monotonic() - checked >= CHECKED_EVERY
                if still and company_id is not None and due and not place.ended:
                    await still(store, company_id)
                    checked = time.monotonic()
            except INTERRUPTED:
                yield Away()
            else:
                if not place.job_version:
                    raise MissingError(f"There is no job {job_id}. `multiflexi-cli job:list` shows those there are.")
            if not place.ended:
                await store.listener.wait(wake)  # at most a second: it polls, too
    finally:
        store.listener.forget(wake)


class Place:
    """How far a job was followed."""

    def __init__(self, store: EventStore, job_id: int) -> None:
        self.store = store
        self.job_id = job_id
        self.job_version = 0
        self.output_version = 0
        self.ended = False

    async def read(self) -> AsyncIterator[JobEvent | OutputChunk]:
        """Yield what there is behind this place. The end of the job comes last, after all output."""
        last: JobEvent | None = None
        async for recorded in self.store.read_stream(f"job-{self.job_id}", start=self.job_version + 1):
            event = recorded.event
            if not isinstance(event, JobEvent):
                continue
            if isinstance(event, JobFinished | JobCancelled):
                last = event
                break
            self.job_version = recorded.version
            yield event
        async for chunk in read_output(self.store, self.job_id, after_version=self.output_version):
            self.output_version = chunk.version
            yield chunk
        if last is not None:
            self.ended = True
            yield last
