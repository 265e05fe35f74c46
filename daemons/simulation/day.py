"""A day of hourly probes of many servers: real templates, scheduler, claims, tasks and retries, in virtual time.

The clock is set on from one moment at which something happens to the next. At each, what has ended is settled, what is
due is scheduled, tasks whose window has passed end, and what may start is claimed: each by the code that does it in the
daemons.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from commands import queue
from commands.actor import SYSTEM
from commands.shell import Shell
from daemons.expiry import end_expired_tasks
from daemons.job_run import JobRun
from daemons.recorder import Recorder
from daemons.scheduler import schedule_due
from daemons.simulation.executor import SimulatedExecutor, VirtualClock
from daemons.simulation.script import ATTEMPTS, DEADLINE, GAP, Script, name
from daemons.surroundings import Surroundings
from daemons.work_folder import WorkFolders
from domain.application import ImportApplication
from domain.company import CreateCompany
from domain.run_template import CreateRunTemplate, DeactivateRunTemplate
from eventstore.store import EventStore
from projections.queries import query

HOUR = timedelta(hours=1)
PLACES = 10_000
"""Jobs that may run at once: each server is a host of its own."""

CLAIM = "SELECT * FROM claim_jobs($1, 'simulation', ARRAY['Native'], $2, 600, $3, $4)"
NEXT_START = """
    SELECT min(q.not_before) FROM job_queue q WHERE q.state = 'queued' AND q.company_id = $1 AND q.not_before > $2
