"""Fold read models anew from the log while the old ones serve, then swap them; or fold them as they stood at a moment.

A rebuild makes the tables and the fold in a schema of its own that stands first in the search path, so that the very
same fold writes there. In one short transaction it folds the rest and moves the new tables to where the old ones were.
Readers wait for that moment and find the new tables under the old names. Appends wait only for inline projections,
which must not miss one; the others stand where the projector may have brought them, and it goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

import psycopg
from psycopg import sql

from projections.errors import RebuildError, ReplayError
from projections.install import install
from projections.lanes import BATCH, OWNER_OPTIONS, Progress, counted_once, fold, fold_in_parallel, lanes_of
from projections.projection import Projection
from projections.registry import ALL, named

CAUGHT_UP = 2_000
"""So few events are left to fold that appends may be held off for them."""

LOCK_TIMEOUT = "250ms"
"""How long a swap waits for appends under way, and then for readers of the old tables, while others wait for it. Both
together are far shorter than PostgreSQL's ``deadlock_timeout``, which counts from when the other began to wait: of two
that wait for each other, the swap gives way."""

WRITERS_TIMEOUT = 10.0
"""Seconds that a replay waits for transactions that had begun before it and may still append."""

SWAP_ATTEMPTS = 30
LONGEST_PAUSE = 2.0
"""Seconds between two attempts, once there have been many."""

REBUILD_LOCK = 0x4D46_0003
"""Key of the advisory lock that a rebuild holds: one at a time, so that what a killed one left can be told."""

PROJECTOR_TIMEOUT = "2s"
"""How long a swap waits for the projector to end a batch. Nobody waits for the swap meanwhile but the projector."""

LEFTOVERS = """
    SELECT nspname FROM pg_namespace
     WHERE nspname ~ '^rebuild_[0-9]+$' AND pg_get_userbyid(nspowner) = current_user
"""
THERE = """
    SELECT relname FROM pg_class
     WHERE relnamespace = 'multiflexi'::regnamespace AND relkind = 'r' AND relname = ANY (%s) ORDER BY relname
"""
PUT_IN_PLACE = """
    INSERT INTO multiflexi.projections AS p (name, version, inline, epoch, xid, position, event_time, rebuilt_at)
    SELECT name, version, inline, epoch, xid, position, event_time, clock_timestamp() FROM {} WHERE name = %s
    ON CONFLICT (name) DO UPDATE
       SET version = excluded.version, inline = excluded.inline, epoch = excluded.epoch, xid = excluded.xid,
           position = excluded.position, event_time = excluded.event_time, updated_at = clock_timestamp(),
           rebuilt_at = excluded.rebuilt_at
