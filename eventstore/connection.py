"""Connections: as which role, for which companies, and the check that the log still lives in the cluster it knows."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Literal

import asyncpg

from eventstore.errors import (
    DatabaseUnavailableError,
    EventStoreError,
    LogMovedError,
    SettingsError,
    UnsupportedDatabaseError,
)
from eventstore.settings import DAEMON_VARIABLES

Role = Literal["app", "scheduler", "executor", "projector", "auditor", "owner"]
Companies = Literal["*"] | Sequence[int]

DATABASE_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a statement may raise: the server's refusals, and all the ways in which a connection breaks under it."""

BROKEN = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""How a connection breaks under a statement. What the server refuses for another reason is not a broken connection."""

READ_ONLY = "The database is read-only: nothing was written. Point DATABASE_URL at the primary, or end the maintenance."

OLDEST_SERVER = 15
"""Oldest major version of PostgreSQL supported."""

EPOCH_QUERY = """
    SELECT (SELECT epoch FROM log_epoch ORDER BY epoch DESC LIMIT 1) AS epoch,
           (SELECT system_identifier FROM log_epoch ORDER BY epoch DESC LIMIT 1) = system_identifier AS at_home
      FROM pg_control_system()
"""


_changed: set[int] = set()
"""Processes of the server whose session is not as it was opened."""


def note_change(connection: asyncpg.pool.PoolConnectionProxy) -> None:
    """Note that the session of a pooled connection is about to be changed: its settings, or locks that it holds."""
    _changed.add(connection.get_server_pid())


async def restore_session(connection: asyncpg.Connection) -> None:
    """Put a session back to how it was opened, if it was changed: a connection goes back to its pool at no cost."""
    pid = connection.get_server_pid()
    if pid in _changed:
        await connection.execute(connection.get_reset_query())
        _changed.discard(pid)


@contextmanager
def database_at_hand() -> Generator[None]:
    """Raise as :class:`DatabaseUnavailableError` whatever says that the database cannot be used now."""
    try:
        yield
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise DatabaseUnavailableError(READ_ONLY) from error
    except BROKEN as error:
        # An argument of the wrong type is an InterfaceError, too: a fault of ours, not of the connection.
        if isinstance(error, EventStoreError | ValueError):
            raise
        reason = str(error) or type(error).__name__
        raise DatabaseUnavailableError(f"The database is away: {reason}. Is PostgreSQL running?") from error


def companies_setting(companies: Companies) -> str:
    """Return the value of ``multiflexi.companies`` for the companies a session acts for."""
    return companies if isinstance(companies, str) else ",".join(str(int(company)) for company in companies)


def server_settings(role: Role, companies: Companies, application: str) -> dict[str, str]:
    """Return what a session is started with: its role, the search path, its companies, UTC."""
    return {
        "application_name": application,
        "role": f"multiflexi_{role}",
        "search_path": "multiflexi",
        "multiflexi.companies": companies_setting(companies),
        "timezone": "UTC",
        "jit": "off",
        "idle_in_transaction_session_timeout": "60s",
    }


def variable_of(role: Role) -> str:
    """Return the variables that may name the login of a role."""
    if role == "owner":
        return "DATABASE_OWNER_URL"
    own = DAEMON_VARIABLES.get(role)
    return f"{own} (DATABASE_URL where that is not set)" if own else "DATABASE_URL"


async def connect(
    url: str, role: Role = "app", companies: Companies = "*", application: str = "multiflexi"
) -> asyncpg.Connection:
    """Open one connection.

    Raises
    ------
    DatabaseUnavailableError
        The server is down or refuses the login.
    SettingsError
        The URL names no database, or the login may not take on the role.
    """
    try:
        return await asyncpg.connect(url, server_settings=server_settings(role, companies, application), timeout=15)
    except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.TooManyConnectionsError) as error:
        raise DatabaseUnavailableError(
            f"The database cannot be reached: {error or type(error).__name__}. Is PostgreSQL running?"
        ) from error
    except (asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise SettingsError(f"The database refused the connection: {error}. Check {variable_of(role)}.") from error
    except asyncpg.PostgresError as error:
        if error.sqlstate in ("22023", "42501", "42704"):
            raise SettingsError(
                f"The login of {variable_of(role)} may not act as multiflexi_{role}: {error}. Migrate the database as "
                f"its owner, then GRANT multiflexi_{role} to the login."
            ) from error
        raise DatabaseUnavailableError(f"The database refused the connection: {error}.") from error


async def connect_as_login(url: str, application: str) -> asyncpg.Connection:
    """Open a connection that takes on no role: with the rights of the login over its own sessions, and no others.

    Raises
    ------
    OSError, asyncpg.PostgresError
        The server is down or refuses the login.
    """
    return await asyncpg.connect(url, server_settings={"application_name": application}, timeout=15)


async def check_log(connection: asyncpg.Connection) -> int:
    """Return the epoch of the log.

    Raises
    ------
    UnsupportedDatabaseError
        The server is older than PostgreSQL 15.
    LogMovedError
        The log was restored into another cluster and not adopted yet.
    SettingsError
        The database has no schema yet.
    """
    if connection.get_server_version().major < OLDEST_SERVER:
        raise UnsupportedDatabaseError(
            f"PostgreSQL {connection.get_server_version().major} is not supported: MultiFlexi needs PostgreSQL "
            f"{OLDEST_SERVER} or newer. Upgrade the server."
        )
    try:
        row = await connection.fetchrow(EPOCH_QUERY)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        raise SettingsError(
            "The database has no MultiFlexi schema. Run `multiflexi-cli database:migrate` first."
        ) from None
    assert row is not None
    if not row["at_home"]:
        raise LogMovedError(
            "The log was restored into another PostgreSQL cluster, where transaction ids start anew. Stop every part "
            "of MultiFlexi that still writes to the old one, then run `multiflexi-cli database:adopt`."
        )
    return row["epoch"]
