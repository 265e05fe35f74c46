"""The native executor: a process of this host in a group of its own, with only its own environment.

The process is watched by a pidfd in the event loop (pidfd_open(2)), its pipes by readers; no thread, no polling. What
the process leaves behind in its group is ended with it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from contextlib import suppress

from daemons.executors.interface import Ended, Launch, Received, StartError

READ_SIZE = 256 * 1024
"""Bytes read from a pipe at a time."""

DRAIN = 2.0
"""Seconds for which output of what the process left behind is still read after its end."""

NOT_FOUND = 127
CANNOT_EXECUTE = 126


class NativeExecutor:
    """Runs jobs as processes of this host."""

    name = "Native"

    async def start(self, launch: Launch) -> NativeRun:
        """Start the process of a job.

        Raises
        ------
        StartError
            The executable does not exist, may not be executed, or the system has no more processes.
        """
        path = shutil.which(launch.command[0], path=launch.environment.get("PATH", os.defpath))
        if path is None:
            raise StartError(missing(launch))
        try:
            process = subprocess.Popen(
                launch.command,
                executable=path,
                cwd=launch.folder,
                env=launch.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            code = NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_EXECUTE
            reason = f"{path} cannot be started: {error.strerror}."
            raise StartError(Ended(exit_code=code, reason=reason, not_found=code == NOT_FOUND)) from error
        return NativeRun(process)


def missing(launch: Launch) -> Ended:
    """Return how a job ends whose executable is nowhere."""
    name = launch.command[0]
    where = "" if os.sep in name else f" in PATH ({launch.environment.get('PATH', os.defpath)})"
    return Ended(
        exit_code=NOT_FOUND,
        not_found=True,
        reason=f"Executable {name} was not found{where}. Is the application installed on this host?",
    )


class NativeRun:
    """A process that was started, the leader of its own session and group."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._pidfd = os.pidfd_open(process.pid)
        self._loop.add_reader(self._pidfd, self._reap)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def wait(self, received: Received) -> Ended:
        """Hand on all output; return how the process ended."""
        assert self._process.stdout is not None and self._process.stderr is not None
        pumps = [
            asyncio.create_task(self._pump("stdout", self._process.stdout.fileno(), received)),
            asyncio.create_task(self._pump("stderr", self._process.stderr.fileno(), received)),
        ]
        try:
            code: int = await self._ended
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await asyncio.wait(pumps, timeout=DRAIN)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._process.stdout.close()
            self._process.stderr.close()
        for pump in pumps:
            if not pump.cancelled() and (error := pump.exception()) is not None:
                raise error
        if code < 0:
            return Ended(exit_code=128 - code, signal=-code, reason=f"Killed by signal {signal_name(-code)}.")
        return Ended(exit_code=code)

    async def cancel(self, grace: float) -> None:
        """Send TERM to the group, and KILL after ``grace`` seconds."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        await asyncio.wait([self._ended], timeout=grace)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.wait([self._ended], timeout=grace)

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        code = self._process.wait()
        if not self._ended.done():
            self._ended.set_result(code)

    async def _pump(self, channel: str, descriptor: int, received: Received) -> None:
        os.set_blocking(descriptor, False)
        readable = asyncio.Event()
        self._loop.add_reader(descriptor, readable.set)
        try:
            while True:
                try:
                    data = os.read(descriptor, READ_SIZE)
                except BlockingIOError:
                    readable.clear()
                    await readable.wait()
                    continue
                if not data:
                    return
                await received(channel, data)
        finally:
            self._loop.remove_reader(descriptor)


def signal_name(number: int) -> str:
    """Return the name of a signal, e.g. ``SIGKILL``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
