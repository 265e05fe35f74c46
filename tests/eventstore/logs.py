"""Logs for tests: events at any moment of the past, written as an append writes them, hash by hash in SQL."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from eventstore.connection import Role, server_settings
from eventstore.log import class_of
from eventstore.settings import Settings
from eventstore.store import EventStore
from tests.testbed.postgres import Database

MASTER_KEY = "a master key for tests"

# The twin of append_event(), but for the time.
WRITE = """
    WITH head AS (
        SELECT coalesce(max(s.version), 0) + 1 AS version,
               coalesce((SELECT hash FROM streams WHERE stream = $1), decode(repeat('00', 32), 'hex')) AS hash
          FROM streams s WHERE s.stream = $1
    ), fresh AS (
        INSERT INTO events (epoch, class, stream, version, type, company_id, time, data, meta, payload, hash)
        SELECT (SELECT max(epoch) FROM log_epoch), $2, $1, h.version, $4, $3, $5, $6, $7, $8,
               sha256(h.hash || event_digest($1, $4, $3, micros_of($5), $6::jsonb::text, $7::jsonb::text, sha256($8)))
          FROM head h
        RETURNING stream, class, company_id, version, hash, xid, time
    )
    INSERT INTO streams (stream, class, company_id, version, hash, xid, first_time, last_time)
    SELECT stream, class, company_id, version, hash, xid, time, time FROM fresh
    ON CONFLICT (stream) DO UPDATE SET version = excluded.version, hash = excluded.hash, xid = excluded.xid,
        last_time = excluded.last_time
"""


def settings(database: Database, master_key: str = MASTER_KEY) -> Settings:
    """Return the settings of a process that works with a database of a test."""
    return Settings(
        database_url=database.app_url,
        owner_url=database.owner_url,
        daemon_urls=database.daemon_urls,
        master_key=master_key,
        data_folder=Path("/nowhere"),
    )


def open_store(database: Database, role: Role = "owner", **options: Any) -> EventStore:
    """Return a store, to be used as an asynchronous context manager."""
    return EventStore(settings(database), role=role, **options)


@asynccontextmanager
async def superuser(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Give a connection past all rights and triggers."""
    options = {**server_settings("owner", "*", "tampering"), "role": "none", "session_replication_role": "replica"}
    connection = await asyncpg.connect(database.superuser_url, server_settings=options)
    try:
        yield connection
    finally:
        await connection.close()


async def write(
    connection: asyncpg.Connection,
    stream: str,
    time: datetime,
    *,
    company_id: int | None = 7,
    type_: str = "Happened",
    data: dict[str, Any] | None = None,
    payload: bytes | None = None,
) -> None:
    """Append one event at a moment."""
    meta = json.dumps({"v": 1, "actor": "system", "source": "test"})
    values = (stream, class_of(stream), company_id, type_, time, json.dumps(data or {}), meta, payload)
    await connection.execute(WRITE, *values)


def month(number: int) -> datetime:
    """Return the first moment of a month: 0 is the current one, -1 the one before."""
    now = datetime.now(UTC)
    count = now.year * 12 + now.month - 1 + number
    return datetime(count // 12, count % 12 + 1, 1, tzinfo=UTC)


async def write_history(
    connection: asyncpg.Connection, *, months: int = 3, jobs: int = 20, seed: int = 1, transaction: int = 9
) -> None:
    """Write months of configuration, jobs and output, the last month being the one before the current.

    Some jobs reach from one month into the next. A transaction holds ``transaction`` events.
    """
    chance = random.Random(seed)
    await connection.execute("SELECT ensure_partitions($1, $2)", month(-months), months)
    events: list[tuple[datetime, str, dict[str, Any]]] = []
    for number in range(months):
        first = month(number - months)
        for job in range(jobs):
            name = number * jobs + job + 1
            late = job >= jobs - 2
            start = month(number - months + 1) - timedelta(seconds=2) if late else first + timedelta(minutes=job)
            for step, kind in enumerate(("JobScheduled", "JobStarted", "JobFinished")):
                events.append((start + timedelta(seconds=step), f"job-{name}", {"type_": kind, "data": {"step": step}}))
            for chunk in range(chance.randint(1, 3)):
                details = {"type_": "OutputCaptured", "payload": chance.randbytes(chance.randint(0, 80))}
                events.append((start + timedelta(seconds=chunk), f"output-{name}", details))
        for entity in range(3):
            stream = f"company-{entity + 1}"
            events.append((first + timedelta(days=entity), stream, {"type_": "CompanyChanged", "data": {"name": "Ž"}}))
    events.sort(key=lambda event: event[0])
    for start in range(0, len(events), transaction):
        async with connection.transaction():
            for time, stream, details in events[start : start + transaction]:
                await write(connection, stream, time, company_id=1 + hash_of(stream), **details)


def hash_of(stream: str) -> int:
    """Return a company for a stream."""
    return sum(stream.encode()) % 3
