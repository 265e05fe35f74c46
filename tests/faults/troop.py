"""Processes of an installation that a test kills at random, and sessions and the server that it strikes too."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import psycopg

from tests.faults.nursery import Born, Nursery
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import MASTER_KEY

TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM (
        SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
         ORDER BY random() LIMIT 1) victim
"""

VICTIM = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
     ORDER BY random() LIMIT 1
"""


class Troop:
    """The processes of a test: each is started again when it was killed.

    Parameters
    ----------
    database : Database
        What they work on.
    commands : Mapping[str, Sequence[str]]
        Of each process, the module that it runs, and its arguments.
    folder : Path
        Where they log, and where jobs have their folders.
    environment : str
        Further variables.
    """

    def __init__(
        self, database: Database, commands: Mapping[str, Sequence[str]], folder: Path, **environment: str
    ) -> None:
        self._environment = {
            **os.environ,
            **database.variables,
            "ENCRYPTION_MASTER_KEY": MASTER_KEY,
            "MULTIFLEXI_WORK_FOLDER": str(folder / "work"),
            **environment,
        }
        self._commands = commands
        self.log_path = folder / "log"
        self._nursery = Nursery()
        self.running: dict[str, Born] = {}
        for name in self._commands:
            self.start(name)

    def start(self, name: str) -> None:
        """Start a process."""
        self.running[name] = self._nursery.start(self._commands[name], self._environment, self.log_path)

    def kill(self, name: str) -> None:
        """Kill a process of ours, and start it anew. It must not have ended by itself."""
        assert not self.running[name].has_ended(), f"{name} ended by itself: {self.tail()}"
        self.running[name].kill()
        self.start(name)

    def tail(self) -> str:
        """Return the end of what they logged."""
        return self.log_path.read_text(errors="replace")[-5000:]

    def stop(self) -> None:
        """Kill all of them."""
        for process in self.running.values():
            process.kill()
        self._nursery.close()


def kill_backend(database: Database) -> None:
    """Cut one session of the database."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute(TERMINATE)


def crash_backend(database: Database) -> None:
    """Kill the process of one session of the test's own server: the server ends all others and recovers."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        row = connection.execute(VICTIM).fetchone()
    if row is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(row[0], signal.SIGKILL)


def kill_postmaster(server: Server) -> None:
    """Kill the test's own server, and start it again."""
    pid = server.postgres.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    server.start()


def strike(victim: str, troop: Troop, server: Server, database: Database) -> None:
    """Kill a victim: ``backend``, ``crash``, ``postmaster``, or a process of the troop by its name."""
    if victim == "backend":
        kill_backend(database)
    elif victim == "crash":
        crash_backend(database)
    elif victim == "postmaster":
        kill_postmaster(server)
    else:
        troop.kill(victim)
