"""Keeps an executor's places busy: claims jobs, starts them, ends those whose end is wanted.

A claim takes as many jobs as there are free places, in one statement. A place is free again when the process of its job
has ended; the end may still be on its way into the log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg
import structlog

from daemons import stuck_claim
from daemons.executors.interface import Executor
from daemons.job_run import JobRun
from daemons.leases import LEASE
from daemons.runtime import RETRY_AFTER, Daemon
from daemons.surroundings import Surroundings
from eventstore.connection import DATABASE_ERRORS, note_change
from eventstore.listener import POLL

CLAIM = "SELECT * FROM claim_jobs($1, $2, $3, $4, $5, $6)"
BRIEFLY = "SELECT set_config('lock_timeout', $1, false)"
NEXT_START = "SELECT min(q.not_before) FROM job_queue q WHERE q.state = 'queued' AND q.executor = ANY ($1)"

LOOK_EVERY = 0.25
"""Seconds between looking whether running jobs are to be ended, while there are notifications."""

PATIENCE, MOST_PATIENCE = 0.002, 0.02
"""Seconds, for each job of a claim and at most, for which an executor lets places become free, and more jobs be queued,
before it claims again: where there are many, larger claims cost less; where there are few, none waits for long."""

UNWRITTEN = 16
"""Ends that may wait to be written, for each place, before no more jobs are claimed."""

SETTLED_WITHIN = 10.0
"""Seconds in which the ends of jobs that were stopped are written; after that others settle them."""

log = structlog.get_logger(__name__)


class Claimer:
    """Keeps all places busy.

    Parameters
    ----------
    surroundings : Surroundings
        What the jobs share.
    daemon : Daemon
        Whose leases they are.
    executors : Sequence[Executor]
        Ways to run jobs that this host offers.
    limit : int
        How many jobs run at once.
    """

    def __init__(self, surroundings: Surroundings, daemon: Daemon, executors: Sequence[Executor], limit: int) -> None:
        self._around = surroundings
        self._store = surroundings.store
        self._daemon = daemon
        self._executors = {executor.name: executor for executor in executors}
        self._names = list(self._executors)
        self._limit = limit
        self._busy = 0
        self._patient_until = 0.0
        self._connection: Any = None
        daemon.detail |= {"executors": self._names, "labels": surroundings.labels, "places": limit}
        self.running: dict[int, tuple[JobRun, asyncio.Task[None]]] = {}
        self._wake = self._store.listener.register(
            frozenset({"job", "system", "company", "application", "run_template"})
        )
        self._look = self._store.listener.register(frozenset({"job"}))

    def wake(self) -> None:
        """Look for jobs now."""
        self._wake.set()
        self._look.set()

    async def run(self) -> None:
        """Claim and run until the daemon is to stop."""
        while not self._daemon.stopping.is_set():
            self._wake.clear()
            try:
                claimed = await self.claim()
                wait = POLL if claimed or self._is_full() else await self._until_next()
            except asyncpg.SerializationError:
                continue
            except asyncpg.LockNotAvailableError:
                await self._unblock()
                continue
            except DATABASE_ERRORS as error:
                log.warning("nothing claimed; the database is away", error=str(error))
                await self._daemon.pause(RETRY_AFTER)
                continue
            if not claimed or self._is_full():
                await self._store.listener.wait(self._wake, wait)
            await self._be_patient()

    async def _unblock(self) -> None:
        """See to it that claims go on, if the one that holds all others up cannot end."""
        try:
            await stuck_claim.end_stuck_claim(self._store)
        except DATABASE_ERRORS as error:
            log.warning("not known what claims wait for; the database is away", error=str(error))
            await self._daemon.pause(RETRY_AFTER)

    def _is_full(self) -> bool:
        return self._busy >= self._limit or len(self.running) >= self._limit * UNWRITTEN

    async def _be_patient(self) -> None:
        """Let more places become free, and more jobs be queued, if the last claim that found some was just now."""
        left = self._patient_until - time.monotonic()
        if left > 0:
            await asyncio.sleep(left)

    async def claim(self) -> int:
        """Claim as many jobs as there are places; return how many."""
        if self._is_full():
            return 0
        free = self._limit - self._busy
        rows = await self._fetch(
            CLAIM, self._daemon.id, self._daemon.host, self._names, free, LEASE, self._around.labels
        )
        if rows:
            self._patient_until = time.monotonic() + min(MOST_PATIENCE, PATIENCE * len(rows))
        for row in rows:
            self._start(row)
        self._daemon.detail["running"] = len(self.running)
        if rows:
            self._store.notifier.notify({"job"})
        return len(rows)

    async def _fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """Ask on a connection that is kept: giving one back to the pool costs another round trip."""
        try:
            if self._connection is None:
                self._connection = await self._store.pool.acquire()
                note_change(self._connection)
                await self._connection.execute(BRIEFLY, f"{stuck_claim.WAIT}s")
            return await self._connection.fetch(statement, *arguments)
        except (asyncpg.SerializationError, asyncpg.LockNotAvailableError):
            raise
        except DATABASE_ERRORS:
            await self.close()
            raise

    async def close(self) -> None:
        """Give the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*DATABASE_ERRORS):
                await self._store.pool.release(connection)

    def _start(self, row: asyncpg.Record) -> None:
        self._busy += 1
        job = JobRun(self._around, self._executors[row["executor"] or self._names[0]], dict(row), self._place_free)
        task = asyncio.create_task(job.perform(), name=f"job {job.job_id}")
        self.running[job.job_id] = (job, task)
        task.add_done_callback(lambda done, job=job: self._ended(job, done))

    def _place_free(self) -> None:
        self._busy -= 1
        self._wake.set()

    def _ended(self, job: JobRun, task: asyncio.Task[None]) -> None:
        self.running.pop(job.job_id, None)
        if not job.has_left_its_place:
            self._place_free()
        self._daemon.detail["running"] = len(self.running)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a job could not be settled; its lease will run out", job=job.job_id, error=repr(error))

    async def _until_next(self) -> float:
        """Return the seconds until a queued job may start, at most the poll."""
        earliest = (await self._fetch(NEXT_START, self._names))[0][0]
        if earliest is None:
            return POLL
        # One that is due and was not claimed waits for something else: a limit, a pause, a label.
        left = (earliest - datetime.now(UTC)).total_seconds()
        return POLL if left <= 0 else min(POLL, max(0.001, left))

    async def watch(self) -> None:
        """End running jobs whose end is wanted, until the executor stops and none runs."""
        while not self._daemon.stopping.is_set() or self.running:
            await self._store.listener.wait(self._look, POLL)
            holds = [job.hold for job, _ in self.running.values()]
            if holds:
                try:
                    await self._around.recorder.look(holds)
                except DATABASE_ERRORS as error:
                    log.warning("not known whether jobs are to be ended; the database is away", error=str(error))
            await asyncio.sleep(LOOK_EVERY)

    async def drain(self) -> None:
        """Let running jobs end; after a while ask them to, and wait until all are settled."""
        tasks = [task for _, task in self.running.values()]
        if not tasks:
            return
        log.info("waiting for running jobs", jobs=len(tasks))
        await asyncio.wait(tasks, timeout=self._around.drain)
        for job, _ in list(self.running.values()):
            job.stop("killed", "The executor was stopped.", self._around.drain)
        await asyncio.wait(tasks, timeout=self._around.drain + SETTLED_WITHIN)
