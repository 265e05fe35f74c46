"""P3: rebuild all read models from a log of mixed events, against reading that log in order.

The baseline is what a rebuild outside the database would have to do at least: fetch every event in the order of the
log, page by page, without decoding any.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.figures import Figure, Rates
from benchmarks.place import Place
from benchmarks.workload import EVENTS_OF_A_JOB, write
from eventstore.log import START, Cursor
from eventstore.read import read_page
from eventstore.store import EventStore
from projections.rebuild import rebuild
from projections.registry import ALL
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

EVENTS = 510_000
ROUNDS = 3


async def read_all(store: EventStore) -> int:
    """Fetch every event in the order of the log; return how many there are."""
    after, count = START, 0
    while rows := await read_page(store.pool, after, store.epoch, payloads=False):
        count += len(rows)
        after = Cursor(rows[-1]["epoch"], rows[-1]["xid"], rows[-1]["position"])
    return count


async def compare(database: Database) -> tuple[Rates, int]:
    """Measure reading and rebuilding in turns; return the rates and how many events the log has."""
    rates = Rates()
    async with open_store(database) as store:
        count = await write(store, EVENTS // EVENTS_OF_A_JOB)
        await store.pool.execute("SELECT pg_stat_force_next_flush()")
        names = [projection.name for projection in ALL]
        for _ in range(ROUNDS):
            began = time.perf_counter()
            assert await read_all(store) == count
            rates.baseline.append(count / (time.perf_counter() - began))
            began = time.perf_counter()
            await asyncio.to_thread(rebuild, database.owner_url, names)
            rates.ours.append(count / (time.perf_counter() - began))
    return rates, count


def measure(where: Place) -> list[Figure]:
    """Measure P3."""
    with where.database(read_models=True) as database:
        rates, count = asyncio.run(compare(database))
    return [rates.figure("P3", f"rebuild of all read models from {count:,} events", "events", 0.4)]
