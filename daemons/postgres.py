"""An embedded PostgreSQL: one cluster in the data folder, reached through a Unix socket of its own.

The server is a process of its own session. It outlives the process that started it when that one is killed; the next
start finds it by ``postmaster.pid`` and takes it over. Authentication is ``peer``: the kernel says who connects, and
only the user who runs MultiFlexi is let in, so there is no password to keep.

A cluster is made in ``postgres.new-…`` and renamed to ``postgres`` when it is complete: what is left of an interrupted
start is never taken for a cluster, and a cluster is never taken for a leftover.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from daemons import data_folder, logins, postmaster, socket_folder
from daemons.logins import APP_LOGIN, DAEMON_LOGINS, OWNER_LOGIN, OWNER_ROLE, SUPERUSER
from daemons.postgres_binaries import (
    OLDEST_VERSION,
    Binaries,
    PostgresError,
    ServerUser,
    command_as,
    find_binaries,
    our_name,
    owner_of,
    server_user,
)

__all__ = [
    "APP_LOGIN",
    "DAEMON_LOGINS",
    "DATABASE",
    "OWNER_LOGIN",
    "SUPERUSER",
    "Binaries",
    "EmbeddedPostgres",
    "PostgresError",
    "find_binaries",
]

DATABASE = "multiflexi"

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "off",
    "max_locks_per_transaction": "256",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_lock_waits": "on",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
}
"""Settings of the server, suited to two cores; what an administrator sets with ALTER SYSTEM overrides them."""

BOOTSTRAP = Path(__file__).with_name("bootstrap.sql")

_POLL = 0.02


class EmbeddedPostgres:
    """A PostgreSQL server of our own in a data folder.

    Parameters
    ----------
    folder : Path
        Data folder; the cluster lies in its ``postgres``.
    binaries : Binaries | None
        Programs to use; by default those of the cluster's version, or for a new cluster the preferred ones.
    settings : Mapping[str, str]
        Settings of the server that differ from :data:`SETTINGS`.

    Examples
    --------
    ::

        with EmbeddedPostgres(Path("data")) as server:
            connection = psycopg.connect(server.url("multiflexi_app_login"))
    """

    def __init__(
        self, folder: Path, *, binaries: Binaries | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder.resolve()
        self.cluster = self.folder / "postgres"
        self._chosen = binaries
        self._settings = {**SETTINGS, **(settings or {})}
        self._lock = data_folder.Lock(self.folder, "postgres")
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def binaries(self) -> Binaries:
        """The programs in use.

        Raises
        ------
        PostgresError
            The cluster is of a version that is not installed here, or not supported.
        """
        made_by = self._cluster_version()
        if self._chosen is None:
            self._chosen = self._binaries_for(made_by)
        if made_by is not None and self._chosen.version != made_by:
            raise PostgresError(_other_version(self.cluster, made_by, f"{self._chosen.version} was chosen"))
        if self._chosen.version < OLDEST_VERSION:
            raise PostgresError(
                f"PostgreSQL {self._chosen.version} is too old: MultiFlexi needs {OLDEST_VERSION} or newer."
            )
        return self._chosen

    @property
    def socket_folder(self) -> Path:
        """Folder of the server's socket: short, and the same whenever the data folder is."""
        return socket_folder.of(self.folder)

    @property
    def pid(self) -> int | None:
        """Process id of the server, or None when it does not run."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        process = postmaster.find(self.cluster)
        return process.pid if process else None

    def is_running(self) -> bool:
        """Tell whether the server runs."""
        return self.pid is not None

    def url(self, user: str, database: str = DATABASE) -> str:
        """Return the URL of a database for a login; psycopg, asyncpg and libpq's tools understand it."""
        return f"postgresql://{quote(user)}@/{quote(database, safe='')}?host={quote(str(self.socket_folder))}"

    def login_urls(self) -> tuple[str, str, dict[str, str]]:
        """Return the URLs of the application's login, of the owner's, and of each kind of daemon."""
        return self.url(APP_LOGIN), self.url(OWNER_LOGIN), {k: self.url(login) for k, login in DAEMON_LOGINS.items()}

    def start(self, *, timeout: float = 300.0) -> None:
        """Start the server, or take over the one that runs; make the cluster if there is none.

        Parameters
        ----------
        timeout : float
            Seconds to wait until it accepts connections (recovery after an unclean stop takes its time).

        Raises
        ------
        PostgresError
            It does not start, or another process has this data folder.
        """
        data_folder.prepare(self.folder)
        taken = self._lock.take()
        try:
            if self._cluster_version() is None:
                self._make_cluster()
            self._check_owner()
            _ = self.binaries
            if self._adopt(timeout):
                self._admit()  # a version of ours with fewer logins may have started it
            else:
                self._launch()
                self._wait_until_ready(timeout)
            self._bootstrap()
        except BaseException:
            if taken:
                self._lock.release()
            raise

    def stop(self, *, timeout: float = 30.0) -> None:
        """Stop the server: end its connections, write what is open, and wait until it is gone.

        Parameters
        ----------
        timeout : float
            Seconds until it is stopped without a checkpoint; it then recovers at the next start.

        Raises
        ------
        PostgresError
            It does not stop.
        """
        try:
            if process := postmaster.find(self.cluster):
                postmaster.end(process, timeout)
            if self._child is not None:
                self._child.wait()
                self._child = None
            socket_folder.remove(self.socket_folder)
        finally:
            self._lock.release()

    def abort(self) -> None:
        """End the server at once; it recovers at the next start. For the impatient, while :meth:`stop` waits."""
        if process := postmaster.find(self.cluster):
            process.send_signal(signal.SIGQUIT)

    @property
    def _user(self) -> ServerUser:
        """Who the server runs as: the owner of its cluster."""
        return owner_of(self.cluster) if self.cluster.exists() else server_user()

    def _binaries_for(self, made_by: int | None) -> Binaries:
        if made_by is None:
            return find_binaries()
        try:
            return find_binaries(made_by)
        except PostgresError as error:
            raise PostgresError(_other_version(self.cluster, made_by, str(error))) from None

    def _cluster_version(self) -> int | None:
        """Return the major version that made the cluster, None when there is none.

        Raises
        ------
        PostgresError
            The folder holds something that is no cluster, or is not ours.
        """
        try:
            return int((self.cluster / "PG_VERSION").read_text().strip().partition(".")[0])
        except PermissionError:
            raise PostgresError(
                f"{self.cluster} belongs to another user ({self.cluster.owner()}). Run MultiFlexi as the user who made "
                "it, or set MULTIFLEXI_DATA to another folder."
            ) from None
        except FileNotFoundError:
            if self.cluster.is_dir() and any(self.cluster.iterdir()):
                raise PostgresError(
                    f"{self.cluster} holds files but no PostgreSQL cluster (PG_VERSION is missing). It is left as it "
                    "is: restore it from a backup, or move it away to start with an empty database."
                ) from None
            return None

    def _check_owner(self) -> None:
        """Give a cluster that root copied or restored back to a user that PostgreSQL may run as."""
        if os.geteuid() == 0 and self.cluster.stat().st_uid == 0:
            user = server_user()
            for path in [self.cluster, *self.cluster.rglob("*")]:
                os.chown(path, user.uid, user.gid, follow_symlinks=False)

    def _as_user(self, command: list[str]) -> tuple[list[str], dict[str, Any]]:
        return command_as(self._user, command, [self.cluster, Path(command[0])])

    def _make_cluster(self) -> None:
        """Make a cluster in a folder of its own and rename it when it is complete."""
        for leftover in self.folder.glob("postgres.new-*"):
            # An initdb that its killed parent left may still write there: it is in nobody's way.
            shutil.rmtree(leftover, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.folder))
        self._user.own(fresh)
        command, options = self._as_user(
            [
                self.binaries.program("initdb"), "--pgdata", str(fresh), "--username", SUPERUSER, "--encoding", "UTF8",
                *_locale(self.binaries.version), "--data-checksums", "--auth-local", "peer", "--auth-host", "reject",
            ]
        )  # fmt: skip
        result = subprocess.run(
            command, **_process_options(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options
        )
        if result.returncode:
            raise PostgresError(f"The cluster could not be made:\n{result.stdout.decode(errors='replace').strip()}")
        with (fresh / "postgresql.conf").open("a") as configuration:
            configuration.write("\n# Written anew at every start.\ninclude_if_exists = 'multiflexi.conf'\n")
        fresh.replace(self.cluster)
        data_folder.sync(self.folder)

    def _configure(self) -> None:
        """Write the settings, and who may connect."""
        settings = {**self._settings, "unix_socket_directories": str(self.socket_folder)}
        self._write("multiflexi.conf", "".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items()))
        self._admit()

    def _admit(self) -> None:
        """Write who may connect: only the user that runs MultiFlexi, as any of our logins."""
        self._write("pg_hba.conf", "local all all peer map=multiflexi\nlocal replication all peer map=multiflexi\n")
        ours = our_name().replace('"', '""')
        self._write("pg_ident.conf", "".join(f'multiflexi "{ours}" {login}\n' for login in logins.ALL))

    def _write(self, name: str, text: str) -> None:
        path = self.cluster / name
        path.write_text(text)
        path.chmod(0o600)
        self._user.own(path)

    def _launch(self) -> None:
        postmaster.clear(self.cluster)
        socket_folder.make(self.socket_folder, self._user)
        self._configure()
        self._write("start.log", "")
        command, options = self._as_user([self.binaries.program("postgres"), "-D", str(self.cluster)])
        with (self.cluster / "start.log").open("ab") as output:
            options |= {**_process_options(), "stdout": output, "stderr": output}
            self._child = subprocess.Popen[bytes](command, **options)

    def _adopt(self, timeout: float) -> bool:
        """Tell whether a server of this cluster runs that answers us; end one that does not."""
        process = postmaster.find(self.cluster)
        if process is None:
            return False
        until = time.monotonic() + timeout
        while postmaster.status(self.cluster) == "starting" and process.is_running() and time.monotonic() < until:
            time.sleep(_POLL)
        try:
            with psycopg.connect(self.url(SUPERUSER, "postgres"), connect_timeout=10):
                return True
        except psycopg.OperationalError:
            # Killed a moment ago, shutting down, or its socket was swept away: a fresh start puts all of it right.
            postmaster.end(process, 30.0)
            return False

    def _wait_until_ready(self, timeout: float) -> None:
        until = time.monotonic() + timeout
        while postmaster.status(self.cluster) != "ready":
            if self._child is not None and self._child.poll() is not None:
                raise PostgresError(f"PostgreSQL did not start:\n{self._log_tail()}")
            if time.monotonic() > until:
                raise PostgresError(f"PostgreSQL is not ready after {timeout:.0f} s:\n{self._log_tail()}")
            time.sleep(_POLL)

    def _log_tail(self) -> str:
        newest = sorted(self.cluster.glob("log/*.log"), key=lambda path: path.stat().st_mtime)[-1:]
        text = "".join(path.read_text(errors="replace") for path in [self.cluster / "start.log", *newest])
        return "\n".join(text.splitlines()[-15:])

    def _bootstrap(self) -> None:
        """Make roles, logins and the database where they are missing."""
        with psycopg.connect(self.url(SUPERUSER, "postgres"), autocommit=True) as connection:
            connection.execute(BOOTSTRAP.read_bytes())
            connection.execute("SELECT pg_reload_conf()")
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                create_database(connection, DATABASE)


