"""Starts daemons by fork from a process that has loaded their modules: to load them takes longer than to be killed.

``python -m tests.faults.nursery`` reads one JSON line for each process to start (``command``: module and arguments,
``environment``, ``log``), and answers its process id. All of them end with it.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

MODULES = ("daemons.executor", "daemons.scheduler", "daemons.projector", "tests.faults.writer")


class Born:
    """A process that was started; the kernel's handle of it, not its number, says which."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def has_ended(self, seconds: float = 0) -> bool:
        """Tell whether it has ended, or does so within some seconds."""
        return bool(select.select([self._handle], [], [], seconds)[0])

    def kill(self) -> None:
        """Kill it, and wait for its end."""
        signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        assert self.has_ended(20)
        os.close(self._handle)


class Nursery:
    """The process that starts others."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Born:
        """Start a module with arguments."""
        assert self._process.stdin and self._process.stdout
        wanted = {"command": list(command), "environment": dict(environment), "log": str(log)}
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        return Born(int(self._process.stdout.readline()))

    def close(self) -> None:
        """Start no more."""
        self._process.communicate(timeout=20)


def main() -> None:
    """Start what is wanted, line by line."""
    for name in MODULES:
        importlib.import_module(name)
    # Nobody waits for the children: the kernel takes them away.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        wanted = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(**wanted)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def become(command: list[str], environment: dict[str, str], log: str) -> None:
    """Be the process that is wanted, as if Python had just been started for it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    null, to = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for source, target in ((null, 0), (to, 1), (to, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [command[0], *command[1:]]
    code = 1
    try:
        runpy.run_module(command[0], run_name="__main__")
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
