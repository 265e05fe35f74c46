"""P2: append batches of 500 events over many streams, against COPY of the same rows into a plain table."""

from __future__ import annotations

import asyncio
import time

from benchmarks.figures import Figure, Rates, in_turns
from benchmarks.place import Place
from benchmarks.plain import EVENT, META, PlainTable, make_table
from eventstore.log import NO_STREAM, Append
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

BATCHES = 3
"""Batches of a round."""


async def compare(database: Database, streams: int, each: int, rounds: int) -> Rates:
    """Measure batches of so many streams with so many events each."""
    table = PlainTable(database.superuser_url, first=streams * 10**9)
    await table.open()
    async with open_store(database) as store:

        async def baseline(number: int) -> float:
            batches = [table.rows(streams, each, f"job-b{streams}.{number}.{batch}") for batch in range(BATCHES)]
            began = time.perf_counter()
            for rows in batches:
                await table.copy(rows)
            return BATCHES * streams * each / (time.perf_counter() - began)

        async def ours(number: int) -> float:
            batches = [
                [
                    Append(
                        stream=f"job-o{streams}.{number}.{batch}-{stream}",
                        company_id=7,
                        expected=NO_STREAM,
                        events=[EVENT] * each,
                    )
                    for stream in range(streams)
                ]
                for batch in range(BATCHES)
            ]
            began = time.perf_counter()
            for appends in batches:
                await store.append_all(appends, meta=META)
            return BATCHES * streams * each / (time.perf_counter() - began)

        rates = await in_turns(rounds, baseline, ours)
    await table.close()
    return rates


def measure(where: Place) -> list[Figure]:
    """Measure P2."""
    with where.database() as database:
        asyncio.run(make_table(database.superuser_url))
        several = asyncio.run(compare(database, 100, 5, 40))
        single = asyncio.run(compare(database, 500, 1, 40))
    return [
        several.figure("P2", "batches of 500: 100 streams of 5 events", "events", 0.4),
        single.figure("P2", "batches of 500: 500 streams of 1 event", "events"),
    ]
