"""A child process as a supervised part: its start, its log, its end.

A child has a session of its own, so that the terminal's Ctrl-C reaches only the supervisor, which stops the children in
order. When the supervisor itself is killed, the kernel ends the children (``PR_SET_PDEATHSIG``, ``prctl(2)``).
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import ctypes
import logging
import logging.handlers
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daemons.supervisor import PartError

LOG_BYTES = 10 * 1024 * 1024
"""Size at which a log is put aside and begun anew."""

LOGS_KEPT = 3
"""How many logs put aside are kept."""

_PR_SET_PDEATHSIG = 1
_TAIL = 15
_CHUNK = 65536


@dataclass(frozen=True, kw_only=True)
class ChildSpec:
    """What a child process is.

    Attributes
    ----------
    name : str
        What users call it; its log is ``NAME.log``.
    command : Sequence[str]
        Program and arguments.
    environment : Mapping[str, str]
        Variables on top of our own.
    ready : Callable[[int], Awaitable[bool]] | None
        Takes the process id and tells whether the child does its work; without it, a child that runs is ready.
    ready_within : float
        Seconds until a child that is not ready counts as failed.
    grace : float
        Seconds between SIGTERM and SIGKILL.
    when_orphaned : signal.Signals
        What the child gets when the supervisor is killed.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    ready: Callable[[int], Awaitable[bool]] | None = None
    ready_within: float = 60.0
    grace: float = 4.0
    when_orphaned: signal.Signals = signal.SIGKILL


class _Log(logging.handlers.RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the library's
        """Go on without the line: a full disk must not end the supervision, and the last lines are in memory."""


class Child:
    """A child process that runs what a spec says.

    Parameters
    ----------
    spec : ChildSpec
        What it is.
    log_folder : Path
        Where its log goes.
    """

    def __init__(self, spec: ChildSpec, log_folder: Path) -> None:
        self.spec = spec
        self.log_path = log_folder / f"{spec.name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._copying: asyncio.Task[None] | None = None
        self._tail: collections.deque[str] = collections.deque(maxlen=_TAIL)
        log_folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        self._log = _Log(self.log_path, maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, delay=True, encoding="utf-8")
        self._log.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))

    @property
    def name(self) -> str:
        """What users call it."""
        return self.spec.name

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it and return when it is ready.

        Raises
        ------
        PartError
            It ended before, or was not ready in time (it is stopped then).
        """
        self._tail.clear()
        self._process = process = await self._spawn()
        self._write(f"[started as process {process.pid}]")
        try:
            async with asyncio.timeout(self.spec.ready_within):
                while not await self._is_ready(process):  # nothing tells us but asking
                    await asyncio.sleep(0.05)
        except TimeoutError:
            await self.stop(asyncio.Event())
            raise PartError(self._failure(f"was not ready after {self.spec.ready_within:.0f} s")) from None

    async def wait(self) -> str:
        """Wait until the process has ended, and tell how."""
        if self._process is None:
            return "was not started"
        return await self._ended(self._process)

    async def stop(self, force: asyncio.Event) -> None:
        """Stop the process: TERM, then after its grace, or at once when forced, KILL to its whole group."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself this moment
                process.terminate()
            ending = asyncio.ensure_future(process.wait())
            forced = asyncio.ensure_future(force.wait())
            await asyncio.wait({ending, forced}, timeout=self.spec.grace, return_when=asyncio.FIRST_COMPLETED)
            forced.cancel()
            if not ending.done():
                self._write(f"[killed: did not end within {self.spec.grace:.0f} s]")
            _kill_group(process.pid)
            await ending
        await self._ended(process)
        self._log.close()

    async def _spawn(self) -> asyncio.subprocess.Process:
        # A pipe of our own: asyncio's Process.wait() would wait until nobody holds its pipe any more, and a process
        # that the child leaves behind may hold it for ever.
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self.spec.command, env={**os.environ, **self.spec.environment}, stdin=asyncio.subprocess.DEVNULL,
                stdout=writing, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
                preexec_fn=die_with_parent(self.spec.when_orphaned),
            )  # fmt: skip
        except BaseException as error:
            os.close(reading)
            if isinstance(error, OSError):
                raise PartError(f"{self.name} could not be started: {error}") from None
            raise
        finally:
            os.close(writing)
        self._copying = asyncio.create_task(self._copy(reading))
        return process

    async def _is_ready(self, process: asyncio.subprocess.Process) -> bool:
        if process.returncode is not None:
            raise PartError(self._failure(await self._ended(process)))
        return self.spec.ready is None or await self.spec.ready(process.pid)

    async def _ended(self, process: asyncio.subprocess.Process) -> str:
        """Wait for the end of a process and of its output; what it left behind in its group is killed."""
        code = await process.wait()
        how = f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        _kill_group(process.pid)
        if self._copying is not None:
            # A process of another group may hold the pipe open for ever.
            await asyncio.wait({self._copying}, timeout=1.0)
            self._copying.cancel()
            self._copying = None
            self._write(f"[{how}]")
        return how

    async def _copy(self, descriptor: int) -> None:
        """Copy output to the log, line by line, however long the lines are."""
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", buffering=0)
        )
        rest = b""
        try:
            while chunk := await stream.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > _CHUNK:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._write(line.decode(errors="replace").rstrip("\r"))
        finally:
            transport.close()
            if rest:
                self._write(rest.decode(errors="replace"))

    def _write(self, line: str) -> None:
        self._tail.append(line)
        record = logging.LogRecord(self.name, logging.INFO, "", 0, line, None, None)
        self._log.emit(record)

    def _failure(self, how: str) -> str:
        said = "\n".join(f"  {line}" for line in self._tail)
        return f"{self.name} {how}. Its log: {self.log_path}\n{said}"


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody of the group is left
        os.killpg(pid, signal.SIGKILL)


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a child does before its program starts: ask the kernel for a signal when its parent dies.

    Parameters
    ----------
    number : signal.Signals
        The signal.

    Returns
    -------
    Callable[[], None] | None
        The ``preexec_fn``; None where the kernel has no such service.
    """
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number.value)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask
