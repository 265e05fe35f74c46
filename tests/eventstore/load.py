"""Processes that write to the log and read it as fast as they can: the load of the test of concurrency.

Each function is the whole of a process. Every event carries who wrote it and a number that this writer never uses
again.
"""

from __future__ import annotations

import asyncio
import random
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg

from domain.company_events import CompanyChanged
from domain.event import Event
from domain.job_events import OutputCaptured
from eventstore.errors import EventStoreError
from eventstore.log import ANY, Append, Cursor
from tests.testbed.events import DAY
from tests.testbed.postgres import Database
from tests.testbed.stores import OpenTransaction, open_store, raw_connection

OWN_STREAMS = 30
SHARED_STREAMS = 12
LONGEST_HOLD = 0.05
"""Seconds for which a transaction is held open at most."""

END = "company-end"
"""Stream of the event after which readers stop."""

PLACE = 3
"""Numbers that a place in the log is made of."""


class Author:
    """What one writer writes: events that are told apart, in streams of its own and in shared ones."""

    def __init__(self, number: int, seed: int) -> None:
        self.number = number
        self.chance = random.Random(f"{seed} {number}")
        self.versions: dict[str, int] = {}
        self.next = 0
        self.committed: list[int] = []
        self.given_up: list[int] = []

    def batch(self, shared: float) -> list[Append]:
        """Return what to append next: to some streams some events each; part of the time to shared streams, too."""
        streams = [
            f"output-{self.number}.{number}"
            for number in self.chance.sample(range(OWN_STREAMS), self.chance.randint(2, 10))
        ]
        if self.chance.random() < shared:
            numbers = self.chance.sample(range(SHARED_STREAMS), self.chance.randint(1, 3))
            streams += [f"company-shared.{number}" for number in numbers]
        self.chance.shuffle(streams)
        return [self.one(stream) for stream in streams]

    def one(self, stream: str) -> Append:
        shared = stream.startswith("company-")
        events = list(self.events(shared, self.chance.randint(1, 10)))
        exact = not shared and self.chance.random() < 0.5
        return Append(
            stream=stream,
            company_id=1,
            events=events,
            expected=self.versions.get(stream, 0) if exact else ANY,
        )

    def events(self, shared: bool, count: int) -> Iterator[Event]:
        for _ in range(count):
            self.next += 1
            if shared:
                yield CompanyChanged(company_id=1, customer_id=self.next, server_id=self.number)
            else:
                yield OutputCaptured(
                    job_id=self.number,
                    company_id=1,
                    channel="stdout",
                    offset=self.next,
                    length=self.number,
                    captured_at=DAY,
                )

    def settle(self, appends: list[Append], committed: bool) -> None:
        """Note what became of a batch."""
        for append in appends:
            numbers = [number_of(event) for event in append.events]
            (self.committed if committed else self.given_up).extend(numbers)
            if committed:
                self.versions[append.stream] = self.versions.get(append.stream, 0) + len(append.events)


def number_of(event: Event) -> int:
    if isinstance(event, OutputCaptured):
        return event.offset
    assert isinstance(event, CompanyChanged)
    assert isinstance(event.customer_id, int)
    return event.customer_id


def write_through_stores(database: Database, numbers: range, events: int, seed: int, result: Path) -> None:
    """Write with one event store and several writers in it, until each has written so many events."""
    authors = [Author(number, seed) for number in numbers]

    async def main() -> None:
        async with open_store(database) as store:

            async def write(author: Author) -> None:
                while len(author.committed) < events:
                    appends = author.batch(shared=0.2)
                    if author.chance.random() < 0.3:
                        appends = appends[:1]
                    try:
                        await store.append_all(appends)
                    except EventStoreError:
                        author.settle(appends, committed=False)
                    else:
                        author.settle(appends, committed=True)

            await asyncio.gather(*(write(author) for author in authors))

    asyncio.run(main())
    save(authors, result)


def write_in_transactions(database: Database, numbers: range, events: int, seed: int, result: Path) -> None:
    """Write in transactions that are held open for a while, then committed or rolled back."""
    authors = [Author(number, seed) for number in numbers]

    async def write(author: Author) -> None:
        async with raw_connection(database) as (connection, epoch):
            appender = OpenTransaction(connection, epoch)
            while len(author.committed) < events:
                batches = [
                    author.batch(shared=0.1),
                    *([author.batch(shared=0)] if author.chance.random() < 0.2 else []),
                ]
                if len(batches) == 2:  # what stands in the first must not be expected at its old version in the second
                    taken = {append.stream for append in batches[0]}
                    batches[1] = [append for append in batches[1] if append.stream not in taken]
                committed = await try_to(author, connection, appender, batches)
                for batch in batches:
                    author.settle(batch, committed)

    async def try_to(
        author: Author, connection: asyncpg.Connection, appender: OpenTransaction, batches: list[list[Append]]
    ) -> bool:
        transaction = connection.transaction()
        await transaction.start()
        try:
            for batch in batches:
                await appender.append_all([(one.stream, list(one.events), 1, one.expected) for one in batch])
                await asyncio.sleep(author.chance.uniform(0, LONGEST_HOLD / len(batches)))
        except EventStoreError:
            await transaction.rollback()
            return False
        if author.chance.random() < 0.15:
            await transaction.rollback()
            return False
        await transaction.commit()
        return True

    async def main() -> None:
        await asyncio.gather(*(write(author) for author in authors))

    asyncio.run(main())
    save(authors, result)


def save(authors: list[Author], result: Path) -> None:
    """Write down what the writers of a process have committed."""
    for author in authors:
        (result / f"writer-{author.number}").write_bytes(array("q", author.committed).tobytes())


def committed_by(result: Path) -> dict[int, list[int]]:
    """Return the numbers that each writer has committed."""
    found: dict[int, list[int]] = {}
    for path in result.glob("writer-*"):
        numbers = array("q")
        numbers.frombytes(path.read_bytes())
        found[int(path.name.removeprefix("writer-"))] = list(numbers)
    return found


def subscribe(database: Database, name: str, options: dict[str, Any], result: Path) -> None:
    """Follow the log to its last event; write down the places of all that came."""

    async def main() -> list[int]:
        got: list[int] = []
        async with open_store(database) as store, store.subscribe(**options) as subscription:
            async for batch in subscription:
                for one in batch:
                    got.extend(one.cursor)
                if batch[-1].stream == END:
                    break
        return got

    (result / f"places-{name}").write_bytes(array("q", asyncio.run(main())).tobytes())


def read_again_and_again(database: Database, name: str, result: Path) -> None:
    """Read the log on from where the last reading ended, again and again, to its last event."""

    async def main() -> list[int]:
        got: list[int] = []
        after = Cursor(0, 0, 0)
        async with open_store(database) as store:
            ended = False
            while not ended:
                async for one in store.read_log(after=after, payloads=False):
                    after = one.cursor
                    got.extend(after)
                    ended = one.stream == END
                await asyncio.sleep(0.005)
        return got

    (result / f"places-{name}").write_bytes(array("q", asyncio.run(main())).tobytes())


def places_of(name: str, result: Path) -> list[tuple[int, ...]]:
    """Return the places that a reader has written down, in the order in which they came."""
    numbers = array("q")
    numbers.frombytes((result / f"places-{name}").read_bytes())
    return list(zip(*(numbers[part::PLACE] for part in range(PLACE)), strict=True))
