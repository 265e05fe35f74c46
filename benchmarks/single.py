"""P1: append one event, durable and hashed, against INSERT and commit of the same bytes into a plain table.

One caller; 16 callers in one process, which share transactions (the baseline has a connection for each); 4 processes of
4 callers. Each caller writes streams of three events: the first makes the stream, the others expect its version. The
callers are in different places of their streams.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

from benchmarks.figures import Figure, Rates, in_turns
from benchmarks.place import Place
from benchmarks.plain import EVENT, META, PlainTable, make_table
from eventstore.log import Append
from eventstore.store import EventStore
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

EVENTS_IN_STREAM = 3

Caller = Callable[[int, str, int], Awaitable[None]]
"""One caller's work: its number, the name of the stream, the version that the event gets."""


async def many(callers: int, events: int, label: str, work: Caller) -> float:
    """Let callers write so many events each, at once; return events per second of all."""

    async def caller(number: int) -> None:
        ahead = number % EVENTS_IN_STREAM
        for event in range(ahead, ahead + events):
            stream, before = divmod(event, EVENTS_IN_STREAM)
            await work(number, f"job-{label}-{number}-{stream}", before + 1 - (0 if stream else ahead))

    began = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    return callers * events / (time.perf_counter() - began)


def appending(store: EventStore) -> Caller:
    """Return what a caller of ours does."""

    async def work(_number: int, stream: str, version: int) -> None:
        await store.append(Append(stream=stream, company_id=7, expected=version - 1, events=[EVENT]), meta=META)

    return work


async def in_one_process(database: Database, callers: int, events: int, rounds: int) -> Rates:
    """Measure callers in this process."""
    table = PlainTable(database.superuser_url, first=callers * 10**9)
    await table.open(callers)
    async with open_store(database) as store:
        rates = await in_turns(
            rounds,
            lambda number: many(callers, events, f"b{callers}.{number}", table.insert),
            lambda number: many(callers, events, f"o{callers}.{number}", appending(store)),
        )
    await table.close()
    return rates


def worker(database: Database, index: int, callers: int, events: int, orders: Connection) -> None:
    """Be one of several processes: for each order, write the events of its callers."""

    async def work() -> None:
        table = PlainTable(database.superuser_url, first=(100 + index) * 10**9)
        await table.open(callers)
        async with open_store(database) as store:
            sides = {"baseline": table.insert, "ours": appending(store)}
            orders.send("ready")
            while order := await asyncio.to_thread(orders.recv):
                side, number = order
                await many(callers, events, f"{side}.{index}.{number}", sides[side])
                orders.send("done")
        await table.close()

    asyncio.run(work())


async def in_processes(database: Database, processes: int, callers: int, events: int, rounds: int) -> Rates:
    """Measure several processes of several callers each."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(processes)]
    running = [
        context.Process(target=worker, args=(database, index, callers, events, theirs))
        for index, (_, theirs) in enumerate(pipes)
    ]
    for process in running:
        process.start()
    ours = [mine for mine, _ in pipes]

    async def all_of(message: str) -> None:
        for pipe in ours:
            assert await asyncio.to_thread(pipe.recv) == message

    def side(name: str) -> Callable[[int], Awaitable[float]]:
        async def run(number: int) -> float:
            began = time.perf_counter()
            for pipe in ours:
                pipe.send((name, number))
            await all_of("done")
            return processes * callers * events / (time.perf_counter() - began)

        return run

    await all_of("ready")
    rates = await in_turns(rounds, side("baseline"), side("ours"))
    for pipe, process in zip(ours, running, strict=True):
        pipe.send(None)
        process.join()
    return rates


def measure(where: Place) -> list[Figure]:
    """Measure P1."""
    with where.database() as database:
        asyncio.run(make_table(database.superuser_url))
        alone = asyncio.run(in_one_process(database, 1, 300, 25))
        crowd = asyncio.run(in_one_process(database, 16, 150, 25))
        processes = asyncio.run(in_processes(database, 4, 4, 250, 15))
    return [
        alone.figure("P1", "append of one event, one caller", "events", 0.8),
        crowd.figure("P1", "append of one event, 16 callers in one process", "events", 1.5),
        processes.figure("P1", "append of one event, 4 processes of 4 callers", "events", 0.8),
    ]
