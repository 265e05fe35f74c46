"""The baseline of appends: the same bytes in a plain table with a primary key, by the same driver."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import asyncpg

from domain.job_events import JobStarted
from eventstore import codec
from eventstore.log import Meta

COLUMNS = (
    *("epoch", "xid", "position", "class", "stream", "version", "type"),
    *("company_id", "time", "data", "meta", "payload", "hash"),
)
TABLE = """
    CREATE SCHEMA plain;
    CREATE TABLE plain.events (
        epoch smallint NOT NULL, xid bigint NOT NULL, position bigint PRIMARY KEY, class smallint NOT NULL,
        stream text NOT NULL, version integer NOT NULL, type text NOT NULL, company_id integer,
        time timestamptz NOT NULL, data jsonb NOT NULL, meta jsonb NOT NULL, payload bytea, hash bytea NOT NULL
    )
"""
INSERT = """
    INSERT INTO plain.events
        (epoch, xid, position, class, stream, version, type, company_id, time, data, meta, payload, hash)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""

NOW = datetime.now(UTC)
META = Meta(actor="daemon:executor", source="executor")
EVENT = JobStarted(
    job_id=1001,
    company_id=7,
    run_template_id=42,
    executor_id="daemon:executor-1",
    host="host.example.org",
    started_at=NOW,
    command=["multiflexi-probe", "--all", "--verbose"],
)
"""The event that is appended over and over: what an executor says when it starts a job."""

DATA = codec.encode(EVENT)
META_TEXT = '{"actor":"daemon:executor","source":"executor","v":1}'
HASH = bytes(range(32))


def row(position: int, stream: str, version: int) -> tuple[Any, ...]:
    """Return the row of an event, as :data:`COLUMNS` have it."""
    return (1, 1000, position, 2, stream, version, "JobStarted", 7, NOW, DATA, META_TEXT, None, HASH)


class PlainTable:
    """The plain table of a database.

    Parameters
    ----------
    url : str
        URL of a login that may write to it.
    first : int
        Where positions begin, so that several processes do not meet.
    """

    def __init__(self, url: str, first: int = 1) -> None:
        self._url = url
        self._positions = itertools.count(first)
        self._connections: list[asyncpg.Connection] = []
        self.inserts: list[Any] = []
        """Of each connection, the prepared statement that inserts a row."""

    async def open(self, connections: int = 1) -> None:
        """Connect."""
        for _ in range(connections):
            connection = await asyncpg.connect(self._url)
            self._connections.append(connection)
            self.inserts.append(await connection.prepare(INSERT))

    async def close(self) -> None:
        """Disconnect."""
        for connection in self._connections:
            await connection.close()

    async def insert(self, connection: int, stream: str, version: int) -> None:
        """Insert a row and commit, on one of the connections."""
        await self.inserts[connection].fetchval(*row(next(self._positions), stream, version))

    def rows(self, streams: int, each: int, name: str) -> list[tuple[Any, ...]]:
        """Return rows for so many streams of so many events each."""
        return [row(next(self._positions), f"{name}-{n}", v) for n in range(streams) for v in range(1, each + 1)]

    async def copy(self, rows: list[tuple[Any, ...]]) -> None:
        """Write rows by COPY."""
        await self._connections[0].copy_records_to_table("events", schema_name="plain", records=rows, columns=COLUMNS)


async def make_table(superuser_url: str) -> None:
    """Make the plain table in a database."""
    connection = await asyncpg.connect(superuser_url)
    try:
        await connection.execute(TABLE)
    finally:
        await connection.close()
