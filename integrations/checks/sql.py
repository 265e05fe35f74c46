"""Whether a database takes its login: PostgreSQL, MySQL and SQLite are signed in to, of others the port is tried."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import asyncpg
import msgspec

from integrations.checks.options import Encryption
from integrations.checks.result import AVAILABLE, DEGRADED, MISCONFIGURED, Checked
from integrations.checks.tcp import check_tcp, failed

PORTS = {"postgresql": 5432, "mysql": 3306, "sqlserver": 1433}
KINDS = {
    "pgsql": "postgresql",
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "sqlite3": "sqlite",
    "sqlsrv": "sqlserver",
    "mssql": "sqlserver",
    "sqlserver": "sqlserver",
    "dblib": "sqlserver",
}
"""What credentials call databases, and what is meant."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Where a database is, how to sign in, and whether the connection must be encrypted."""

    host: str
    port: int | None
    name: str
    user: str
    password: str
    encryption: Encryption = Encryption()


async def check_sql(named: str, login: Login, timeout: float) -> Checked:
    """Sign in to a database and ask it something.

    Parameters
    ----------
    named : str
        What the credential calls the kind of database, e.g. ``pgsql``.
    login : Login
        Where it is.
    timeout : float
        Seconds after which it is given up.
    """
    kind = KINDS.get(named.strip().lower())
    if kind is None:
        return Checked(outcome=MISCONFIGURED, kind="sql", message="The kind of database is not known: is it right?")
    if kind == "sqlite":
        return await asyncio.to_thread(_sqlite, login.name)
    if not login.host:
        return Checked(outcome=MISCONFIGURED, kind=kind, message="The credential does not say where the database is.")
    port = login.port or PORTS[kind]
    if kind == "mysql":
        # The driver is for whoever has such a database.
        from integrations.checks.mysql import check_mysql  # noqa: PLC0415

        return await check_mysql(login, port, timeout)
    if kind != "postgresql":
        return await check_tcp(login.host, port, timeout, " Whether it takes the login was not tried.")
    return await _postgresql(login, port, timeout)


async def _postgresql(login: Login, port: int, timeout: float) -> Checked:
    kind, server = "postgresql", f"{login.host}:{port}"
    try:
        async with asyncio.timeout(timeout):
            connection = await asyncpg.connect(
                host=login.host, port=port, user=login.user or None, password=login.password or None,
                database=login.name or None, timeout=timeout, passfile="/nonexistent",
            )  # fmt: skip
            try:
                await connection.fetchval("SELECT 1")
            finally:
                connection.terminate()
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        what = "database" if isinstance(error, asyncpg.InvalidCatalogNameError) else "login"
        return Checked(outcome=MISCONFIGURED, kind=kind, message=f"{server} does not know this {what}.")
    except asyncpg.PostgresError as error:
        return Checked(outcome=DEGRADED, kind=kind, message=f"{server} answers, but refuses ({error.sqlstate}).")
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        return failed(kind, server, error)
    return Checked(outcome=AVAILABLE, kind=kind, message=f"{server} takes the login and answers.")


def _sqlite(path: str) -> Checked:
    kind = "sqlite"
    if not path or not Path(path).is_file():
        return Checked(outcome=MISCONFIGURED, kind=kind, message="There is no such file on this host.")
    try:
        connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return Checked(outcome=MISCONFIGURED, kind=kind, message="The file is no SQLite database, or cannot be read.")
    return Checked(outcome=AVAILABLE, kind=kind, message="The file is a database and can be read.")