def create_database(connection: psycopg.Connection[Any], name: str, template: str = "template1") -> None:
    """Make a database that belongs to the owner role.

    Parameters
    ----------
    connection : psycopg.Connection
        Connection of the superuser, in autocommit mode.
    name, template : str
        The database, and the one it is a copy of.
    """
    # Copying the files is several times as fast as writing them through the log.
    statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY file_copy")
    connection.execute(statement.format(*map(sql.Identifier, (name, OWNER_ROLE, template))))


def _locale(version: int) -> list[str]:
    """Return the options of ``initdb`` for an order of text that no update of the C library changes."""
    if version >= 17:
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C.UTF-8", "--lc-messages=C"]


def _process_options() -> dict[str, Any]:
    """Return what all programs of PostgreSQL start with: of our environment nothing that leads elsewhere, no secret."""
    environment = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {
        "cwd": "/",
        "env": {**environment, "LC_ALL": "C"},
        "stdin": subprocess.DEVNULL,
        "start_new_session": True,  # the terminal's Ctrl-C is not for it
    }


def _quoted(value: str) -> str:
    """Quote a value for ``postgresql.conf``."""
    return "'" + value.replace("'", "''") + "'"


def _other_version(cluster: Path, made_by: int, problem: str) -> str:
    return (
        f"{cluster} was made by PostgreSQL {made_by}. {problem.rstrip('.')}. Install PostgreSQL {made_by}; or dump the "
        "database with it and restore that into a new data folder (MULTIFLEXI_DATA)."
    )
