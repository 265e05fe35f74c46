"""The executor: claims queued jobs and runs them, many at once.

Woken when jobs are queued; a claim takes as many as there are free places, in one statement.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime

import asyncpg
import structlog

from daemons.executors.interface import Executor
from daemons.executors.native import NativeExecutor
from daemons.job_run import JobRun
from daemons.leases import LEASE, RENEW_EVERY, renew, settle_lost
from daemons.runtime import RETRY_AFTER, Daemon, run
from eventstore.connection import DATABASE_ERRORS
from eventstore.listener import POLL
from eventstore.store import EventStore

CLAIM = "SELECT * FROM claim_jobs($1, $2, $3, $4, $5)"
NEXT_START = "SELECT min(q.not_before) FROM job_queue q WHERE q.state = 'queued' AND q.executor = ANY ($1)"

GRACE = 5.0
"""Seconds that running jobs have to end by themselves when the executor stops, and then again to answer TERM."""

log = structlog.get_logger(__name__)


def places() -> int:
    """Return how many jobs run at once: ``MULTIFLEXI_MAX_PARALLEL``, or four for each core."""
    return int(os.environ.get("MULTIFLEXI_MAX_PARALLEL") or 4 * (os.cpu_count() or 1))


class Claimer:
    """Keeps all places busy.

    Parameters
    ----------
    store : EventStore
        Role ``daemon``.
    daemon : Daemon
        Whose leases they are.
    executors : list[Executor]
        Ways to run jobs that this host offers.
    limit : int
        How many jobs run at once.
    """

    def __init__(self, store: EventStore, daemon: Daemon, executors: list[Executor], limit: int) -> None:
        self._store = store
        self._daemon = daemon
        self._executors = {executor.name: executor for executor in executors}
        self._limit = limit
        self.running: dict[int, tuple[JobRun, asyncio.Task[None]]] = {}
        self._wake = store.listener.register(frozenset({"job"}))

    def wake(self) -> None:
        """Look for jobs now."""
        self._wake.set()

    async def run(self) -> None:
        """Claim and run until the daemon is to stop."""
        while not self._daemon.stopping.is_set():
            try:
                claimed = await self.claim()
                wait = POLL if claimed else await self._until_next()
            except asyncpg.SerializationError:
                continue
            except DATABASE_ERRORS as error:
                log.warning("nothing claimed; the database is away", error=str(error))
                await self._daemon.pause(RETRY_AFTER)
                continue
            if not claimed or len(self.running) >= self._limit:
                await self._store.listener.wait(self._wake, wait)

    async def claim(self) -> int:
        """Claim as many jobs as there are places; return how many."""
        free = self._limit - len(self.running)
        if free <= 0:
            return 0
        rows = await self._store.pool.fetch(
            CLAIM, self._daemon.id, self._daemon.host, list(self._executors), free, LEASE
        )
        for row in rows:
            job = JobRun(self._store, self._daemon.id, self._executors["Native"], dict(row))
            task = asyncio.create_task(job.perform(), name=f"job {job.job_id}")
            self.running[job.job_id] = (job, task)
            task.add_done_callback(lambda done, job_id=job.job_id: self._ended(job_id, done))
        self._daemon.detail["running"] = len(self.running)
        if rows:
            self._store.notifier.notify({"job"})
        return len(rows)

    def _ended(self, job_id: int, task: asyncio.Task[None]) -> None:
        self.running.pop(job_id, None)
        self._daemon.detail["running"] = len(self.running)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a job could not be settled; its lease will run out", job=job_id, error=repr(error))

    async def _until_next(self) -> float:
        """Return the seconds until a queued job may start, at most the poll."""
        earliest = await self._store.pool.fetchval(NEXT_START, list(self._executors))
        if earliest is None or len(self.running) >= self._limit:
            return POLL
        return min(POLL, max(0.001, (earliest - datetime.now(UTC)).total_seconds()))

    async def keep_leases(self) -> None:
        """Renew leases, end what was lost, settle what others lost, until all jobs have ended."""
        while not self._daemon.stopping.is_set() or self.running:
            try:
                for job_id in await renew(self._store, self._daemon, list(self.running)):
                    if job_id in self.running:
                        await self.running[job_id][0].fence()
                await settle_lost(self._store, self._daemon)
            except DATABASE_ERRORS as error:
                log.warning("leases not renewed; the database is away", error=str(error))
            if self._daemon.stopping.is_set():
                await asyncio.sleep(0.1)
            else:
                await self._daemon.pause(RENEW_EVERY)

    async def drain(self) -> None:
        """Let running jobs end; after the grace end them, and wait until all are settled."""
        tasks = [task for _, task in self.running.values()]
        if not tasks:
            return
        log.info("waiting for running jobs", jobs=len(tasks))
        await asyncio.wait(tasks, timeout=GRACE)
        stops = [
            job.stop("killed", "The executor was stopped.", GRACE)
            for job, task in self.running.values()
            if not task.done()
        ]
        await asyncio.gather(*stops)
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE)


async def work(store: EventStore, daemon: Daemon) -> None:
    """Run jobs until the daemon is to stop, then drain."""
    store.listener.start()
    claimer = Claimer(store, daemon, [NativeExecutor()], places())
    async with asyncio.TaskGroup() as group:
        group.create_task(claimer.keep_leases())
        stop = group.create_task(daemon.stopping.wait())
        stop.add_done_callback(lambda _: claimer.wake())
        await claimer.run()
        await claimer.drain()


if __name__ == "__main__":
    sys.exit(run("executor", work))
