"""Personal data: append an event with two encrypted fields, against the same event with the fields in clear."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import ClassVar

from benchmarks.figures import Figure, Rates, in_turns
from benchmarks.place import Place
from benchmarks.plain import META
from domain.event import Event, Personal
from eventstore.log import NO_STREAM, Append
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

SUBJECTS = 50
EVENTS = 300


class VisitorNoted(Event, frozen=True, kw_only=True):
    """A visitor, in clear."""

    visitor_id: int
    name: str
    mail: str
    purpose: str = "audit"


class VisitorSealed(Event, frozen=True, kw_only=True):
    """The same, its personal fields encrypted under the visitor's key."""

    personal: ClassVar[Mapping[str, str]] = {"name": "visitor:{visitor_id}", "mail": "visitor:{visitor_id}"}

    visitor_id: int
    name: Personal
    mail: Personal
    purpose: str = "audit"


async def compare(database: Database) -> Rates:
    """Measure both in turns, one caller; the keys of the visitors exist after the first round."""
    async with open_store(database) as store:

        def side(label: str, kind: Callable[..., Event]) -> Callable[[int], asyncio.Future[float]]:
            async def run(number: int) -> float:
                appends = [
                    Append(
                        stream=f"company-{label}.{number}.{n}",
                        company_id=7,
                        expected=NO_STREAM,
                        events=[
                            kind(visitor_id=n % SUBJECTS, name="Žofie Nováková", mail="zofie.novakova@example.org")
                        ],
                    )
                    for n in range(EVENTS)
                ]
                began = time.perf_counter()
                for append in appends:
                    await store.append(append, meta=META)
                return EVENTS / (time.perf_counter() - began)

            return lambda number: asyncio.ensure_future(run(number))

        return await in_turns(25, side("clear", VisitorNoted), side("sealed", VisitorSealed))


def measure(where: Place) -> list[Figure]:
    """Measure personal-data encryption."""
    with where.database() as database:
        rates = asyncio.run(compare(database))
    return [rates.figure("encryption", "append of one event with two encrypted fields", "events", 0.8)]
