"""Where benchmarks run: databases of their own on a durable server."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from daemons.prepare import prepare
from schema.migrate import migrate
from tests.testbed.postgres import Database, Server


class Databases(Protocol):
    """What makes and drops empty databases."""

    def empty_database(self) -> Database:
        """Make a database without any table."""
        ...

    def drop(self, database: Database) -> None:
        """Drop a database, whoever is connected to it."""
        ...


class GivenServer:
    """Databases on a server that runs already.

    Parameters
    ----------
    url : str
        URL of a login that may create databases and roles.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = itertools.count(1)

    def empty_database(self) -> Database:
        """Make a database without any table."""
        name = f"multiflexi_benchmark_{os.getpid()}_{next(self._numbers)}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            version = connection.info.server_version // 10000
        url = urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))
        return Database(name, version, url, url, url, ())

    def drop(self, database: Database) -> None:
        """Drop a database, whoever is connected to it."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database.name)))


class Place:
    """Makes the databases that benchmarks run on."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self.version = ""
        """Version of the server, once it made a database."""

    @contextmanager
    def database(self, *, read_models: bool = False) -> Iterator[Database]:
        """Make a migrated database, with its read models if asked for; drop it in the end."""
        made = self._databases.empty_database()
        try:
            (prepare if read_models else migrate)(made.owner_url)
            with psycopg.connect(made.superuser_url) as connection:
                self.version = connection.info.parameter_status("server_version") or ""
            yield made
        finally:
            self._databases.drop(made)


@contextmanager
def place() -> Iterator[Place]:
    """Give the server of ``DATABASE_URL``, or one of our own that goes when the benchmarks are done."""
    if url := os.environ.get("DATABASE_URL"):
        yield Place(GivenServer(url))
        return
    # No checkpoint in the middle of a measurement: it would hit one side and not the other.
    with Server(durable=True, max_wal_size="8GB", checkpoint_timeout="30min") as server:
        yield Place(server)
