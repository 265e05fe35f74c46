"""Bring a database up to date: roles, numbered migrations (forward only), then functions and policies.

Safe to run twice and from several processes at once: an advisory lock makes them take turns. It goes with its process.
The lock that yoyo keeps in a table stays when a process is killed; whoever has ours may break it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
from yoyo import get_backend, read_migrations  # pyright: ignore[reportMissingTypeStubs]

from schema.errors import DatabaseRefusedError, NewerSchemaError

FOLDER = Path(__file__).resolve().parent
OLDEST_SERVER = 150000
"""Oldest PostgreSQL supported, as ``server_version_num``."""

LOCK = 0x4D46_0001
"""Key of the advisory lock that migrations hold."""


def migrate(owner_url: str) -> list[str]:
    """Bring the database up to date.

    Parameters
    ----------
    owner_url : str
        PostgreSQL URL of a login that is, or may create, ``multiflexi_owner``.

    Returns
    -------
    list[str]
        Names of the migrations that were applied; empty if there was nothing to do.

    Raises
    ------
    DatabaseRefusedError
        The server is down, read-only, older than PostgreSQL 15, or the login lacks a right.
    NewerSchemaError
        A newer version of the program was here before.
    """
    try:
        with psycopg.connect(owner_url, autocommit=True) as connection:
            check_server(connection)
            connection.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
            with refusal_explained(connection):
                prepare_owner(connection)
            applied = apply_migrations(owner_url)
            apply_functions(connection)
            connection.execute("SELECT ensure_partitions(now() - interval '1 month', 13)")
            return applied
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseRefusedError(
            f"The database refused its owner: {error.diag.message_primary}. DATABASE_OWNER_URL must name a login that "
            "is a member of multiflexi_owner, or that may create roles."
        ) from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise DatabaseRefusedError(
            "The database is read-only (a standby, or default_transaction_read_only is on). Point DATABASE_OWNER_URL "
            "at the primary."
        ) from error
    except psycopg.OperationalError as error:
        raise DatabaseRefusedError(
            f"The database cannot be reached: {error}".rstrip(". \n")
            + ". Is PostgreSQL running, and does DATABASE_OWNER_URL name the right database and login?"
        ) from error


def check_server(connection: psycopg.Connection) -> None:
    """Refuse servers that are too old or read-only."""
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise DatabaseRefusedError(
            f"PostgreSQL {version // 10000} is not supported: MultiFlexi needs PostgreSQL 15 or newer. Upgrade it."
        )
    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    if row and row[0]:
        raise DatabaseRefusedError("The database is a read-only standby. Point DATABASE_OWNER_URL at the primary.")


@contextmanager
def refusal_explained(connection: psycopg.Connection) -> Generator[None]:
    """Tell whoever may not make roles what somebody who may has to run."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        statements = connection.execute((FOLDER / "missing_roles.sql").read_bytes()).fetchall()
        if not statements:
            raise
        raise DatabaseRefusedError(
            f"The database refused its owner: {error.diag.message_primary}. DATABASE_OWNER_URL must name a login that "
            "is a member of multiflexi_owner, or that may create roles. Nothing was changed. Let a superuser of the "
            "server run this in the database, then try again:\n" + "\n".join(f"  {row[0]}" for row in statements)
        ) from error


def prepare_owner(connection: psycopg.Connection) -> None:
    """Make the roles where they are missing and act as the owner from here on."""
    connection.execute((FOLDER / "roles.sql").read_bytes())
    connection.execute("SET ROLE multiflexi_owner")
    connection.execute("CREATE SCHEMA IF NOT EXISTS multiflexi")
    connection.execute("SET search_path = multiflexi")


def apply_migrations(owner_url: str) -> list[str]:
    """Apply the numbered migrations that are missing; return their names.

    Raises
    ------
    NewerSchemaError
        The database has migrations that this version of the program does not know.
    """
    scheme, _, rest = owner_url.partition("://")
    separator = "&" if "?" in rest else "?"
    options = quote("-c role=multiflexi_owner -c search_path=multiflexi")
    backend = get_backend(f"{scheme}+psycopg://{rest}{separator}options={options}")
    try:
        backend.break_lock()
        known = read_migrations(str(FOLDER / "migrations"))
        applied = set(backend.get_applied_migration_hashes())
        unknown = len(applied - {migration.hash for migration in known})
        if unknown:
            raise NewerSchemaError(
                f"The database has {unknown} migration(s) that this version of MultiFlexi does not know: a newer one "
                "was here before. Install that version, or restore a backup from before it."
            )
        missing = list(backend.to_apply(known))
        for migration in missing:
            # In one transaction, or a process killed between the two would leave what no other could repeat.
            with backend.transaction():
                backend.connection.execute(Path(migration.path).read_bytes())
                backend.mark_one(migration, log=False)
        return [migration.id for migration in missing]
    finally:
        backend.connection.close()


def apply_functions(connection: psycopg.Connection) -> None:
    """Replace the functions and policies if their text has changed since they were last applied."""
    files = sorted((FOLDER / "functions").glob("*.sql"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    connection.execute("CREATE TABLE IF NOT EXISTS schema_digest (digest text NOT NULL)")
    stored = connection.execute("SELECT digest FROM schema_digest").fetchone()
    if stored and stored[0] == digest:
        return
    with connection.transaction():
        for path in files:
            connection.execute(path.read_bytes())
        connection.execute("SELECT set_policies()")
        connection.execute("DELETE FROM schema_digest")
        connection.execute("INSERT INTO schema_digest VALUES (%s)", (digest,))
