"""The server process of a cluster: finding it, what it says of itself, ending it."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import psutil

from daemons.postgres_binaries import PostgresError

_PID_FILE = "postmaster.pid"
_STATUS_LINE = 7
_POLL = 0.02


def find(cluster: Path) -> psutil.Process | None:
    """Return the live server of a cluster: the process of ``postmaster.pid``, if it works in this folder.

    After an unclean stop the file names a process that is gone, or by now another program.
    """
    try:
        process = psutil.Process(int((cluster / _PID_FILE).read_text().split("\n", 1)[0]))
    except (OSError, ValueError, psutil.Error):
        return None
    return process if _works_in(process, cluster) else None


def status(cluster: Path) -> str:
    """Return what the server says of itself: ``starting``, ``ready``, ``stopping`` …; empty if there is none."""
    try:
        lines = (cluster / _PID_FILE).read_text().splitlines()
    except OSError:
        return ""
    return lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else ""


def clear(cluster: Path) -> None:
    """Remove what a killed server left: its ``postmaster.pid``, and processes of it that still run.

    Those notice by themselves that their server is gone; the ones that do not are killed, as no new server starts
    while they hold the shared memory.
    """
    (cluster / _PID_FILE).unlink(missing_ok=True)
    orphans = [process for process in psutil.process_iter() if _works_in(process, cluster)]
    _, alive = psutil.wait_procs(orphans, timeout=3)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=5)


def end(process: psutil.Process, timeout: float) -> None:
    """Stop a server: fast (open transactions end, all is written), and if that takes too long at once.

    Parameters
    ----------
    process : psutil.Process
        The server.
    timeout : float
        Seconds for the fast way.

    Raises
    ------
    PostgresError
        It runs on.
    """
    for number, seconds in ((signal.SIGINT, timeout), (signal.SIGQUIT, 10.0)):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended by itself this moment
            process.send_signal(number)
        until = time.monotonic() + seconds
        while is_alive(process) and time.monotonic() < until:
            time.sleep(_POLL)
        if not is_alive(process):
            return
    raise PostgresError(f"PostgreSQL (process {process.pid}) does not stop. Look into its log, then kill it.")


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process runs; one that has ended and waits for its parent to notice does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _works_in(process: psutil.Process, cluster: Path) -> bool:
    """Tell whether a process is a PostgreSQL of this cluster (its server processes work in the cluster's folder)."""
    try:
        named = process.name().startswith("postgres")
        return named and is_alive(process) and Path(process.cwd()).samefile(cluster)
    except (OSError, psutil.Error):
        return False