"""
WINDOWS = "SELECT t.id, t.window_start FROM task t WHERE t.id = ANY ($1::integer[])"

DEFINITION: dict[str, Any] = {
    "uuid": "b0f5f3a4-7d0c-4c1b-9c3e-3b1f0a6d2e20",
    "name": {"en": "Simulated server probe", "cs": "Sonda simulovaného serveru"},
    "description": {"en": "Asks a server that is not there", "cs": "Ptá se serveru, který neexistuje"},
    "version": "1.0",
    "executable": "echo",
    "cmdparams": "{SERVER} is simulated",
    "environment": {"SERVER": {"type": "string", "description": "Name of the server", "required": True}},
}


class Made(msgspec.Struct, frozen=True):
    """What the day is about: the company, the moment at which it begins, the template of each server."""

    company_id: int
    start: datetime
    templates: list[int]


class Simulation:
    """One day.

    Parameters
    ----------
    store : EventStore
        Role ``owner``, with the inline projections; nobody else schedules or executes.
    script : Script
        What happens.
    start : datetime
        When the day begins, at a whole hour.
    progress : Callable
        Told how many hours are over.
    """

    def __init__(
        self, store: EventStore, script: Script, start: datetime, progress: Callable[[int], None] = lambda _hours: None
    ) -> None:
        self._store = store
        self._script = script
        self._start = start
        self._progress = progress
        self._clock = VirtualClock(start - HOUR)
        self._executor = SimulatedExecutor(self._clock)
        self._daemon = f"simulation@virtual:{os.getpid()}"
        self._running: dict[int, asyncio.Task[None]] = {}
        self._servers: dict[int, int] = {}
        self._shell = Shell(store, clock=self._clock.now)

    async def run(self, company: CreateCompany) -> Made:
        """Set the company up, live through the day, and leave templates that are not due any more."""
        made = await self._set_up(company)
        recorder = Recorder(self._store, self._daemon)
        surroundings = Surroundings(self._store, recorder, {}, clock=self._clock)
        with TemporaryDirectory(prefix="multiflexi-simulation-") as folder:
            surroundings.folders = WorkFolders(Path(folder))
            writing = asyncio.create_task(recorder.run())
            try:
                await self._live(made, surroundings)
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                await recorder.close()
        await queue.truncate(self._shell, SYSTEM, company_id=made.company_id, reason="The simulated day is over.")
        return made

    async def _set_up(self, company: CreateCompany) -> Made:
        self._clock.set(self._start - timedelta(seconds=1))
        company_id = (await self._shell.execute(company, SYSTEM, source="demo")).id
        application = (await self._shell.execute(ImportApplication(definition=DEFINITION), SYSTEM, source="demo")).id
        templates = [
            CreateRunTemplate(
                company_id=company_id,
                application_id=application,
                name=name(server),
                interval="h",
                time_zone="UTC",
                environment={"SERVER": name(server)},
                labels=[name(server)],
                deadline_offset=f"+{DEADLINE}s",
                allow_late=True,
                max_attempts=ATTEMPTS,
                retry_backoff="fixed",
                retry_min_gap=GAP,
                overlap_policy="allow",
                missed_policy="skip",
            )
            for server in range(self._script.servers)
        ]
        ids = [(await self._shell.execute(template, SYSTEM, source="demo")).id for template in templates]
        self._servers = {template: server for server, template in enumerate(ids)}
        return Made(company_id, self._start, ids)

    async def _live(self, made: Made, surroundings: Surroundings) -> None:
        end = self._start + self._script.hours * HOUR
        self._clock.set(self._start)
        while self._clock.now() < end:
            await self._settled()
            if self._is_scheduling():
                await self._schedule()
            await self._claim(surroundings)
            await self._forward(made)
        for template in made.templates:
            # At the last moment of the day the next window would begin.
            await self._shell.execute(DeactivateRunTemplate(run_template_id=template), SYSTEM, source="demo")
        await self._settled()
        await self._schedule()
        self._progress(self._script.hours)

    def _is_scheduling(self) -> bool:
        """Whether the scheduler is there: away from ten minutes before the hour of its outage to 20 minutes after."""
        outage = self._start + self._script.outage_hour * HOUR
        return not (
            self._script.outage_hour >= 0 and outage - timedelta(minutes=10) <= self._clock.now() < self._back()
        )

    def _back(self) -> datetime:
        return self._start + self._script.outage_hour * HOUR + timedelta(minutes=20)

    async def _schedule(self) -> None:
        now = self._clock.now()
        while await schedule_due(self._store, now) + await end_expired_tasks(self._store, now):
            pass

    async def _claim(self, surroundings: Surroundings) -> None:
        """Start all jobs that may start, and wait until they run."""
        hour = int((self._clock.now() - self._start) / HOUR)
        labels = self._script.names_up(hour)
        rows = await self._store.pool.fetch(CLAIM, self._daemon, PLACES, labels, self._clock.now())
        if not rows:
            return
        windows = await self._store.pool.fetch(WINDOWS, [row["task_id"] for row in rows])
        hours = {row["id"]: int((row["window_start"] - self._start) / HOUR) for row in windows}
        starting: list[asyncio.Task[Any]] = []
        for row in rows:
            server = self._servers[row["run_template_id"]]
            look = self._script.look(server, hours[row["task_id"]], row["attempt"])
            reached = self._executor.expect(row["job_id"], look)
            job = JobRun(surroundings, self._executor, dict(row), lambda: None)
            self._running[job.job_id] = running = asyncio.create_task(job.perform())
            starting.append(asyncio.create_task(_until(reached, running)))
        await asyncio.gather(*starting)

    async def _settled(self) -> None:
        """Wait until the ends of all jobs whose time is over are written."""
        # Those that still wait for a moment are as many as there are moments waited for.
        while len(self._running) > self._clock.waiting():
            done, _ = await asyncio.wait(self._running.values(), return_when=asyncio.FIRST_COMPLETED)
            self._running = {job: task for job, task in self._running.items() if task not in done}
            for task in done:
                task.result()

    async def _forward(self, made: Made) -> None:
        """Set the clock to the next moment at which something happens."""
        now = self._clock.now()
        hour = int((now - self._start) / HOUR) + 1
        retry = await self._store.pool.fetchval(NEXT_START, made.company_id, now)
        moments = [self._start + hour * HOUR, self._clock.next(), retry, self._back()]
        following = min(moment for moment in moments if moment is not None and moment > now)
        if following >= self._start + hour * HOUR:
            self._progress(hour)
        self._clock.set(following.astimezone(UTC))


async def _until(reached: asyncio.Event, running: asyncio.Task[None]) -> None:
    """Wait until a job runs; raise what went wrong if it ends before."""
    waiting = asyncio.create_task(reached.wait())
    await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if running.done():
        running.result()


async def report(store: EventStore, made: Made, hours: int) -> list[dict[str, Any]]:
    """Return what became of the tasks of the day, for each server."""
    rows = await store.pool.fetch(query("task.report"), made.company_id, made.start, made.start + hours * HOUR)
    return [dict(row) for row in rows]
