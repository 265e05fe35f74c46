"""What every executor offers: prepare, start, output, wait, cancel, adopt.

An executor turns a :class:`Launch` into a :class:`Run`. The rest of the daemon knows only these.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import msgspec

Received = Callable[[str, bytes], Awaitable[None]]
"""Takes a channel (``stdout``, ``stderr``) and bytes; while it is awaited nothing more is read from that channel."""


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """A job ready to be started.

    Attributes
    ----------
    job_id : int
        Job.
    command : list[str]
        Command line; the first element is looked up in ``PATH`` of the environment.
    environment : dict[str, str]
        The whole environment of the process; nothing else is inherited.
    folder : Path
        Clean working directory, the job's own.
    image : str
        OCI image, for executors that run containers.
    """

    job_id: int
    command: list[str]
    environment: dict[str, str]
    folder: Path
    image: str = ""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended: its exit code, or the signal that killed it, or why it could not be started."""

    exit_code: int
    signal: int | None = None
    reason: str | None = None
    not_found: bool = False


class Run(Protocol):
    """A process (container, pod) that was started."""

    @property
    def pid(self) -> int | None:
        """Process id on this host, if it has one."""
        ...

    async def wait(self, received: Received) -> Ended:
        """Hand on all output and return how it ended."""
        ...

    async def cancel(self, grace: float) -> None:
        """End it and all that it started: politely, after ``grace`` seconds by force."""
        ...


class Executor(Protocol):
    """A way to run jobs."""

    name: str

    async def start(self, launch: Launch) -> Run:
        """Start a job.

        Raises
        ------
        StartError
            It cannot be started; the error says how that ends the job.
        """
        ...


class StartError(Exception):
    """A job could not be started."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.reason)
        self.ended = ended
