"""What every executor offers: prepare, start, output, wait, cancel, adopt.

An executor turns a :class:`Launch` into a :class:`Run`. The rest of the daemon knows only these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from daemons.limits import NONE, Limits


class Sink(Protocol):
    """Where the output of a run goes. While it has no room, nothing more is read from the process."""

    def room(self) -> int:
        """Return how many bytes may be taken now."""
        ...

    def take(self, channel: str, data: bytes) -> None:
        """Take bytes of a channel (``stdout``, ``stderr``), at most as many as there is room for."""
        ...

    def when_room(self, call: Callable[[], None]) -> None:
        """Have a function called once, as soon as there is room again."""
        ...


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
    folder : str
        Clean working directory, the job's own.
    token : str
        Mark of the job's processes, also in the environment.
    limits : Limits
        What it may use.
    run_as : str or None
        User that it runs as; None: the executor's.
    image : str
        OCI image, for executors that run containers.
    """

    job_id: int
    command: list[str]
    environment: dict[str, str]
    folder: str
    token: str = ""
    limits: Limits = NONE
    run_as: str | None = None
    image: str = ""


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended: its exit code, or the signal that killed it, or why it could not be started.

    ``outcome`` is set when how it ended says more than its exit code: ``not_found``, ``timeout``, ``killed``.
    """

    exit_code: int
    signal: int | None = None
    reason: str | None = None
    outcome: str | None = None


class Run(Protocol):
    """A process (container, pod) that was started."""

    @property
    def pid(self) -> int | None:
        """Process id on this host, if it has one."""
        ...

    async def wait(self) -> Ended:
        """Return how it ended, when all of its output has been handed on and nothing of it is left."""
        ...

    async def cancel(self, grace: float) -> None:
        """End it and all that it started: politely, after ``grace`` seconds by force."""
        ...


class Executor(Protocol):
    """A way to run jobs."""

    name: str

    async def start(self, launch: Launch, sink: Sink) -> Run:
        """Start a job whose output goes to ``sink``.

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
