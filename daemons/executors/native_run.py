"""A process of a job that was started: its output, its end, and the end of all that it leaves behind."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import signal
from contextlib import suppress

from daemons.executors import process_tree
from daemons.executors.interface import Ended, Launch, Sink
from daemons.executors.watch import Watch
from daemons.limits import reached

READ_SIZE = 64 * 1024
"""Bytes read from a pipe at a time: all that it holds (pipe(7))."""

LARGE_READ_SIZE = 1024 * 1024
"""The same for a pipe that was found full: it is made as large."""

QUIET = 2.0
"""Seconds without output after which a pipe that somebody still holds is given up, once the process has ended."""

COUNT_EVERY = 0.1
"""Seconds between counts of a job's processes, where their number is limited."""

KILL_TURNS = 400
"""How often what a job left behind is looked for and killed, 5 ms apart."""


class Pipe:
    """One channel of a process: hands on what there is, pauses while nobody has room."""

    def __init__(self, channel: str, descriptor: int, sink: Sink, watch: Watch) -> None:
        self._channel = channel
        self._descriptor = descriptor
        self._sink = sink
        self._size = READ_SIZE
        self._watch = watch
        self.closed = False
        self.paused = False
        self.bytes = 0
        os.set_blocking(descriptor, False)
        watch.add(descriptor, self.read)

    def read(self) -> bool:
        """Read once; return whether there may be more to read now."""
        if self.closed:
            return False
        room = self._sink.room()
        if room <= 0:
            self._pause()
            return False
        try:
            data = os.read(self._descriptor, min(self._size, room))
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        self.bytes += len(data)
        self._sink.take(self._channel, data)
        if len(data) == READ_SIZE == self._size:
            self._enlarge()
        return True

    def drain(self) -> None:
        """Read all that there is now and there is room for."""
        while self.read():
            pass

    def close(self) -> None:
        """Read no more."""
        if not self.closed:
            self.closed = True
            if not self.paused:
                self._watch.remove(self._descriptor)
            os.close(self._descriptor)

    def _enlarge(self) -> None:
        self._size = LARGE_READ_SIZE
        with suppress(OSError):  # the user's pipes may hold no more (pipe(7), pipe-user-pages-soft)
            fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, LARGE_READ_SIZE)

    def _pause(self) -> None:
        if not self.paused:
            self.paused = True
            self._watch.remove(self._descriptor)
            self._sink.when_room(self._resume)

    def _resume(self) -> None:
        if self.paused:
            self.paused = False
            if not self.closed:
                self._watch.add(self._descriptor, self.read)


class NativeRun:
    """A process that was started, the leader of its own session and group."""

    def __init__(self, pid: int, out: int, err: int, launch: Launch, sink: Sink, watch: Watch) -> None:
        self.pid = pid
        self._launch = launch
        self._watch = watch
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[tuple[int, resource.struct_rusage]] = self._loop.create_future()
        self._ended: asyncio.Future[Ended] = self._loop.create_future()
        self._reason: tuple[str, str] | None = None
        self._pipes = (Pipe("stdout", out, sink, watch), Pipe("stderr", err, sink, watch))
        self._pidfd = os.pidfd_open(pid)
        watch.add(self._pidfd, self._reap)
        self._tasks: set[asyncio.Task[None]] = set()
        if launch.limits.processes is not None:
            self._begin(self._count_processes(launch.limits.processes))

    async def wait(self) -> Ended:
        """Return how the process ended, when all of its output has been handed on and nothing of it is left."""
        return await self._ended

    async def cancel(self, grace: float) -> None:
        """Send TERM to the group, and KILL to all of the job after ``grace`` seconds."""
        if not self._over.done():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGTERM)
            await asyncio.wait([self._over], timeout=grace)
        if not self._over.done():
            process_tree.kill_group(self.pid)
        await asyncio.wait([self._ended])

    def _begin(self, work: object) -> None:
        task = self._loop.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _reap(self) -> None:
        self._watch.remove(self._pidfd)
        os.close(self._pidfd)
        # Its group is ended before it is reaped: until then nobody else can have its number.
        process_tree.kill_group(self.pid)
        _, status, usage = os.wait4(self.pid, 0)
        process_tree.ORPHANS.leaders.pop(self.pid, None)
        self._over.set_result((status, usage))
        for pipe in self._pipes:
            pipe.drain()
        grouped = group_exists(self.pid)
        if not grouped and all(pipe.closed for pipe in self._pipes) and not process_tree.ORPHANS.found():
            self._tell()
        else:
            self._begin(self._end_the_rest(grouped))

    async def _end_the_rest(self, grouped: bool) -> None:
        """End what the process left behind, then read what is in the pipes."""
        for _ in range(KILL_TURNS):
            left = process_tree.ORPHANS.of(self._launch.token)
            for pid in left:
                process_tree.kill(pid)
            # Once its group is empty, its number may be another's; and where others reap it, once is enough.
            grouped = grouped and process_tree.kill_group(self.pid) and process_tree.ORPHANS.adopting
            if not left and not grouped:
                break
            await asyncio.sleep(0.005)
        process_tree.ORPHANS.sweep()
        quiet = 0.0
        while not all(pipe.closed for pipe in self._pipes) and quiet < QUIET:
            before = sum(pipe.bytes for pipe in self._pipes)
            await asyncio.sleep(0.01)
            moved = any(pipe.paused for pipe in self._pipes) or sum(pipe.bytes for pipe in self._pipes) > before
            quiet = 0.0 if moved else quiet + 0.01
        for pipe in self._pipes:
            pipe.close()
        self._tell()

    def _tell(self) -> None:
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        status, usage = self._over.result()
        code = os.waitstatus_to_exitcode(status)
        signalled = -code if code < 0 else None
        exit_code = 128 + signalled if signalled is not None else code
        told = self._reason or reached(
            self._launch.limits, exit_code, signalled, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
        )
        reason = f"Killed by signal {signal_name(signalled)}." if signalled is not None else None
        outcome = "killed" if signalled is not None else None
        if told is not None:
            outcome, reason = told[0] or outcome, told[1]
        if not self._ended.done():
            self._ended.set_result(Ended(exit_code=exit_code, signal=signalled, reason=reason, outcome=outcome))

    async def _count_processes(self, limit: int) -> None:
        """End the job when it has more processes than it may."""
        while not self._over.done():
            orphans = process_tree.ORPHANS.of(self._launch.token)
            below = [child for pid in (self.pid, *orphans) for child in process_tree.descendants(pid)]
            count = 1 + len(orphans) + len(below)
            if count > limit:
                self._reason = ("killed", f"The job had {count} processes at once; its limit is {limit}.")
                process_tree.kill_group(self.pid)
                return
            await asyncio.sleep(COUNT_EVERY)


def group_exists(pgid: int) -> bool:
    """Return whether anybody is in a process group."""
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def signal_name(number: int) -> str:
    """Return the name of a signal, e.g. ``SIGKILL``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
