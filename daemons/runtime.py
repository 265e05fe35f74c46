"""What every daemon does alike: log, answer signals, outlive an absent database, and show that it is alive.

A daemon is a coroutine that works until it is told to stop. Its sign of life is a row in ``daemons``: state, not
events.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import DatabaseUnavailableError, EventStoreError
from eventstore.settings import Settings, load
from eventstore.store import EventStore
from projections.registry import inline_folds

BEAT = 5.0
"""Seconds between signs of life."""

RETRY_AFTER = 1.0
"""Seconds after which a database that is away is tried again."""

SIGN_OF_LIFE = """
    INSERT INTO daemons AS d (id, kind, host, machine, pid, version, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), detail = excluded.detail, machine = excluded.machine,
                                   version = excluded.version,
                                   started_at = CASE WHEN $8 THEN excluded.started_at ELSE d.started_at END
"""
FAREWELL = "DELETE FROM daemons WHERE id = $1"

log = structlog.get_logger(__name__)


def program_version() -> str:
    """Return the version of the installed program."""
    try:
        return version("multiflexi")
    except PackageNotFoundError:
        return "0"


def this_machine() -> str:
    """Return what tells apart machines, and containers, whose processes have numbers of their own (pid_namespaces(7)).

    Another after each start of the machine, when nothing runs any more that ran before. Host names may be the same.
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - it leads to no file


def configure_log() -> None:
    """Log one line an event to standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


Kind = Literal["scheduler", "executor", "projector"]


class Daemon:
    """Identity of a running daemon, its wish to stop, and its sign of life.

    Attributes
    ----------
    kind : Kind
        What it does; it acts in the database as the role of that name.
    id : str
        ``KIND@HOST:PID``.
    machine : str
        Where its process is known by its number.
    stopping : asyncio.Event
        Set when the daemon is to stop.
    detail : dict
        Figures shown with the sign of life, e.g. running jobs.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.host = socket.gethostname()
        self.machine = this_machine()
        self.pid = os.getpid()
        self.id = f"{kind}@{self.host}:{self.pid}"
        self.stopping = asyncio.Event()
        self.detail: dict[str, object] = {}
        self._is_new = True  # one that crashed may have had the same number

    async def show_life(self, store: EventStore) -> None:
        """Show life every few seconds until the daemon stops, then take the row away."""
        while not self.stopping.is_set():
            try:
                await self._give_sign(store)
            except DATABASE_ERRORS as error:
                log.warning("no sign of life given", error=str(error))
            await self.pause(BEAT)
        with suppress(*DATABASE_ERRORS):
            await store.pool.execute(FAREWELL, self.id)

    async def _give_sign(self, store: EventStore) -> None:
        who = self.id, self.kind, self.host, self.machine, self.pid, program_version()
        detail = msgspec.json.encode(self.detail).decode()
        await store.pool.execute(SIGN_OF_LIFE, *who, detail, self._is_new)
        self._is_new = False

    async def pause(self, seconds: float) -> None:
        """Wait, or return at once when the daemon is to stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()


Work = Callable[[EventStore, Daemon], Awaitable[None]]


async def serve(daemon: Daemon, settings: Settings, work: Work, inline: Mapping[str, list[str]]) -> None:
    """Open the store, work, show life; begin anew when the database was away, until the daemon is to stop."""
    while not daemon.stopping.is_set():
        try:
            async with (
                EventStore(settings, role=daemon.kind, inline=inline, application=daemon.id) as store,
                asyncio.TaskGroup() as group,
            ):
                group.create_task(daemon.show_life(store))
                await work(store, daemon)
                daemon.stopping.set()
        except* (DatabaseUnavailableError, *DATABASE_ERRORS) as errors:
            log.warning("the database is away; trying again", error="; ".join(str(e) for e in errors.exceptions))
            await daemon.pause(RETRY_AFTER)


def run(kind: Kind, work: Work) -> int:
    """Run a daemon until SIGTERM, SIGINT or, unless it is ignored, SIGHUP; return its exit code."""
    configure_log()

    async def main() -> None:
        daemon = Daemon(kind)
        loop = asyncio.get_running_loop()
        wanted = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup(1)
            wanted.remove(signal.SIGHUP)
        for number in wanted:
            loop.add_signal_handler(number, daemon.stopping.set)
        log.info("started", daemon=daemon.id)
        await serve(daemon, load(), work, inline_folds())
        log.info("stopped", daemon=daemon.id)

    try:
        asyncio.run(main())
    except (EventStoreError, ExceptionGroup) as error:
        for line in messages(error):
            print(f"{kind}: {line}", file=sys.stderr)
        return 1
    return 0


def messages(error: BaseException) -> list[str]:
    """Return what the errors of ours in a group say; raise the group again if others are in it."""
    if isinstance(error, EventStoreError):
        return [str(error)]
    if isinstance(error, BaseExceptionGroup) and not error.split(EventStoreError)[1]:
        return [line for inner in error.exceptions for line in messages(inner)]
    raise error
