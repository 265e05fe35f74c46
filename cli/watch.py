"""Follow a job from wherever it stands to its end, as its events arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg

from cli.failure import MissingError
from domain.job_events import JobCancelled, JobEvent, JobFinished
from eventstore.output import OutputChunk, read_output
from eventstore.store import EventStore

CATEGORIES = frozenset({"job", "output"})

INTERRUPTED = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
)
"""What reading raises while the database is away for a moment."""


class Away:
    """The database is away; the job goes on, and so does following it."""


async def follow(store: EventStore, job_id: int) -> AsyncIterator[JobEvent | OutputChunk | Away]:
    """Yield the events of a job and the chunks of its output, in their order, until the job has ended.

    Raises
    ------
    MissingError
        There is no such job.
    """
    wake = store.listener.register(CATEGORIES)
    store.listener.start()
    place = Place(store, job_id)
    try:
        while not place.ended:
            try:
                async for seen in place.read():
                    yield seen
            except INTERRUPTED:
                yield Away()
            else:
                if not place.job_version:
                    raise MissingError(f"There is no job {job_id}. `multiflexi-cli job:list` shows those there are.")
            if not place.ended:
                await store.listener.wait(wake)
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
