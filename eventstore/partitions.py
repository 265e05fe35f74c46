"""The leaf partitions of the log, each a Merkle tree of its own."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import asyncpg

# A bound reads: FOR VALUES FROM ('2', '2026-07-01 00:00:00+00') TO ('2', '2026-08-01 00:00:00+00'); a moment may be
# MINVALUE.
SELECT_PARTITIONS = r"""
    SELECT c.oid::bigint AS oid, c.relname AS name, bound[1]::smallint AS class,
           bound[2]::timestamptz AS from_time, bound[3]::timestamptz AS until_time
      FROM pg_inherits i
      JOIN pg_class c ON c.oid = i.inhrelid
     CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid),
           'FROM \(''?(\d+)''?, (?:''([^'']+)''|MINVALUE)\) TO \(''?\d+''?, (?:''([^'']+)''|MINVALUE)\)') AS bound
     WHERE i.inhparent = 'events'::regclass AND ($1::text IS NULL OR c.relname = $1)
     ORDER BY class, from_time NULLS FIRST
"""


class Partition(NamedTuple):
    """A leaf partition: its table, and the class and times of the events in it (all times: None)."""

    oid: int
    name: str
    class_: int
    from_time: datetime | None
    until_time: datetime | None


async def partitions(connection: asyncpg.Connection, name: str | None = None) -> list[Partition]:
    """Return the leaf partitions that are attached, all or the one with a name, in the order of class and time."""
    return [Partition(*row) for row in await connection.fetch(SELECT_PARTITIONS, name)]
