"""Limits of a job: what its template sets, put on its process by prlimit(2), and how reaching one is told."""

from __future__ import annotations

import resource
import signal
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec

EXIT_BY_SIGNAL = 128
"""What a shell adds to the number of the signal that ended its command."""

HARD_LATER = 1
"""Seconds of processor time between SIGXCPU and SIGKILL."""

ALMOST = 0.9


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a job may use; None: as much as there is.

    Attributes
    ----------
    wall_time, cpu_time : float, int or None
        Seconds from the start of the process; seconds of processor time of each of its processes.
    memory, file_size : int or None
        Bytes of address space of each process; bytes of each file that it writes.
    output : int or None
        Bytes that are kept of each of stdout and stderr.
    open_files, processes : int or None
        Descriptors of each process; processes at the same time.
    """

    wall_time: float | None = None
    cpu_time: int | None = None
    memory: int | None = None
    file_size: int | None = None
    output: int | None = None
    open_files: int | None = None
    processes: int | None = None


NONE = Limits()


def limits_of(value: Mapping[str, Any] | None) -> Limits:
    """Return the limits of a template; what is not a positive number is no limit."""
    if not value:
        return NONE
    kept: dict[str, Any] = {}
    for name in Limits.__struct_fields__:
        number = value.get(name)
        if isinstance(number, int | float) and not isinstance(number, bool) and number > 0:
            kept[name] = number if name == "wall_time" else max(1, int(number))
    return Limits(**kept)


@lru_cache(maxsize=256)
def limits_in(text: str | None) -> Limits:
    """Return the limits of a template, given as JSON text."""
    return limits_of(msgspec.json.decode(text)) if text else NONE


@lru_cache(maxsize=256)
def resources(limits: Limits) -> tuple[tuple[int, tuple[int, int]], ...]:
    """Return what the system is told of limits: of each resource its soft and hard limit."""
    wanted = (
        (resource.RLIMIT_CPU, limits.cpu_time, HARD_LATER),
        (resource.RLIMIT_AS, limits.memory, 0),
        (resource.RLIMIT_FSIZE, limits.file_size, 0),
        (resource.RLIMIT_NOFILE, limits.open_files, 0),
    )
    return tuple((kind, pair_below(kind, value, more)) for kind, value, more in wanted if value is not None)


def put_on(pid: int, limits: Limits) -> None:
    """Put limits on a process, those of the system's below them (getrlimit(2))."""
    with suppress(ProcessLookupError):  # it has ended already
        for kind, pair in resources(limits):
            resource.prlimit(pid, kind, pair)


def pair_below(kind: int, value: int, more: int) -> tuple[int, int]:
    """Return a soft limit, and a hard one ``more`` above it; neither above the hard limit that there is."""
    most = resource.getrlimit(kind)[1]  # the executor's own, which its jobs inherit
    hard = value + more
    if most != resource.RLIM_INFINITY:
        return min(value, most), min(hard, most)
    return value, hard


def set_limit(pid: int, kind: int, value: int) -> None:
    """Set one limit of a process."""
    resource.prlimit(pid, kind, pair_below(kind, value, 0))


def reached(limits: Limits, exit_code: int, signalled: int | None, seconds: float, peak: int) -> tuple[str, str] | None:
    """Return outcome and reason if a process, by how it ended, reached one of its limits.

    Parameters
    ----------
    exit_code : int
        Its exit code; a shell passes a signal of its command on as 128 + n.
    signalled : int or None
        Signal that ended it.
    seconds : float
        Processor time that it and its children used (getrusage(2)).
    peak : int
        Most memory that it used, in bytes.
    """
    ended_by = signalled if signalled is not None else exit_code - EXIT_BY_SIGNAL
    cpu = limits.cpu_time
    if cpu is not None and (
        ended_by == signal.SIGXCPU or (ended_by == signal.SIGKILL and seconds >= cpu * ALMOST and signalled is not None)
    ):
        return "timeout", f"The limit of {cpu} s of processor time was reached."
    if limits.file_size is not None and ended_by == signal.SIGXFSZ:
        return "killed", f"A file grew beyond the limit of {limits.file_size} bytes."
    if limits.memory is not None and (exit_code != 0 or signalled is not None):
        how = f"exit code {exit_code}" if signalled is None else f"signal {signalled}"
        return (
            "killed" if signalled is not None else "",
            f"Ended with {how}; its memory was limited to {limits.memory} bytes and it used up to {peak}.",
        )
    return None
