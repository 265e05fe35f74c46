"""The life of one job in an executor: prepare, start, capture, collect, finish.

The last output and JobFinished are appended together. While the database is away the job runs on; its output is kept up
to a bound, reading pauses beyond it, and all is appended when the database is back.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from commands.credential_opening import NONE, Opened
from commands.job_environment import Plan, PlanError
from daemons import work_folder
from daemons.artifacts import NO_FILES, Collected, collect
from daemons.environments import opened
from daemons.executors.interface import Ended, Executor, Launch, Run, StartError
from daemons.executors.process_tree import start_time
from daemons.job_credentials import CredentialError, credentials_of
from daemons.job_output import CHUNK, EMPTY, LIMIT, OutputBuffer, Piece
from daemons.limits import Limits, limits_in
from daemons.outcomes import FAILURE, outcome_of
from daemons.recorder import FencedError, Hold
from daemons.settling import settle_appends
from daemons.surroundings import Surroundings
from domain.job_events import JobCancelRequested, JobFinished
from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import DatabaseUnavailableError
from eventstore.keyring import DataKey
from eventstore.log import Append
from eventstore.output import key_owner

RETRY_AFTER = 0.5
"""Seconds after which a database that was away is asked again."""

LAST_GRACE = 0.15
"""Seconds between TERM and KILL at the end of a job's wall time, and when it was taken over."""

NOTHING = OutputBuffer(0, 0, ())
"""Output of a job that has not been started."""

log = structlog.get_logger(__name__)


def token_of(job_id: int, daemon_id: str, version: int) -> str:
    """Return the mark of a job's processes, which whoever takes the job over can work out from its lease."""
    return hashlib.sha256(f"{daemon_id}|{job_id}|{version}".encode()).hexdigest()[:32]


