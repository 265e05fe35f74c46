"""Move a sealed month out of the log into a file, and back in again.

A month is sealed when it is past and a signed head covers all its events. Its tree stays in all later heads, so what
was in it remains provable; ``archived_links`` keeps where its streams go on, so chains remain verifiable without it.
Output, and only output, may be dropped without a file.

Readers of the log wait for the oldest running transaction that has an id, so whatever takes long here happens outside
of one: reading, writing the file, filling the table.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec

from eventstore.archive_file import Archive, Checker, Manifest, Row, Writer, verify_archive
from eventstore.audit_errors import ArchiveError
from eventstore.chain import ZERO
from eventstore.connection import connect
from eventstore.head import Tree, load_head
from eventstore.leaves import pack
from eventstore.log import CONFIGURATION, OUTPUT, START, Cursor
from eventstore.partitions import Partition, partitions
from eventstore.tree_heads import CHUNK

PAGE = 2_000
"""Events read or written at a time."""

SEALED_AFTER = timedelta(hours=1)
"""How long after its end a month counts as past, whatever the clocks of writers say."""

LOCK_ATTEMPTS = 30
LOCK_PAUSE = 1.0
"""How often, and at what distance in seconds, to try for the lock that detaching needs."""

# A plan for any month would sort what the index of each has in order.
ONE_PARTITION = "SET plan_cache_mode = force_custom_plan"
READ_MONTH = """
    SELECT e.epoch, e.xid, e.position, e.stream, e.version, e.type, e.company_id,
           (extract(epoch FROM e.time) * 1000000)::bigint AS micros, e.data, e.meta, e.payload, e.hash,
           coalesce((SELECT b.hash FROM events b WHERE b.class = $1 AND b.time >= $2 AND b.time < $3
                        AND b.stream = e.stream AND b.version = e.version - 1),
                    (SELECT b.hash FROM events b
                      WHERE b.class = $1 AND b.stream = e.stream AND b.version = e.version - 1),
                    (SELECT l.hash FROM archived_links l WHERE l.stream = e.stream AND l.version = e.version - 1),
                    $8::bytea) AS previous
      FROM events e
     WHERE e.class = $1 AND e.time >= $2 AND e.time < $3 AND (e.epoch, e.xid, e.position) > ($4, $5, $6)
     ORDER BY e.epoch, e.xid, e.position LIMIT $7
"""
READ_DETACHED = """
    SELECT e.epoch, e.xid, e.position, e.stream, e.version, e.type, e.company_id,
           (extract(epoch FROM e.time) * 1000000)::bigint AS micros, e.data, e.meta, e.payload, e.hash
      FROM detached_events($1, $2, $3, $4, $5) e
"""
COUNT_MONTH = "SELECT count(*) FROM events e WHERE e.class = $1 AND e.time >= $2 AND e.time < $3"
COLUMNS = (
    *("epoch", "xid", "position", "class", "stream", "version", "type", "company_id", "time", "data", "meta"),
    *("payload", "hash"),
)
RECORD = """
    INSERT INTO archived_partitions (partition, class, from_time, until_time, events, root, file_kept)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (partition) DO UPDATE SET file_kept = excluded.file_kept, archived_at = clock_timestamp(),
        attached_at = NULL
"""
LINK = """
    WITH last AS (
        SELECT DISTINCT ON (e.stream) e.stream, e.version, e.hash FROM events e
         WHERE e.class = $2 AND e.time >= $3 AND e.time < $4 AND e.stream > $5
         ORDER BY e.stream, e.version DESC LIMIT $6
    ), linked AS (
        INSERT INTO archived_links (partition, stream, version, hash) SELECT $1, * FROM last
        ON CONFLICT (partition, stream) DO UPDATE SET version = excluded.version, hash = excluded.hash
    )
    SELECT max(stream) FROM last
