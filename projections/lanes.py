"""Fold much of the log at a time: several connections, each for projections that need the same classes of events.

A projection depends on the order of the events that it folds, not on where others stand. So each lane reads only the
classes of events that its projections need, goes at its own pace, and all of them meet at the end of the log.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import datetime

import msgspec
import psycopg
from psycopg import sql

from projections.projection import Projection

OWNER_OPTIONS = "-c role=multiflexi_owner -c search_path=multiflexi -c timezone=UTC -c jit=off"
BUILDING = f"{OWNER_OPTIONS} -c synchronous_commit=off -c maintenance_work_mem=256MB"
"""Nothing that is being built needs to outlive a crash before it is swapped in."""

BATCH = 8_000
"""Events folded at a time: what stays in the processor's caches."""

SECONDARY_INDEXES = """
    SELECT x.relname, pg_get_indexdef(i.indexrelid)
      FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
     WHERE c.relnamespace = %s::regnamespace AND NOT i.indisunique AND c.relname = ANY (%s)
"""
STANDING = "SELECT min(position) FROM projections WHERE name = ANY (%s)"

Progress = Callable[[int, int], None]
"""Told how far the slowest lane has come and an estimate of all, in events."""


class Lane(msgspec.Struct, frozen=True):
    """Projections that are folded together, and the first and the last class of events that they need."""

    names: tuple[str, ...]
    tables: tuple[str, ...]
    first_class: int
    last_class: int

    def covers(self, other: Lane) -> bool:
        """Whether it reads every event that another lane reads."""
        return self.first_class <= other.first_class and other.last_class <= self.last_class


def lanes_of(projections: Sequence[Projection]) -> list[Lane]:
    """Return the lanes in which to fold projections: about the same work in each of those that have much."""
    groups: dict[tuple[bool, bool, int], list[Projection]] = {}
    for projection in projections:
        groups.setdefault((projection.apart, projection.inline, projection.classes[1]), []).append(projection)
    return [
        Lane(
            names=tuple(projection.name for projection in group),
            tables=tuple(table for projection in group for table in projection.tables),
            first_class=min(projection.classes[0] for projection in group),
            last_class=last_class,
        )
        for (*_, last_class), group in groups.items()
    ]


def fold(
    connection: psycopg.Connection,
    lane: Lane,
    *,
    batch: int,
    until: datetime | None = None,
    alone: bool = False,
    stop_below: int = 1,
) -> Iterator[int]:
    """Fold from where the projections stand, and yield how many events each batch had, until one is small.

    Parameters
    ----------
    connection : psycopg.Connection
        As owner, the schema with the projections first in its search path.
    batch : int
        Events folded at a time.
    until : datetime or None
        Recording time up to which events count.
    alone : bool
        Whether the caller holds off all appends.
    stop_below : int
        A batch with fewer events than this was the last one.
    """
    arguments = list(lane.names), batch, until, alone, lane.first_class, lane.last_class
    while True:
        row = connection.execute("SELECT project(%s, %s, %s, %s, %s, %s)", arguments).fetchone()
        count = row[0] if row else 0
        yield count
        if count < min(stop_below, batch):
            return


def fold_in_parallel(
    owner_url: str,
    schema: str,
    lanes: Sequence[Lane],
    *,
    batch: int,
    until: datetime | None = None,
    stop_below: int = 1,
    progress: Progress | None = None,
) -> int:
    """Fold into the empty tables of a schema, each lane on a connection of its own; return how many events there were.

    Indexes that only readers need are made at the end: that takes far less time than to keep them on the way.
    """
    stop = threading.Event()
    shown = Shown(progress, len(lanes))

    def build(number: int, lane: Lane) -> int:
        folded = 0
        with psycopg.connect(owner_url, autocommit=True, options=BUILDING) as connection:
            connection.execute(sql.SQL("SET search_path = {}, multiflexi").format(sql.Identifier(schema)))
            indexes = _drop_secondary_indexes(connection, schema, lane)
            for definitions in (indexes, []):
                for count in fold(connection, lane, batch=batch, until=until, stop_below=stop_below):
                    folded += count
                    if stop.is_set():
                        return folded
                    shown.show(number, connection, lane)
                for definition in definitions:
                    connection.execute(definition.encode())
        return folded

    with ThreadPoolExecutor(len(lanes), thread_name_prefix="lane") as pool:
        building = [pool.submit(build, number, lane) for number, lane in enumerate(lanes)]
        try:
            wait(building, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
        return counted_once(lanes, [lane.result() for lane in building])


def counted_once(lanes: Sequence[Lane], folded: Sequence[int]) -> int:
    """Return how many events lanes have folded, those that several of them have read counted once."""
    return sum(
        count
        for number, (lane, count) in enumerate(zip(lanes, folded, strict=True))
        if not any(
            other.covers(lane) and (n < number or not lane.covers(other))
            for n, other in enumerate(lanes)
            if n != number
        )
    )


class Shown:
    """Progress of several lanes as one: that of the slowest."""

    def __init__(self, progress: Progress | None, lanes: int) -> None:
        self._progress = progress
        self._positions = [0] * lanes
        self._lock = threading.Lock()

    def show(self, number: int, connection: psycopg.Connection, lane: Lane) -> None:
        """Show where a lane stands now."""
        if self._progress is None:
            return
        here = connection.execute(STANDING, (list(lane.names),)).fetchone()
        end = connection.execute("SELECT last_value FROM event_position").fetchone()
        assert here is not None and end is not None
        with self._lock:
            self._positions[number] = here[0]
            slowest = min(self._positions)
            if slowest > 0:  # all of them have begun
                self._progress(slowest, max(slowest, end[0]))


def _drop_secondary_indexes(connection: psycopg.Connection, schema: str, lane: Lane) -> list[str]:
    """Drop the indexes of a lane's tables that guard nothing; return what makes them anew."""
    rows = connection.execute(SECONDARY_INDEXES, (schema, list(lane.tables))).fetchall()
    for index, _ in rows:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(schema, index)))
    return [definition for _, definition in rows]