class JobRun:
    """Runs one claimed job to its end.

    Parameters
    ----------
    surroundings : Surroundings
        What the jobs of an executor share.
    executor : Executor
        How it is run.
    job : dict[str, Any]
        A row of ``claim_jobs``.
    place_free : Callable
        Called when its process has ended, while its end may still have to be written.
    """

    def __init__(
        self, surroundings: Surroundings, executor: Executor, job: dict[str, Any], place_free: Callable[[], None]
    ) -> None:
        self._around = surroundings
        self._executor = executor
        self._place_free = place_free
        self.job = job
        self.job_id: int = job["job_id"]
        self.company_id: int = job["company_id"]
        self.hold = Hold(self.job_id, self.company_id, job["version"], self._cancel_requested)
        self._token = token_of(self.job_id, surroundings.recorder.daemon_id, job["version"])
        self._limits: Limits = limits_in(self.job.get("limits"))
        self._buffer = NOTHING
        self._run: Run | None = None
        self._began = surroundings.clock.seconds()
        self._seconds = 0.0
        self._told: tuple[str, str] | None = None
        self._grace = surroundings.grace
        self._plan: Plan | None = None
        self._writing: asyncio.Task[None] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._closing = False
        self.has_left_its_place = False
        self._stops: set[asyncio.Task[None]] = set()

    async def perform(self) -> None:
        """Run the job; whatever goes wrong ends it as such."""
        folder: str | None = None
        try:
            try:
                folder = self._around.folders.make(self.job_id, self._token)
            except OSError as error:
                ended = Ended(exit_code=255, reason=work_folder.refusal(error, self._around.folders.place))
            else:
                ended = await self._run_in(folder)
            self._seconds = self._around.clock.seconds() - self._began
            self._leave_place()
            await self._finish(ended, await self._collect(folder))
        except FencedError:
            log.warning("the lease was lost; the job was settled by another", job=self.job_id)
            self._stop_writing()
            if self._run is not None:
                await self._run.cancel(LAST_GRACE)
        finally:
            if folder is not None:
                await self._around.folders.remove(folder)

    def _leave_place(self) -> None:
        self.has_left_its_place = True
        self._place_free()

    def stop(self, outcome: str, reason: str, grace: float) -> None:
        """End the job; it is recorded with this outcome and reason, unless it has ended or is being ended already."""
        if self._told is not None:
            return
        self._told = (outcome, reason)
        self._grace = grace
        if self._run is not None:
            self._cancel(grace)

    def fence(self) -> None:
        """Write nothing more and end the process: the lease was lost."""
        if not self.hold.fenced:
            log.warning("the lease was lost; the job's process is ended", job=self.job_id)
            self.hold.fenced = True
            if self._run is not None:
                self._cancel(LAST_GRACE)

    def _cancel(self, grace: float) -> None:
        assert self._run is not None
        task = asyncio.get_running_loop().create_task(self._run.cancel(grace))
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)

    def _cancel_requested(self, event: JobCancelRequested) -> None:
        why = f": {event.reason}" if event.reason else "."
        self.stop("cancelled", f"Cancelled by {event.requested_by}{why}", self._around.grace)

    async def _run_in(self, folder: str) -> Ended:
        try:
            self.job |= await opened(self._around.store.keyring, self.job, lambda: self.hold.fenced)
            credentials = await self._credentials()
            planned = self._plan = self._around.planner.plan(self.job, folder, self._token, credentials)
            self.job["definition"] = planned.definition.document
            self._buffer = OutputBuffer(
                self.job_id,
                self.company_id,
                planned.secrets,
                self._limits.output or LIMIT,
                self._output_came,
                now=self._around.clock.now,
            )
            if self._told is not None:
                return Ended(exit_code=143, outcome=self._told[0], reason=self._told[1])
            self._run = run = await self._executor.start(self._launch(planned, folder), self._buffer)
        except (PlanError, CredentialError) as error:
            return Ended(exit_code=255, reason=str(error))
        except StartError as error:
            return error.ended
        if self._told is not None:
            self._cancel(self._grace)
        out_of_time = None
        if (seconds := self._limits.wall_time) is not None:
            out_of_time = asyncio.get_running_loop().call_later(
                seconds, self.stop, "timeout", f"The limit of {seconds:g} s was reached.", LAST_GRACE
            )
        pid = run.pid
        self._around.recorder.note_process(
            self.job_id, pid, lambda: start_time(pid) if pid is not None else None, planned.masked_command
        )
        try:
            return await run.wait()
        finally:
            if out_of_time is not None:
                out_of_time.cancel()

    async def _credentials(self) -> Opened:
        listed: str | None = self.job.get("credentials")
        if not listed:
            return NONE
        return await credentials_of(self._around.store, self.job["run_template_id"], listed, lambda: self.hold.fenced)

    def _launch(self, planned: Plan, folder: str) -> Launch:
        return Launch(
            job_id=self.job_id,
            command=planned.command,
            environment=planned.environment,
            folder=folder,
            token=self._token,
            limits=self._limits,
            run_as=self.job.get("run_as") or self._around.job_user,
            image=str(planned.definition.document.get("ociimage") or ""),
        )

    def _output_came(self) -> None:
        if self._writing is None and self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(self._buffer.delay, self._write_output)

    def _write_output(self) -> None:
        self._soon = None
        self._writing = asyncio.get_running_loop().create_task(self._append_output())
        self._writing.add_done_callback(self._written)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing = None
        if not self._buffer.empty and not self._closing:
            self._output_came()
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, FencedError):
            log.error("output was not written", job=self.job_id, error=repr(error))

    async def _append_output(self) -> None:
        """Append what was gathered until there is nothing or the job ends; encode while an append is under way."""
        under_way: asyncio.Task[None] | None = None
        try:
            while not self._buffer.empty and not self._closing:
                pieces = self._buffer.gather()
                append = await self._encode(pieces)
                if under_way is not None:
                    await under_way
                under_way = asyncio.get_running_loop().create_task(self._append_pieces(pieces, append))
                if self._buffer.gathered < CHUNK:
                    await under_way
                    under_way = None
                    await self._more()
        finally:
            if under_way is not None:
                await under_way

    async def _more(self) -> None:
        """Wait for a chunk to be gathered, at most for a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._buffer.delay):
                await self._buffer.enough.wait()

    async def _append_pieces(self, pieces: list[Piece], append: Append | None) -> None:
        if append is not None:
            size = sum(len(piece.data) for piece in pieces)

            async def build() -> list[Append]:
                return [append, self.hold.guard()]

            await self._around.recorder.append(self.hold, build, size)
        self._buffer.appended(pieces)

    async def _encode(self, pieces: list[Piece]) -> Append | None:
        key = await self._output_key()
        if sum(len(piece.data) for piece in pieces) < CHUNK:
            return self._buffer.encode(pieces, key)
        return await asyncio.to_thread(self._buffer.encode, pieces, key)

    async def _output_key(self) -> DataKey:
        owner = key_owner(self.company_id)
        keyring = self._around.store.keyring
        while (key := keyring.ready(owner)) is None:
            if self.hold.fenced:
                raise FencedError
            try:
                return await keyring.ensure(owner, self.company_id)
            except (DatabaseUnavailableError, *DATABASE_ERRORS):
                await asyncio.sleep(RETRY_AFTER)
        return key

    def _stop_writing(self) -> None:
        self._closing = True
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._writing is not None:
            self._writing.cancel()

    async def _last_output(self) -> list[Append]:
        """Write what was gathered but for the last of it, which is returned to be appended with the end of the job."""
        self._buffer.close()
        self._closing = True
        self._buffer.enough.set()
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._writing is not None:
            await asyncio.wait([self._writing])
        while self._buffer.gathered > CHUNK:
            pieces = self._buffer.gather()
            await self._append_pieces(pieces, await self._encode(pieces))
        if self._buffer.empty:
            return []
        last = await self._encode(self._buffer.gather())
        return [last] if last is not None else []

    async def _collect(self, folder: str | None) -> Collected:
        if folder is None or self._plan is None or self._run is None or self.hold.fenced:
            return NO_FILES
        if not self._plan.definition.leaves_files and "RESULT_FILE" not in self._plan.environment:
            return NO_FILES
        return await collect(self._around.store, self.job, self._plan, Path(folder), lambda: self.hold.fenced)

    async def _finish(self, ended: Ended, collected: Collected) -> None:
        output = await self._last_output()
        stdout, stderr = self._buffer.totals() if self._run is not None else (EMPTY, EMPTY)
        outcome, reason = self._outcome(ended)
        finished = JobFinished(
            job_id=self.job_id,
            company_id=self.company_id,
            run_template_id=self.job["run_template_id"],
            task_id=self.job.get("task_id"),
            outcome=outcome,
            exit_code=ended.exit_code,
            signal=ended.signal,
            reason=reason,
            finished_at=self._around.clock.now(),
            duration=round(self._seconds, 6),
            command=self._plan.masked_command if self._plan else [],
            pid=self._run.pid if self._run else None,
            stdout=stdout,
            stderr=stderr,
            artifacts=collected.artifacts,
            artifacts_left_out=collected.left_out,
        )

        async def build() -> list[Append]:
            self.job["version"] = self.hold.version
            return [*output, *await settle_appends(self._around.store, self.job, finished)]

        await self._around.recorder.append(self.hold, build, self._buffer.appending, finished)

    def _outcome(self, ended: Ended) -> tuple[str, str | None]:
        if self._told is not None:
            return self._told
        definition = self._plan.definition.document if self._plan else None
        outcome = outcome_of(ended, definition)
        if ended.reason is None and outcome == FAILURE and self._around.folders.is_full():
            place = self._around.folders.place
            return (
                outcome,
                f"Ended with exit code {ended.exit_code}; the file system of {place} is full. Free some space.",
            )
        return outcome, ended.reason
