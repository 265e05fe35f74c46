"""The life of one job in an executor: prepare, start, capture, finish.

The last output and JobFinished are appended together. While the database is away the job runs on; its output is kept up
to a bound, reading pauses beyond it, and all is appended when the database is back.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog

from daemons.executors.interface import Ended, Executor, Launch, Run, StartError
from daemons.job_environment import Plan, plan
from daemons.job_output import CHUNK, OutputBuffer
from domain.job_events import JobFinished
from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import ConcurrencyError, DatabaseUnavailableError, EventStoreError, MasterKeyError
from eventstore.keyring import DataKey
from eventstore.log import Append, Meta
from eventstore.output import key_owner
from eventstore.store import EventStore

T = TypeVar("T")

META = Meta(actor="daemon:executor", source="executor")
RETRY_AFTER = 0.5
"""Seconds after which an append that found no database is tried again."""

SET_PROCESS = """
    UPDATE job_leases SET pid = $3, pid_start = $4, command = $5 WHERE job_id = $1 AND daemon_id = $2
"""
DROP_LEASE = "DELETE FROM job_leases WHERE job_id = $1 AND daemon_id = $2"

SUCCESS, WARNING, FAILURE = "success", "warning", "failure"
SEVERITIES = {"success": SUCCESS, "info": SUCCESS, "warning": WARNING, "error": FAILURE, "critical": FAILURE}

log = structlog.get_logger(__name__)


class FencedError(Exception):
    """Somebody else has settled the job meanwhile: nothing more may be written."""


class JobRun:
    """Runs one claimed job to its end.

    Parameters
    ----------
    store : EventStore
        Where its events go.
    daemon_id : str
        Who holds the lease.
    executor : Executor
        How it is run.
    job : Mapping[str, Any]
        A row of ``claim_jobs``.
    """

    def __init__(self, store: EventStore, daemon_id: str, executor: Executor, job: Mapping[str, Any]) -> None:
        self._store = store
        self._daemon_id = daemon_id
        self._executor = executor
        self.job = dict(job)
        for name in ("environment", "template_environment", "definition"):
            text = self.job[name]
            self.job[name] = msgspec.json.decode(text) if isinstance(text, str) else text
        self.job_id: int = job["job_id"]
        self._run: Run | None = None
        self._began = time.monotonic()
        self._reason: str | None = None
        self._outcome: str | None = None
        self._fenced = False
        self._planned: Plan | None = None

    async def perform(self) -> None:
        """Run the job; whatever goes wrong ends it as such."""
        folder = Path(tempfile.mkdtemp(prefix=f"multiflexi-job-{self.job_id}-"))
        try:
            await self._perform_in(folder)
        except FencedError:
            log.warning("the lease was lost; the job was settled by another", job=self.job_id)
            await self._end_process()
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def stop(self, outcome: str, reason: str, grace: float) -> None:
        """End the job; it is recorded with this outcome and reason."""
        self._outcome, self._reason = outcome, reason
        if self._run is not None:
            await self._run.cancel(grace)

    async def fence(self) -> None:
        """Write nothing more and end the process: the lease was lost."""
        self._fenced = True
        await self._end_process()

    async def _perform_in(self, folder: Path) -> None:
        self._planned = planned = plan(self.job, folder)
        buffer = OutputBuffer(self.job_id, self.job["company_id"], planned.secrets)
        launch = Launch(
            job_id=self.job_id,
            command=planned.command,
            environment=planned.environment,
            folder=folder,
            image=str((self.job["definition"] or {}).get("ociimage") or ""),
        )
        try:
            self._run = await self._executor.start(launch)
        except StartError as error:
            await self._finish(buffer, error.ended)
            return
        note = asyncio.create_task(self._note_process(planned.masked_command))
        writer = asyncio.create_task(self._write_output(buffer))
        try:
            ended = await self._run.wait(buffer.receive)
        finally:
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
            note.cancel()
        await self._finish(buffer, ended)

    async def _write_output(self, buffer: OutputBuffer) -> None:
        """Append what was gathered, again and again; an append once begun is completed, also when this is cancelled."""
        while True:
            await buffer.filled.wait()
            deadline = time.monotonic() + buffer.delay
            while buffer.waiting < CHUNK and (left := deadline - time.monotonic()) > 0:
                await asyncio.sleep(min(left, 0.02))
            appending = asyncio.ensure_future(self._append_output(buffer))
            try:
                await asyncio.shield(appending)
            except asyncio.CancelledError:
                await appending
                raise

    async def _append_output(self, buffer: OutputBuffer) -> None:
        key = await self._insist(
            lambda: self._store.keyring.ensure(key_owner(self.job["company_id"]), self.job["company_id"])
        )
        append = buffer.take_append(key)
        if append is not None:
            await self._insist(lambda: self._store.append_all([append], meta=META))

    async def _output_key(self) -> DataKey:
        company_id: int = self.job["company_id"]
        return await self._insist(lambda: self._store.keyring.ensure(key_owner(company_id), company_id))

    async def _finish(self, buffer: OutputBuffer, ended: Ended) -> None:
        buffer.close()
        appends: list[Append] = []
        if buffer.waiting or buffer.filled.is_set():
            last = buffer.take_append(await self._output_key())
            appends += [last] if last is not None else []
        stdout, stderr = buffer.totals()
        finished = JobFinished(
            job_id=self.job_id,
            company_id=self.job["company_id"],
            run_template_id=self.job["run_template_id"],
            outcome=self._outcome or outcome_of(ended, self.job["definition"]),
            exit_code=ended.exit_code,
            signal=ended.signal,
            reason=self._reason or ended.reason,
            finished_at=datetime.now(UTC),
            duration=round(time.monotonic() - self._began, 6),
            command=self._planned.masked_command if self._planned else [],
            pid=self._run.pid if self._run else None,
            stdout=stdout,
            stderr=stderr,
        )
        appends.append(
            Append(
                stream=f"job-{self.job_id}",
                company_id=self.job["company_id"],
                events=[finished],
                expected=self.job["version"],
            )
        )
        await self._insist(
            lambda: self._store.append_all(appends, meta=META, key=f"finish:{self.job_id}", fingerprint=b"")
        )
        with suppress(*DATABASE_ERRORS):
            await self._store.pool.execute(DROP_LEASE, self.job_id, self._daemon_id)

    async def _note_process(self, command: list[str]) -> None:
        assert self._run is not None
        pid = self._run.pid
        with suppress(*DATABASE_ERRORS):
            await self._store.pool.execute(
                SET_PROCESS,
                self.job_id,
                self._daemon_id,
                pid,
                start_time(pid) if pid else None,
                msgspec.json.encode(command).decode(),
            )

    async def _insist(self, act: Callable[[], Awaitable[T]]) -> T:
        """Do it until the database answers; give up only when the job is no longer ours."""
        while True:
            if self._fenced:
                raise FencedError
            try:
                return await act()
            except ConcurrencyError as error:
                raise FencedError from error
            except MasterKeyError:
                raise
            except (DatabaseUnavailableError, *DATABASE_ERRORS) as error:
                log.warning("the database is away; the job runs on", job=self.job_id, error=str(error))
                await asyncio.sleep(RETRY_AFTER)
            except EventStoreError as error:
                log.error("the job's events were refused", job=self.job_id, error=str(error))
                raise

    async def _end_process(self) -> None:
        if self._run is not None:
            await self._run.cancel(0.1)


def outcome_of(ended: Ended, definition: Mapping[str, Any] | None) -> str:
    """Return the outcome of a job from how its process ended and the exit codes that its definition declares."""
    if ended.not_found:
        return "not_found"
    if ended.signal is not None:
        return "killed"
    declared = ((definition or {}).get("exitCodes") or {}).get(str(ended.exit_code))
    if declared:
        return SEVERITIES.get(declared.get("severity", "error"), FAILURE)
    if ended.exit_code == 127:
        return "not_found"
    return {0: SUCCESS, 1: WARNING}.get(ended.exit_code, FAILURE)


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot (proc_pid_stat(5), field 22); None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])