"""


def rebuild(owner_url: str, name: str | Sequence[str], progress: Progress | None = None, *, batch: int = BATCH) -> int:
    """Build projections anew beside the old ones and swap them.

    Parameters
    ----------
    owner_url : str
        PostgreSQL URL of a login that is a member of ``multiflexi_owner``.
    name : str or Sequence[str]
        Projections to rebuild.
    progress : Progress or None
        Called after each batch, from several threads, but by one at a time.
    batch : int
        Events folded at a time.

    Returns
    -------
    int
        Events folded.

    Raises
    ------
    UnknownProjectionError
        There is no projection of that name.
    RebuildError
        Others held the old tables for too long.
    """
    projections = [named(one) for one in ([name] if isinstance(name, str) else name)]
    schema = f"rebuild_{time.time_ns() // 1000}"
    with psycopg.connect(owner_url, autocommit=True, options=OWNER_OPTIONS) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (REBUILD_LOCK,))
        _drop_leftovers(connection)
        _make_schema(connection, schema, projections)
        try:
            lanes = lanes_of(projections)
            folded = fold_in_parallel(owner_url, schema, lanes, batch=batch, stop_below=CAUGHT_UP, progress=progress)
            folded += _catch_up_and_swap(connection, schema, projections, batch)
        finally:
            if not connection.broken:
                _drop_schema(connection, schema)
    return folded


def replay(
    owner_url: str,
    names: Sequence[str],
    until: datetime,
    schema: str | None = None,
    progress: Progress | None = None,
    *,
    batch: int = BATCH,
) -> str:
    """Build projections as they stood at a moment, in a schema of their own that stays until it is dropped.

    Parameters
    ----------
    owner_url : str
        PostgreSQL URL of a login that is a member of ``multiflexi_owner``.
    names : Sequence[str]
        Projections to build; empty: all of them.
    until : datetime
        Recording time, with its zone, up to which events count.
    schema : str or None
        Name of the schema; made from the moment unless told.
    progress : Progress or None
        Called after each batch, from several threads, but by one at a time.
    batch : int
        Events folded at a time.

    Returns
    -------
    str
        Name of the schema with the tables.

    Raises
    ------
    ReplayError
        The moment has no time zone, the schema exists, or another transaction hides the end of the log.
    """
    if until.tzinfo is None:
        raise ReplayError(
            f"{until.isoformat()} has no time zone: write it with Z or an offset, e.g. 2026-01-31T12:00:00Z."
        )
    projections = [named(name) for name in names] if names else list(ALL)
    schema = schema or f"replay_{until.astimezone().strftime('%Y%m%dt%H%M%S')}_{time.time_ns() // 1000 % 1_000_000:06d}"
    with psycopg.connect(owner_url, autocommit=True, options=OWNER_OPTIONS) as connection:
        _wait_for_writers(connection)
        try:
            _make_schema(connection, schema, projections)
        except psycopg.errors.DuplicateSchema:
            raise ReplayError(f"Schema {schema} exists. Drop it, or choose another name.") from None
        try:
            fold_in_parallel(owner_url, schema, lanes_of(projections), batch=batch, until=until, progress=progress)
            connection.execute(
                sql.SQL("GRANT USAGE ON SCHEMA {} TO multiflexi_app, multiflexi_auditor").format(sql.Identifier(schema))
            )
        except BaseException:
            if not connection.broken:
                _drop_schema(connection, schema)
            raise
    return schema


def _wait_for_writers(connection: psycopg.Connection) -> None:
    """Wait until all that is committed may be read: until no transaction runs that had begun before now."""
    now = connection.execute("SELECT pg_current_xact_id()").fetchone()
    assert now is not None
    give_up = time.monotonic() + WRITERS_TIMEOUT
    while connection.execute("SELECT pg_snapshot_xmin(pg_current_snapshot()) < %s::xid8", now).fetchone() == (True,):
        if time.monotonic() > give_up:
            raise ReplayError(
                "A transaction that has been running for long may still append events of that time: "
                "`multiflexi-cli status` names it. End it, or try again when it has ended."
            )
        time.sleep(0.02)


def drop_replay(owner_url: str, schema: str) -> None:
    """Drop the schema of a replay."""
    if not schema.startswith("replay_"):
        raise ReplayError(f"{schema} is not the schema of a replay.")
    with psycopg.connect(owner_url, autocommit=True, options=OWNER_OPTIONS) as connection:
        _drop_schema(connection, schema)


def _drop_schema(connection: psycopg.Connection, schema: str) -> None:
    connection.execute("SET search_path = multiflexi")
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))


def _drop_leftovers(connection: psycopg.Connection) -> None:
    """Drop what rebuilds that were killed have left."""
    for (schema,) in connection.execute(LEFTOVERS).fetchall():
        _drop_schema(connection, schema)


def _make_schema(connection: psycopg.Connection, schema: str, projections: Sequence[Projection]) -> None:
    with connection.transaction():
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        connection.execute(sql.SQL("SET search_path = {}, multiflexi").format(sql.Identifier(schema)))
        for table in ("projections", "skipped_events"):
            connection.execute(
                sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(
                    sql.Identifier(schema, table), sql.Identifier("multiflexi", table)
                )
            )
        for projection in projections:
            install(connection, projection)


def _fold(
    connection: psycopg.Connection,
    projections: Sequence[Projection],
    *,
    batch: int,
    alone: bool = False,
    stop_below: int = 1,
) -> int:
    """Fold from where the projections stand, lane by lane; return how many events there were."""
    lanes = lanes_of(projections)
    counts = [sum(fold(connection, lane, batch=batch, alone=alone, stop_below=stop_below)) for lane in lanes]
    return counted_once(lanes, counts)


def _catch_up_and_swap(
    connection: psycopg.Connection, schema: str, projections: Sequence[Projection], batch: int
) -> int:
    """Fold the rest and swap; give way and try again if somebody holds a table for long."""
    folded = 0
    for attempt in range(1, SWAP_ATTEMPTS + 1):
        try:
            with connection.transaction():
                connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(PROJECTOR_TIMEOUT)))
                _take_locks(connection, projections)
                rest = _fold_the_rest(connection, projections, batch)
                _swap(connection, schema, projections)
            return folded + rest
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            time.sleep(min(LONGEST_PAUSE, 0.05 * attempt))
            folded += _fold(connection, projections, batch=batch, stop_below=CAUGHT_UP)
    raise RebuildError(
        f"The new read models could not be put in place: {SWAP_ATTEMPTS} times in a row another session held the old "
        "ones. Nothing was changed. Try again when no long query runs."
    )


def _take_locks(connection: psycopg.Connection, projections: Sequence[Projection]) -> None:
    """Take everything that the swap needs, before it folds: while it holds some of it, it must not wait for the rest.

    In the order in which others take it: places of projections as the projector does, streams as appends do, tables.
    """
    # The projector takes these rows first, too: it waits here, not in the middle of a fold into the old tables.
    names = [projection.name for projection in projections]
    connection.execute("SELECT FROM multiflexi.projections WHERE name = ANY (%s) ORDER BY name FOR UPDATE", (names,))
    tables = [table for projection in projections for table in projection.tables]
    there = connection.execute(THERE, (tables,)).fetchall()
    # Unlike that for locks, this limit holds for a whole statement, however many tables it waits for.
    connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
    try:
        if any(projection.inline for projection in projections):
            connection.execute("LOCK TABLE multiflexi.streams IN EXCLUSIVE MODE")
        if there:
            locked = sql.SQL(", ").join(sql.Identifier("multiflexi", table) for (table,) in there)
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(locked))
    except psycopg.errors.QueryCanceled as error:
        raise psycopg.errors.LockNotAvailable(str(error)) from error
    connection.execute("SET LOCAL statement_timeout = 0")


def _fold_the_rest(connection: psycopg.Connection, projections: Sequence[Projection], batch: int) -> int:
    """Fold what asynchronous projections may see, then for inline ones all there is, while appends wait.

    A transaction that has its id but has not appended yet will, after the swap, append before what is folded last. It
    folds that itself into inline projections; the others must stand where it is still to come.
    """
    folded = _fold(connection, projections, batch=batch)
    inline = [projection for projection in projections if projection.inline]
    return folded + (_fold(connection, inline, batch=batch, alone=True) if inline else 0)


def _swap(connection: psycopg.Connection, schema: str, projections: Sequence[Projection]) -> None:
    """Put the new tables and folds where the old ones were, and the new place of the projection with them."""
    for projection in projections:
        for table in projection.tables:
            old = sql.Identifier("multiflexi", table)
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(old))
            connection.execute(sql.SQL("ALTER TABLE {} SET SCHEMA multiflexi").format(sql.Identifier(schema, table)))
        fold = sql.SQL("{}(multiflexi.event[])")
        old_fold = fold.format(sql.Identifier("multiflexi", projection.fold))
        connection.execute(sql.SQL("DROP FUNCTION IF EXISTS {}").format(old_fold))
        connection.execute(
            sql.SQL("ALTER FUNCTION {} SET SCHEMA multiflexi").format(
                fold.format(sql.Identifier(schema, projection.fold))
            )
        )
        connection.execute(
            sql.SQL(PUT_IN_PLACE).format(sql.Identifier(schema, "projections")),
            (projection.name,),
        )
        connection.execute("DELETE FROM multiflexi.skipped_events WHERE projection = %s", (projection.name,))
    connection.execute(
        sql.SQL("INSERT INTO multiflexi.skipped_events TABLE {}").format(sql.Identifier(schema, "skipped_events"))
    )
