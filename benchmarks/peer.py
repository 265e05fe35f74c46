"""A peer: the recorder of the Python library ``eventsourcing`` on the same server, with the same bytes.

It writes through psycopg, one caller at a time, without hashes, tenants or metadata of its own; its events have the
same length. The ratio says how many times as fast ours is.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from importlib.metadata import version

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from benchmarks.figures import Figure, in_turns
from benchmarks.place import Place
from benchmarks.plain import DATA, EVENT, META, META_TEXT
from eventstore.log import NO_STREAM, START, Append
from eventstore.store import EventStore
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

STATE = (DATA + META_TEXT).encode()
SINGLE = 250
STREAMS, EACH = 100, 5
PAGE = 2_000
READ = 40_000
"""Events of the log that is read."""


class Peer:
    """The recorder on a database."""

    def __init__(self, database: Database) -> None:
        target = conninfo_to_dict(database.superuser_url)
        self.datastore = PostgresDatastore(
            dbname=str(target.get("dbname", "")),
            host=str(target.get("host", "")),
            port=str(target.get("port", "5432")),
            user=str(target.get("user", "")),
            password=str(target.get("password", "")),
        )
        self.recorder = PostgresApplicationRecorder(self.datastore)
        self.recorder.create_table()

    async def single(self, _number: int) -> float:
        """Insert events one by one; return events per second."""
        events = [[StoredEvent(uuid.uuid4(), 1, "JobStarted", STATE)] for _ in range(SINGLE)]
        began = time.perf_counter()
        for event in events:
            self.recorder.insert_events(event)
        return SINGLE / (time.perf_counter() - began)

    async def batch(self, _number: int) -> float:
        """Insert a batch; return events per second."""
        streams = [uuid.uuid4() for _ in range(STREAMS)]
        events = [StoredEvent(stream, n, "JobStarted", STATE) for stream in streams for n in range(1, EACH + 1)]
        began = time.perf_counter()
        self.recorder.insert_events(events)
        return len(events) / (time.perf_counter() - began)

    async def read(self, _number: int) -> float:
        """Read so many events in order; return events per second."""
        start, count = 1, 0
        began = time.perf_counter()
        while count < READ:
            page = self.recorder.select_notifications(start, PAGE)
            count += len(page)
            start = page[-1].id + 1
        return count / (time.perf_counter() - began)


class Ours:
    """The event store on the same database."""

    def __init__(self, store: EventStore) -> None:
        self.store = store

    async def single(self, number: int) -> float:
        """Append events one by one; return events per second."""
        began = time.perf_counter()
        for n in range(SINGLE):
            append = Append(stream=f"job-s.{number}.{n}", company_id=7, expected=NO_STREAM, events=[EVENT])
            await self.store.append(append, meta=META)
        return SINGLE / (time.perf_counter() - began)

    async def batch(self, number: int) -> float:
        """Append a batch; return events per second."""
        appends = [
            Append(stream=f"job-b.{number}.{n}", company_id=7, expected=NO_STREAM, events=[EVENT] * EACH)
            for n in range(STREAMS)
        ]
        began = time.perf_counter()
        await self.store.append_all(appends, meta=META)
        return STREAMS * EACH / (time.perf_counter() - began)

    async def read(self, _number: int) -> float:
        """Read so many events in order; return events per second."""
        count = 0
        began = time.perf_counter()
        async for _ in self.store.read_log(START):
            count += 1
            if count == READ:
                break
        return count / (time.perf_counter() - began)


async def compare(database: Database) -> list[Figure]:
    """Measure both in turns."""
    peer = Peer(database)
    name = f"eventsourcing {version('eventsourcing')}"
    async with open_store(database) as store:
        ours = Ours(store)
        single = await in_turns(12, peer.single, ours.single)
        batch = await in_turns(READ // (STREAMS * EACH), peer.batch, ours.batch)
        read = await in_turns(5, peer.read, ours.read)
    peer.datastore.close()
    return [
        single.figure("peer", f"{name}: append of one event, one caller", "events"),
        batch.figure("peer", f"{name}: batches of 500 events", "events"),
        read.figure("peer", f"{name}: reading the log in order", "events"),
    ]


def measure(where: Place) -> list[Figure]:
    """Measure the peer beside ours."""
    with where.database() as database:
        return asyncio.run(compare(database))
