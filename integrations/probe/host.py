"""Readings of the host: file systems, memory, load, processes.

Figures come from psutil, which reads them from proc(5) and statvfs(3).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_ALWAYS_FULL = frozenset({"cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"})
"""File systems that are written once and therefore always 100 % full."""

_COMM_LENGTH = 15
"""Length at which the kernel cuts the name of a process (proc(5), TASK_COMM_LEN less its NUL)."""


_INTERPRETER = re.compile(r"(bash|dash|lua|node|perl|php|python|ruby|sh|zsh)[0-9.]*")
"""Programs whose first argument is the program that people mean."""


class Partition(NamedTuple):
    """A mounted file system: its device, where it is mounted, and its type (proc_pid_mounts(5))."""

    device: str
    mountpoint: str
    fstype: str


@dataclass(frozen=True, slots=True)
class DiskReading:
    """Space of a file system, in bytes.

    Attributes
    ----------
    total, used, free : int
        ``free`` is what unprivileged users may still write, so ``used`` and ``free`` may be less than ``total``.
    """

    total: int
    used: int
    free: int


@dataclass(frozen=True, slots=True)
class InodeReading:
    """Inodes of a file system; ``total`` is 0 where the file system has no fixed number of them (btrfs)."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """Memory or swap in bytes; ``available`` is what can be had without swapping (``MemAvailable``)."""

    total: int
    available: int


@dataclass(frozen=True, slots=True)
class LoadReading:
    """Load averages over 1, 5 and 15 minutes (getloadavg(3)) and the number of cores."""

    averages: tuple[float, float, float]
    cores: int


class Process(NamedTuple):
    """A running process: its name as the kernel has it (maybe cut) and its command line (maybe unreadable: empty)."""

    name: str
    command: tuple[str, ...]


def choose_mounts(partitions: Iterable[Partition], is_folder: Callable[[str], bool]) -> list[str]:
    """Return the mount points of real local file systems, each device once, ``/`` always among them.

    Bind mounts show a device again, in containers even on single files; of a device's folders the one nearest to the
    root stands for all. ``/`` may lie on an overlay that is no device; it is what fills up nevertheless.
    """
    chosen: dict[str, str] = {}
    for partition in partitions:
        if partition.fstype in _ALWAYS_FULL or not is_folder(partition.mountpoint):
            continue
        known = chosen.get(partition.device)
        if known is None or len(partition.mountpoint) < len(known):
            chosen[partition.device] = partition.mountpoint
    return sorted({"/", *chosen.values()})


def local_mounts() -> list[str]:
    """Return the mount points of this host that are worth watching."""
    import psutil  # noqa: PLC0415 - some 30 ms, only when needed

    mounted = [Partition(found.device, found.mountpoint, found.fstype) for found in psutil.disk_partitions(all=False)]
    return choose_mounts(mounted, lambda path: Path(path).is_dir())


def read_disk(path: str) -> DiskReading:
    """Return the space of the file system that holds a path.

    Raises
    ------
    OSError
        The path is not there or cannot be reached.
    """
    import psutil  # noqa: PLC0415

    usage = psutil.disk_usage(path)
    return DiskReading(usage.total, usage.used, usage.free)


def read_inodes(path: str) -> InodeReading:
    """Return the inodes of the file system that holds a path; raises OSError like `read_disk`."""
    figures = os.statvfs(path)
    return InodeReading(figures.f_files, figures.f_favail)


def read_memory() -> MemoryReading:
    """Return the host's memory."""
    import psutil  # noqa: PLC0415

    memory = psutil.virtual_memory()
    return MemoryReading(memory.total, memory.available)


def read_swap() -> MemoryReading:
    """Return the host's swap space; its total is 0 without any."""
    import psutil  # noqa: PLC0415

    swap = psutil.swap_memory()
    return MemoryReading(swap.total, swap.free)


def read_load() -> LoadReading:
    """Return the host's load."""
    return LoadReading(os.getloadavg(), os.cpu_count() or 1)


def read_processes() -> list[Process]:
    """Return all running processes of the host that this user may see, without zombies."""
    import psutil  # noqa: PLC0415

    found = []
    for process in psutil.process_iter(["name", "cmdline", "status"]):
        info = process.info
        if info["status"] != psutil.STATUS_ZOMBIE:
            found.append(Process(info["name"] or "", tuple(info["cmdline"] or ())))
    return found


def count_processes(name: str, processes: Collection[Process]) -> int:
    """Return how many processes bear a name.

    A process bears the name that the kernel has for it, also where the kernel cut it, and the name of the script that
    an interpreter runs.
    """
    return sum(_bears(name, process) for process in processes)


def _bears(name: str, process: Process) -> bool:
    if process.name == name:
        return True
    programs = [argument.rsplit("/", 1)[-1] for argument in process.command[:2]]
    if len(process.name) == _COMM_LENGTH and name.startswith(process.name):
        return not programs or name in programs
    return programs[1:] == [name] and _INTERPRETER.fullmatch(process.name) is not None
