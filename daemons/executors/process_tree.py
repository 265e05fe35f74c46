"""The processes of jobs beyond the first one: what detached, what an executor left behind.

A process that leaves its session is still known by its mark, the variable ``MULTIFLEXI_JOB_TOKEN`` of its environment
(proc_pid_environ(5)). Orphans become children of the executor, which is a child subreaper
(PR_SET_CHILD_SUBREAPER(2const)).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
from contextlib import suppress
from pathlib import Path

MARK = "MULTIFLEXI_JOB_TOKEN"
PR_SET_CHILD_SUBREAPER = 36
PROC = Path("/proc")
LONGEST_LIST = 1024 * 1024
"""Bytes of the list of children that are read at a time: a hundred thousand of them."""


class Orphans:
    """Children that this process did not start itself.

    Attributes
    ----------
    adopting : bool
        Whether orphans of jobs become children of this process.
    leaders : dict[int, str]
        Processes that were started for jobs and have not been reaped, with the marks of their jobs.
    """

    def __init__(self) -> None:
        self.adopting = False
        self.leaders: dict[int, str] = {}
        self._children = -1

    def adopt(self) -> None:
        """Become the parent of all orphans below this process, which must start nothing but jobs."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0:
            self.adopting = True
            self._children = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY)

    def found(self) -> list[int]:
        """Return the orphans that were adopted; those that have ended are reaped."""
        if not self.adopting:
            return []
        # On the path of every job: the file stays open, reading it from its beginning lists the children anew.
        children = os.pread(self._children, LONGEST_LIST, 0).split()
        if len(children) <= len(self.leaders) and all(int(text) in self.leaders for text in children):
            return []
        return [pid for text in children if (pid := int(text)) not in self.leaders and not reap(pid)]

    def sweep(self) -> None:
        """End adopted processes that belong to no running job."""
        running = set(self.leaders.values())
        for pid in self.found():
            mark = mark_of(pid)
            # One that has hidden its mark is taken for a running job's as long as one runs that is older than it.
            if mark not in running if mark else not self._older_than(pid):
                kill(pid)

    def _older_than(self, pid: int) -> bool:
        born = start_time(pid)
        return born is not None and any((start_time(leader) or born + 1) <= born for leader in self.leaders)

    def of(self, token: str) -> list[int]:
        """Return the adopted processes of a job."""
        return [pid for pid in self.found() if mark_of(pid) == token]


ORPHANS = Orphans()


def reap(pid: int) -> bool:
    """Reap a child if it has ended; return whether it is gone."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def mark_of(pid: int) -> str | None:
    """Return the mark in the environment of a process, None if it has none that can be seen."""
    with suppress(OSError):
        for entry in (PROC / str(pid) / "environ").read_bytes().split(b"\0"):
            if entry.startswith(MARK.encode() + b"="):
                return entry.partition(b"=")[2].decode(errors="replace")
    return None


def marked(token: str) -> list[int]:
    """Return all processes of this host that bear a mark."""
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit() and mark_of(int(entry.name)) == token]


def start_time(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot (proc_pid_stat(5), field 22); None if it is gone."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def kill(pid: int) -> None:
    """Kill a process, if it is there."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def kill_group(pgid: int) -> bool:
    """Kill a process group; return whether there was anybody in it."""
    try:
        os.killpg(pgid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def has_children(pid: int) -> bool:
    """Return whether the first thread of a process has started others, quickly."""
    try:
        file = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY)
    except OSError:
        return False
    try:
        return bool(os.read(file, 1))
    finally:
        os.close(file)


def descendants(pid: int) -> list[int]:
    """Return the living processes below one, found through its threads' children (proc_tid_children(5))."""
    found: list[int] = []
    open_ = [pid]
    while open_:
        parent = open_.pop()
        with suppress(OSError):
            for thread in (PROC / str(parent) / "task").iterdir():
                children = [int(text) for text in (thread / "children").read_text().split()]
                found += children
                open_ += children
    return found


async def end_marked(token: str, turns: int = 200) -> int:
    """Kill every process of this host that bears a mark, until there is none; return how many there were."""
    ended: set[int] = set()
    for _ in range(turns):
        living = [pid for pid in marked(token) if not is_zombie(pid)]
        if not living:
            break
        for pid in living:
            kill(pid)
        ended.update(living)
        await asyncio.sleep(0.01)
    return len(ended)


def is_zombie(pid: int) -> bool:
    """Return whether a process has ended and waits for its parent to notice."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True
