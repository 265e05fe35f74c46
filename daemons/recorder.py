"""Writes what the jobs of an executor have to say: events of many jobs together, and the state of their leases.

One transaction is under way at a time; what comes meanwhile goes into the next, so the busier the executor, the larger
its commits. While the database is away everything waits, and is appended when it is back, once: every append expects
the versions that its streams had, so one whose outcome was not known is found in the log instead of being repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import msgspec
import structlog

from domain.job_events import JobCancelRequested, JobFinished
from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import ConcurrencyError, DatabaseUnavailableError, EventStoreError
from eventstore.log import Append, Meta
from eventstore.store import EventStore

META = Meta(actor="daemon:executor", source="executor")

RETRY_AFTER = 0.5
"""Seconds after which a database that was away is tried again."""

MOST_ENTRIES = 512
MOST_BYTES = 16 * 1024 * 1024
"""Most appends, and bytes of output, in one transaction."""

STATE_EVERY = 0.1
"""Seconds between writing processes of leases and dropping leases of jobs that ended."""

TURNS = 20
"""How often an append is tried whose other streams (a task's) move under it."""

SET_PROCESSES = """
    UPDATE job_leases l SET pid = p.pid, pid_start = p.pid_start, command = p.command::jsonb
      FROM unnest($2::integer[], $3::integer[], $4::bigint[], $5::text[]) AS p (job_id, pid, pid_start, command)
     WHERE l.job_id = p.job_id AND l.daemon_id = $1
"""
DROP_LEASES = "DELETE FROM job_leases WHERE daemon_id = $1 AND job_id = ANY ($2::integer[])"
HEAD = "SELECT version FROM streams WHERE stream = $1"

Build = Callable[[], Awaitable[list[Append]]]
"""Returns the appends of a record, by the versions known at that moment."""

log = structlog.get_logger(__name__)


class FencedError(Exception):
    """Somebody else has settled the job meanwhile: nothing more may be written."""


class Hold:
    """An executor's hold on a job: the version of its stream that it knows.

    Parameters
    ----------
    job_id, company_id, version : int
        The job, and the version of its stream when it was claimed.
    cancelled : Callable
        Told when somebody wants the job ended.
    """

    __slots__ = ("cancelled", "company_id", "fenced", "job_id", "version")

    def __init__(
        self, job_id: int, company_id: int, version: int, cancelled: Callable[[JobCancelRequested], None]
    ) -> None:
        self.job_id = job_id
        self.company_id = company_id
        self.version = version
        self.cancelled = cancelled
        self.fenced = False

    @property
    def stream(self) -> str:
        """The job's stream."""
        return f"job-{self.job_id}"

    def guard(self) -> Append:
        """Return an append of nothing that holds only while the job is still ours."""
        return Append(stream=self.stream, company_id=self.company_id, expected=self.version)


class Record:
    """What is to be appended for a job; built anew for each attempt."""

    __slots__ = ("build", "finished", "future", "hold", "reads", "size")

    def __init__(self, hold: Hold, build: Build, size: int, finished: JobFinished | None) -> None:
        self.hold = hold
        self.build = build
        self.size = size
        self.finished = finished
        self.reads = finished is not None and finished.task_id is not None
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Recorder:
    """Appends for all jobs of one executor.

    Parameters
    ----------
    store : EventStore
        Role ``executor``.
    daemon_id : str
        Whose leases they are.
    """

    def __init__(self, store: EventStore, daemon_id: str) -> None:
        self.store = store
        self.daemon_id = daemon_id
        self._waiting: list[Record] = []
        self._filled = asyncio.Event()
        self._ended: list[int] = []
        self._started: dict[int, tuple[int | None, Callable[[], int | None], list[str]]] = {}
        self._changed = asyncio.Event()

    async def append(self, hold: Hold, build: Build, size: int = 0, finished: JobFinished | None = None) -> None:
        """Append for a job, once, however long it takes.

        Parameters
        ----------
        hold : Hold
            The job.
        build : Callable
            Returns the appends, by the versions known at that moment.
        size : int
            Bytes of output in it.
        finished : JobFinished or None
            The end of the job, if it is in it.

        Raises
        ------
        FencedError
            The job is another's by now.
        EventStoreError
            The database refused it for good.
        """
        if hold.fenced:
            raise FencedError
        record = Record(hold, build, size, finished)
        self._waiting.append(record)
        self._filled.set()
        await record.future
        if finished is not None:
            self._started.pop(hold.job_id, None)
            self._ended.append(hold.job_id)
            self._changed.set()

    def note_process(
        self, job_id: int, pid: int | None, pid_start: Callable[[], int | None], command: list[str]
    ) -> None:
        """Have the process of a job, and when it started, written to its lease, if it runs for longer than a moment."""
        self._started[job_id] = (pid, pid_start, command)
        self._changed.set()

    async def run(self) -> None:
        """Append what comes, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_state())
            while True:
                await self._filled.wait()
                await self._commit(self._next())

    async def close(self) -> None:
        """Drop the leases of the jobs that ended; what is left runs out."""
        with suppress(*DATABASE_ERRORS):
            await self._write_state()

    def _next(self) -> list[Record]:
        """Take what goes into the next transaction: no job twice."""
        taken: list[Record] = []
        later: list[Record] = []
        jobs: set[int] = set()
        size = 0
        for record in self._waiting:
            if (
                record.hold.job_id in jobs
                or len(taken) >= MOST_ENTRIES // 2
                or (taken and size + record.size > MOST_BYTES)
            ):
                later.append(record)
            else:
                taken.append(record)
                size += record.size
            jobs.add(record.hold.job_id)
        self._waiting = later
        if not later:
            self._filled.clear()
        return taken

    async def _commit(self, records: list[Record]) -> None:
        living = [record for record in records if not self._is_fenced(record)]
        if len(living) > 1 and await self._commit_together(living):
            for record in living:
                record.future.set_result(None)
        else:
            await asyncio.gather(*(self._commit_one(record) for record in living))

    async def _commit_together(self, records: list[Record]) -> bool:
        """Append for many jobs at once; return False if that was refused: each by itself says why."""
        try:
            if any(record.reads for record in records):
                built = await asyncio.gather(*(record.build() for record in records))
            else:
                built = [await record.build() for record in records]
            appends = [append for part in built for append in part]
            if len({append.stream for append in appends}) < len(appends):
                return False
            await self.store.append_all(appends, meta=META)
        except (EventStoreError, *DATABASE_ERRORS) as error:
            log.debug("not appended together", error=str(error))
            return False
        return True

    def _is_fenced(self, record: Record) -> bool:
        if record.hold.fenced and not record.future.done():
            record.future.set_exception(FencedError())
        return record.hold.fenced

    async def _commit_one(self, record: Record) -> None:
        turns = 0
        while not self._is_fenced(record):
            try:
                await self.store.append_all(await record.build(), meta=META)
                record.future.set_result(None)
                return
            except ConcurrencyError as error:
                turns += 1
                if turns > TURNS:
                    record.future.set_exception(error)
                    return
                with suppress(DatabaseUnavailableError, *DATABASE_ERRORS):
                    if await self._is_written(record):
                        record.future.set_result(None)
                        return
            except (DatabaseUnavailableError, *DATABASE_ERRORS) as error:
                log.warning("the database is away; jobs run on", job=record.hold.job_id, error=str(error))
                await asyncio.sleep(RETRY_AFTER)
            except EventStoreError as error:
                log.error("the job's events were refused", job=record.hold.job_id, error=str(error))
                record.future.set_exception(error)
                return

    async def _is_written(self, record: Record) -> bool:
        """Look why a stream is not where it was expected; return whether it is what we append that is there."""
        hold = record.hold
        async for recorded in self.store.read_stream(hold.stream, start=hold.version + 1):
            event = recorded.event
            if isinstance(event, JobCancelRequested):
                hold.version = recorded.version
                hold.cancelled(event)
            elif record.finished is not None and event == record.finished:
                return True
            else:
                hold.fenced = True
                return False
        if record.finished is not None:
            return False  # all or nothing: without the end of the job, its last output is not there either
        for append in await record.build():
            if append.stream == f"output-{hold.job_id}":
                head = await self.store.pool.fetchval(HEAD, append.stream)
                return head == append.expected + len(append.events)
        return False

    async def look(self, holds: list[Hold]) -> None:
        """See whether somebody has appended to the streams of running jobs: a wish to end them, or their end."""
        rows = await self.store.pool.fetch(
            "SELECT stream, version FROM streams WHERE stream = ANY ($1)", [hold.stream for hold in holds]
        )
        versions: dict[str, int] = {row["stream"]: row["version"] for row in rows}
        for hold in holds:
            if versions.get(hold.stream, 0) > hold.version:
                async for recorded in self.store.read_stream(hold.stream, start=hold.version + 1):
                    if not isinstance(recorded.event, JobCancelRequested):
                        break
                    hold.version = max(hold.version, recorded.version)
                    hold.cancelled(recorded.event)

    async def _keep_state(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(STATE_EVERY)
            self._changed.clear()
            try:
                await self._write_state()
            except (asyncpg.PostgresError, *DATABASE_ERRORS) as error:
                log.warning("leases not updated; the database is away", error=str(error))
                await asyncio.sleep(RETRY_AFTER)
                self._changed.set()

    async def _write_state(self) -> None:
        if ended := self._ended[:]:
            await self.store.pool.execute(DROP_LEASES, self.daemon_id, ended)
            del self._ended[: len(ended)]
        if started := dict(self._started):
            pids, starts, commands = zip(*started.values(), strict=True)
            columns = [[start() for start in starts], [msgspec.json.encode(command).decode() for command in commands]]
            await self.store.pool.execute(SET_PROCESSES, self.daemon_id, list(started), list(pids), *columns)
            for job_id in started:
                self._started.pop(job_id, None)