"""
SELECT_ARCHIVED = "SELECT events, root, attached_at FROM archived_partitions WHERE partition = $1"
INSERT_LEAVES = "INSERT INTO tree_leaves (tree, start, count, leaves) VALUES ($1, $2, $3, $4)"


async def sealed_months(owner_url: str) -> list[str]:
    """Return the names of the partitions that can be archived, the oldest first."""
    connection = await connect(owner_url, "owner", application="multiflexi archive")
    try:
        head = await load_head(connection)
        now = datetime.now(UTC)
        return [
            partition.name
            for partition in sorted(await partitions(connection), key=lambda each: str(each.until_time))
            if head is not None
            and partition.until_time is not None
            and partition.until_time + SEALED_AFTER <= now
            and partition.name in head.trees
            and await _count(connection, partition) == head.trees[partition.name].size
        ]
    finally:
        await connection.close()


async def archive(owner_url: str, partition: str, path: Path | None) -> Manifest:
    """Move a sealed month out of the log.

    It can be repeated after an interruption: a file that is complete is not written again.

    Parameters
    ----------
    owner_url : str
        PostgreSQL URL of the owner.
    partition : str
        Name of the partition, e.g. ``events_job_2026_07``.
    path : Path or None
        File to write; None drops the month for good, which only output allows.

    Returns
    -------
    Manifest
        What was archived.

    Raises
    ------
    ArchiveError
        The month is not sealed, its events are not those that were signed, or the log is in use by a long reader.
    """
    connection = await connect(owner_url, "owner", application="multiflexi archive")
    try:
        await connection.execute(ONE_PARTITION)
        manifest = await _sealed(connection, partition)
        if path is None:
            if manifest.class_ != OUTPUT:
                raise ArchiveError(f"{partition} holds the life of jobs: it is only archived into a file. Name one.")
            await _check_month(connection, manifest)
        elif path.exists():
            if verify_archive(path).root != manifest.root:
                raise ArchiveError(f"{path} is the archive of something else. Name another file.")
        else:
            await _write_month(connection, manifest, path)
        await _record(connection, manifest, file_kept=path is not None)
        await _drop(connection, manifest)
        return manifest
    finally:
        await connection.close()


async def attach(owner_url: str, path: Path) -> Manifest:
    """Put an archived month back into the log.

    Everything is checked before it becomes part of the log: the file, that it is the month that was archived here, and
    what the database made of it.

    Raises
    ------
    ArchiveError
        The file is damaged or not of this log, or the month is there already.
    """
    connection = await connect(owner_url, "owner", application="multiflexi archive")
    try:
        manifest = verify_archive(path)
        await _check_belongs(connection, manifest)
        bounds = (manifest.partition, manifest.class_, manifest.from_time, manifest.until_time)
        await connection.execute("SELECT make_detached_partition($1, $2, $3, $4)", *bounds)
        await _fill(connection, path)
        await _check_filled(connection, path)
        async with connection.transaction():
            await connection.execute("SELECT attach_partition($1, $2, $3, $4)", *bounds)
            statement = "UPDATE archived_partitions SET attached_at = clock_timestamp() WHERE partition = $1"
            await connection.execute(statement, manifest.partition)
        await connection.execute("DELETE FROM archived_links WHERE partition = $1", manifest.partition)
        return manifest
    finally:
        await connection.close()


async def _sealed(connection: asyncpg.Connection, name: str) -> Manifest:
    found = await partitions(connection, name)
    if not found:
        raise ArchiveError(f"There is no partition {name} in the log. Perhaps it was archived already.")
    (partition,) = found
    if partition.class_ == CONFIGURATION or partition.from_time is None or partition.until_time is None:
        raise ArchiveError(f"{name} holds configuration, which is kept for good.")
    if partition.until_time + SEALED_AFTER > await connection.fetchval("SELECT clock_timestamp()"):
        raise ArchiveError(f"{name} is not over yet: it ends at {partition.until_time.isoformat()}.")
    head = await load_head(connection)
    count = await _count(connection, partition)
    if not count:
        raise ArchiveError(f"{name} is empty: there is nothing to archive.")
    if head is None or not head.is_genuine() or name not in head.trees or head.trees[name].size < count:
        raise ArchiveError(
            f"No signed head covers all {count} events of {name} yet. The projector makes one every minute: try again."
        )
    if head.trees[name].size > count:
        raise ArchiveError(f"{name} has lost events that were signed. Run `multiflexi-cli audit:verify`.")
    return Manifest(
        partition=name,
        class_=partition.class_,
        from_time=partition.from_time.astimezone(UTC),
        until_time=partition.until_time.astimezone(UTC),
        events=count,
        root=head.trees[name].root.hex(),
        head=head.to_json(),
    )


async def _count(connection: asyncpg.Connection, partition: Partition) -> int:
    return await connection.fetchval(COUNT_MONTH, partition.class_, partition.from_time, partition.until_time)


async def _read_month(connection: asyncpg.Connection, manifest: Manifest) -> AsyncIterator[Row]:
    after = START
    bounds = manifest.class_, manifest.from_time, manifest.until_time
    while rows := await connection.fetch(READ_MONTH, *bounds, *after, PAGE, ZERO):
        for row in rows:
            yield Row(*row)
        after = Cursor(*rows[-1][:3])


async def _check_month(connection: asyncpg.Connection, manifest: Manifest) -> None:
    checker = Checker(manifest)
    async for row in _read_month(connection, manifest):
        checker.add(row)
    checker.finish()


async def _write_month(connection: asyncpg.Connection, manifest: Manifest, path: Path) -> None:
    """Write the file, read it back, and only then give it its name."""
    try:
        with Writer(path, manifest) as writer:
            async for row in _read_month(connection, manifest):
                writer.add(row)
        try:
            verify_archive(writer.part)
        except ArchiveError:
            writer.part.unlink()
            raise
        writer.publish()
    except OSError as error:
        raise ArchiveError(f"The archive {path} cannot be written: {error.strerror}. Nothing was changed.") from error


async def _record(connection: asyncpg.Connection, manifest: Manifest, *, file_kept: bool) -> None:
    """Put down what is archived, and where its streams go on, in short transactions."""
    bounds = manifest.class_, manifest.from_time, manifest.until_time
    root = bytes.fromhex(manifest.root)
    await connection.execute(RECORD, manifest.partition, *bounds, manifest.events, root, file_kept)
    after = ""
    while (last := await connection.fetchval(LINK, manifest.partition, *bounds, after, PAGE)) is not None:
        after = last


async def _drop(connection: asyncpg.Connection, manifest: Manifest) -> None:
    """Detach the partition and drop it, if no event came into it meanwhile."""
    name = manifest.partition
    bounds = manifest.class_, manifest.from_time, manifest.until_time
    async with connection.transaction():
        await connection.execute("SET LOCAL lock_timeout = '200ms'")
        await connection.execute("SELECT seal_partition($1)", name)
        if await connection.fetchval(COUNT_MONTH, *bounds) != manifest.events:
            raise ArchiveError(f"{name} has got more events meanwhile. Try again after the next signed head.")
        await _detach(connection, name)
        await connection.execute("DELETE FROM tree_leaves WHERE tree = $1", name)


async def _detach(connection: asyncpg.Connection, name: str) -> None:
    """Detach and drop within the transaction. Others queue behind whoever waits for the lock: wait in small steps."""
    for attempt in range(LOCK_ATTEMPTS):
        try:
            async with connection.transaction():
                await connection.execute("SELECT drop_partition($1)", name)
            return
        except asyncpg.LockNotAvailableError:
            if attempt == LOCK_ATTEMPTS - 1:
                raise ArchiveError(
                    f"{name} cannot be detached while others read the log (an audit, a rebuild). The file is written; "
                    "try again later to finish."
                ) from None
            await asyncio.sleep(LOCK_PAUSE)


async def _check_belongs(connection: asyncpg.Connection, manifest: Manifest) -> None:
    """Check that an archive is of a month that was archived here and is not there."""
    name = manifest.partition
    if await partitions(connection, name):
        raise ArchiveError(f"{name} is in the log already.")
    row = await connection.fetchrow(SELECT_ARCHIVED, name)
    head = await load_head(connection)
    tree = head.trees.get(name) if head is not None and head.is_genuine() else None
    claimed = Tree(manifest.events, bytes.fromhex(manifest.root))
    if row is None or tree != claimed or Tree(row["events"], row["root"]) != claimed:
        raise ArchiveError(f"The archive of {name} is not one that was made from this log.")


async def _fill(connection: asyncpg.Connection, path: Path) -> None:
    """Copy the events of an archive into the detached table, and keep their leaves again."""
    with Archive(path) as archive:
        name, class_ = archive.manifest.partition, archive.manifest.class_
        await connection.execute("DELETE FROM tree_leaves WHERE tree = $1", name)
        entries: list[bytes] = []
        records: list[tuple[object, ...]] = []
        start = 0
        for number, row in enumerate(archive.rows(), 1):
            entries.append(row.leaf().entry())
            place = (row.epoch, row.xid, row.position, class_, row.stream, row.version)
            records.append((*place, row.type, row.company_id, row.time, row.data, row.meta, row.payload, row.hash))
            if len(records) == CHUNK or number == archive.manifest.events:
                await connection.copy_records_to_table(name, records=records, columns=COLUMNS, schema_name="multiflexi")
                await connection.execute(INSERT_LEAVES, name, start, len(entries), pack(entries))
                start += len(entries)
                entries, records = [], []


async def _check_filled(connection: asyncpg.Connection, path: Path) -> None:
    """Check that the table holds exactly what the archive does."""
    with Archive(path) as archive:
        name, rows = archive.manifest.partition, archive.rows()
        after = START
        while stored := await connection.fetch(READ_DETACHED, name, *after, PAGE):
            for columns in stored:
                row = next(rows, None)
                if row is None or msgspec.structs.astuple(row)[:-1] != tuple(columns):
                    raise ArchiveError(f"The database did not store {name} as it is in the archive. Try again.")
            after = Cursor(*stored[-1][:3])
        if next(rows, None) is not None:
            raise ArchiveError(f"The database did not store all of {name}. Try again.")
