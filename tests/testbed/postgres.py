"""PostgreSQL for tests: a server in a temporary folder, and a fresh migrated database in some milliseconds.

::

    with Server(18) as server:
        database = server.fresh_database()
        psycopg.connect(database.app_url)
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import msgspec
import psycopg
from psycopg import sql

from daemons import data_folder, postmaster
from daemons.logins import APP_LOGIN, DAEMON_LOGINS, OWNER_LOGIN, SUPERUSER
from daemons.postgres import EmbeddedPostgres, create_database, find_binaries

EMBEDDED_VERSION = 18
OLDEST_VERSION = 15
TEMPLATE = "multiflexi_template"

NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
"""For tests in which nothing is killed: three times as fast."""


PREFIX = "multiflexi-test-"
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 2 * 1024**3


def _memory() -> Path | None:
    """Return a folder in memory, in which a copy of the template takes a tenth of the time; None if it is too small."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED:
        return MEMORY
    return None


def sweep() -> None:
    """End servers whose test run was killed, and remove their folders: nobody holds their lock any more."""
    for place in (MEMORY, Path(tempfile.gettempdir())):
        for folder in place.glob(f"{PREFIX}*"):
            lock = data_folder.Lock(folder, "postgres")
            try:
                if folder.stat().st_mtime > time.time() - 60:
                    continue  # perhaps of a run that begins just now
                lock.take()
            except (data_folder.DataFolderInUseError, OSError):
                continue
            if server := postmaster.find(folder / "postgres"):
                postmaster.end(server, 5)
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()


class Database(msgspec.Struct, frozen=True):
    """A database of a test.

    Attributes
    ----------
    name : str
        Its name.
    version : int
        Major version of its server.
    app_url, owner_url, superuser_url : str
        URLs of the logins of the application, the owner and the superuser.
    daemon_urls : tuple[tuple[str, str], ...]
        Of each kind of daemon the URL of its login.
    """

    name: str
    version: int
    app_url: str
    owner_url: str
    superuser_url: str
    daemon_urls: tuple[tuple[str, str], ...]

    def url_of(self, role: str) -> str:
        """Return the URL of the login that may take on a role (``app``, ``scheduler``, …)."""
        return {**dict(self.daemon_urls), "owner": self.owner_url}.get(role, self.app_url)

    @property
    def variables(self) -> dict[str, str]:
        """The variables that tell a process of each login."""
        urls = {"DATABASE_URL": self.app_url, "DATABASE_OWNER_URL": self.owner_url}
        return urls | {f"DATABASE_{kind.upper()}_URL": url for kind, url in self.daemon_urls}


class Server:
    """A PostgreSQL server of tests, in a temporary folder that goes with it.

    Parameters
    ----------
    version : int
        Major version.
    durable : bool
        Whether commits reach the disk, as in production. Off unless the test kills the server.
    settings : str
        Further settings of the server.
    """

    def __init__(self, version: int = EMBEDDED_VERSION, *, durable: bool = False, **settings: str) -> None:
        self.version = version
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=None if durable else _memory()))
        self.postgres = EmbeddedPostgres(
            self.folder, binaries=find_binaries(version), settings={**({} if durable else NOT_DURABLE), **settings}
        )
        self._numbers = itertools.count(1)
        self._has_template = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, also after it was killed."""
        self.postgres.start()

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)  # another run may sweep it out, now that its lock is free

    def empty_database(self) -> Database:
        """Make a database without any table: nothing has been migrated."""
        return self._make("template1")

    def fresh_database(self) -> Database:
        """Make a database as an installation has it, migrated and with read models: a copy of a template made once."""
        if not self._has_template:
            self._make_template()
        return self._make(TEMPLATE)

    def drop(self, database: Database) -> None:
        """Drop a database, whoever is connected to it."""
        with self._superuser() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database.name)))

    def database(self, name: str) -> Database:
        """Return the URLs of a database by its name."""
        url = self.postgres.url
        daemons = tuple((kind, url(login, name)) for kind, login in DAEMON_LOGINS.items())
        return Database(name, self.version, url(APP_LOGIN, name), url(OWNER_LOGIN, name), url(SUPERUSER, name), daemons)

    def _make(self, template: str) -> Database:
        name = f"test_{next(self._numbers)}"
        with self._superuser() as connection:
            create_database(connection, name, template)
        return self.database(name)

    def _make_template(self) -> None:
        # Only here: tests of the server itself need no schema.
        from daemons.prepare import prepare

        with self._superuser() as connection:
            create_database(connection, TEMPLATE)
        prepare(self.database(TEMPLATE).owner_url)
        with self._superuser() as connection:
            # A copy is only made of a database that nobody is connected to, autovacuum included.
            name = sql.Identifier(TEMPLATE)
            connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false IS_TEMPLATE true").format(name))
            ending = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(ending, [TEMPLATE])
        self._has_template = True

    def _superuser(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.postgres.url(SUPERUSER, "postgres"), autocommit=True)
