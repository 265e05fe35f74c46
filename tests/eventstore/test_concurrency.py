"""Sixteen writers, readers and subscribers at once: no event is missed, doubled or out of order."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from eventstore.log import Append
from eventstore.store import EventStore
from tests.eventstore.load import (
    END,
    committed_by,
    places_of,
    read_again_and_again,
    subscribe,
    write_in_transactions,
    write_through_stores,
)
from tests.testbed.events import company_created
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

PROCESSES = multiprocessing.get_context("spawn")
EVENTS = 200_000
WRITERS = 16
DEADLINE = 240.0
"""Seconds after which a process is taken to hang."""

LOG = """
    SELECT epoch, xid, position, stream, version, coalesce((data->>'length')::integer, (data->>'server_id')::integer),
           coalesce((data->>'offset')::integer, (data->>'customer_id')::integer)
      FROM multiflexi.events ORDER BY epoch, xid, position
"""


def start(function: Callable[..., None], *arguments: Any) -> Any:
    process = PROCESSES.Process(
        target=function, args=arguments, name=f"{function.__name__} {arguments[1]}", daemon=True
    )
    process.start()
    return process


async def joined(processes: list[Any]) -> None:
    for process in processes:
        await asyncio.to_thread(process.join, DEADLINE)
        assert process.exitcode == 0, f"{process.name} ended with {process.exitcode}"


async def end_of_load(store: EventStore) -> None:
    await store.append(Append(stream=END, company_id=1, events=[company_created(1)]))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_nothing_is_missed_doubled_or_out_of_order(database: Database, tmp_path: Path) -> None:
    each = EVENTS // WRITERS
    readers = [
        start(subscribe, database, "all", {}, tmp_path),
        start(subscribe, database, "settings", {"categories": ["company"]}, tmp_path),
        start(read_again_and_again, database, "reader", tmp_path),
    ]
    writers = [
        start(write_through_stores, database, range(4), each, 1, tmp_path),
        start(write_through_stores, database, range(4, 8), each, 2, tmp_path),
        start(write_in_transactions, database, range(8, 12), each, 3, tmp_path),
        start(write_in_transactions, database, range(12, 16), each, 4, tmp_path),
    ]
    try:
        await joined(writers)
        async with open_store(database) as store:
            await end_of_load(store)
        await joined(readers)
    finally:
        for process in (*readers, *writers):
            process.kill()
    connection = await asyncpg.connect(database.superuser_url)
    log = [tuple(row) for row in await connection.fetch(LOG)]
    await connection.close()
    assert len(log) > EVENTS
    check_streams(log)
    check_writers(log, committed_by(tmp_path))
    check_readers(log, tmp_path)
    assert overlaps(log) > 100, "the transactions did not overlap: this has shown nothing"


def check_streams(log: list[tuple[Any, ...]]) -> None:
    """The versions of each stream follow each other in the order of the log."""
    versions: dict[str, int] = {}
    for _, _, _, stream, version, _, _ in log:
        assert version == versions.get(stream, 0) + 1, stream
        versions[stream] = version


def check_writers(log: list[tuple[Any, ...]], committed: dict[int, list[int]]) -> None:
    """What was committed is there once, what was rolled back is not there."""
    assert sorted(committed) == list(range(WRITERS))
    found = Counter((writer, number) for *_, writer, number in log if writer is not None)
    wanted = Counter((writer, number) for writer, numbers in committed.items() for number in numbers)
    assert found == wanted


def check_readers(log: list[tuple[Any, ...]], result: Path) -> None:
    """Each reader got what is in the log, in its order."""
    whole = [row[:3] for row in log]
    assert places_of("all", result) == whole
    assert places_of("reader", result) == whole
    assert places_of("settings", result) == [row[:3] for row in log if row[3].startswith("company-")]


def overlaps(log: list[tuple[Any, ...]]) -> int:
    """Return how often the order of positions is not that of transactions: of those who wrote at the same time."""
    return sum(one[2] > other[2] for one, other in itertools.pairwise(log))
