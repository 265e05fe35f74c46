"""Notifications are lost, sessions are cut at random: subscribers get everything, in order, once, and soon."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import pytest

from domain.company_events import CompanyChanged
from domain.event import Event
from eventstore.errors import DatabaseUnavailableError
from eventstore.listener import POLL
from eventstore.log import Append, Cursor
from eventstore.notifier import CHANNEL
from eventstore.read import Recorded
from eventstore.store import EventStore
from eventstore.subscription import Subscription
from tests.testbed.events import job_scheduled
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store, wait_until, wait_visible

T = TypeVar("T")
CUTS = 60
LEAST = 500
"""Events that are written meanwhile, however slow the machine is."""

SLACK = 4.0
"""Seconds that may pass beyond a poll on a busy machine: a connection that was cut is opened anew meanwhile."""

SESSIONS = """
    SELECT pid, query LIKE 'LISTEN %' AS listens, query LIKE '%pg_notify%' AS notifies FROM pg_stat_activity
     WHERE datname = current_database() AND application_name = 'multiflexi-test'
"""


class Follower:
    """A subscriber that writes down what it gets, and when."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.got: list[Cursor] = []
        self.times: dict[Cursor, float] = {}

    async def follow(self) -> None:
        async for batch in self.subscription:
            now = time.monotonic()
            for one in batch:
                assert one.event is not None
                self.got.append(one.cursor)
                self.times.setdefault(one.cursor, now)


class Writer:
    """Appends without end; what it does not know to be written it repeats with its key."""

    def __init__(self, store: EventStore, name: str) -> None:
        self.store = store
        self.name = name
        self.acknowledged: dict[Cursor, float] = {}
        self.over = False

    async def write(self) -> None:
        number = 0
        while not self.over:
            number += 1
            company = 7 if number % 3 else 8
            event: Event = CompanyChanged(company_id=company, email=f"{number}@example.org")
            stream = f"company-{company}"
            if number % 2:
                event, stream = job_scheduled(number, company), f"job-{self.name}.{number}"
            await self.insist(Append(stream=stream, company_id=company, events=[event]), f"{self.name} {number}")
            await asyncio.sleep(0.002)

    async def insist(self, append: Append, key: str) -> None:
        while True:
            try:
                (done,) = await self.store.append_all([append], key=key)
            except DatabaseUnavailableError:
                await asyncio.sleep(0.01)
                continue
            self.acknowledged[done.cursor] = time.monotonic()
            return


@asynccontextmanager
async def running(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these beside a block; what goes wrong in one of them goes wrong in the block."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def cut(database: Database, stores: list[EventStore], listening: list[asyncpg.Connection]) -> None:
    """Do harm to sessions at random, many times."""
    chance = random.Random(5)
    superuser = await asyncpg.connect(database.superuser_url)
    try:
        for number in range(CUTS):
            sessions = await superuser.fetch(SESSIONS)
            kind = number % 4
            if kind == 0 and listening and not listening[-1].is_closed():
                with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
                    await listening[-1].execute("UNLISTEN *")
            elif kind == 3:
                for store in stores:
                    store.notifier._pending.clear()
            else:
                wanted = [one["pid"] for one in sessions if (one["listens"] if kind == 1 else one["notifies"])]
                others = [one["pid"] for one in sessions]
                victims = [*wanted, *chance.sample(others, min(2, len(others)))]
                await superuser.execute("SELECT pg_terminate_backend(p) FROM unnest($1::integer[]) p", victims)
            await asyncio.sleep(chance.uniform(0.01, 0.2))
    finally:
        await superuser.close()


async def test_after_a_silence_the_appending_transaction_tells_and_what_follows_soon_is_told_by_another(
    database: Database,
) -> None:
    async with open_store(database) as store, open_store(database) as other:
        heard: list[tuple[int, str]] = []
        listening = await other._connect()
        await listening.add_listener(
            CHANNEL, lambda _connection, pid, _channel, payload: heard.append((pid, str(payload)))
        )
        changes = [CompanyChanged(company_id=7, email=f"{number}@example.org") for number in range(2)]
        await store.append(Append(stream="company-7", company_id=7, events=changes))
        connection = store._appender._sender._connection
        assert connection is not None
        own = connection.get_server_pid()
        await wait_until(lambda: answered(len(heard) == 1), "the first notification")
        assert heard == [(own, "company")]
        store._appender._hold_back()
        await store.append(Append(stream="company-7", company_id=7, events=changes))
        await wait_until(lambda: answered(len(heard) == 2), "the notification that was held back")
        assert heard[1][0] != own
        assert heard[1][1] == "company"
        await listening.close()


async def answered(condition: bool) -> bool:
    return condition


@pytest.mark.slow
async def test_cut_sessions_and_lost_notifications_cost_time_and_never_an_event(database: Database) -> None:
    async with open_store(database) as source, open_store(database) as sink:
        listening: list[asyncpg.Connection] = []
        connect = sink.listener._connect

        async def noted() -> asyncpg.Connection:
            listening.append(await connect())
            return listening[-1]

        sink.listener._connect = noted
        writers = [Writer(source, "a"), Writer(sink, "b")]
        async with (
            sink.subscribe() as all_of_it,
            sink.subscribe(categories=["company"]) as companies,
            sink.subscribe(company_id=8) as eight,
        ):
            followers = [Follower(each) for each in (all_of_it, companies, eight)]
            async with running(*(one.follow() for one in followers)):
                async with running(*(one.write() for one in writers)):
                    await cut(database, [source, sink], listening)

                    async def enough() -> bool:
                        return sum(len(writer.acknowledged) for writer in writers) > LEAST

                    await wait_until(enough, f"{LEAST} events")
                    for writer in writers:
                        writer.over = True
                newest = max(cursor for writer in writers for cursor in writer.acknowledged)
                await insist_on(lambda: wait_visible(source, newest))
                whole = await insist_on(lambda: everything(source))
                wanted = [
                    [one.cursor for one in whole],
                    [one.cursor for one in whole if one.stream.startswith("company-")],
                    [one.cursor for one in whole if one.company_id == 8],
                ]

                async def caught_up() -> bool:
                    return all(len(one.got) >= len(part) for one, part in zip(followers, wanted, strict=True))

                await wait_until(caught_up, "everything at the subscribers")
        assert [one.got for one in followers] == wanted
        assert {cursor for writer in writers for cursor in writer.acknowledged} <= set(wanted[0])
        assert len(whole) > LEAST
        assert sink.listener.reconnections > 4
        worst = max(followers[0].times[cursor] - at for writer in writers for cursor, at in writer.acknowledged.items())
        assert worst < POLL + SLACK


async def everything(store: EventStore) -> list[Recorded]:
    return [one async for one in store.read_log()]


async def insist_on(call: Callable[[], Awaitable[T]]) -> T:
    """Repeat a call whose session may have been cut."""
    for _ in range(10):
        with contextlib.suppress(DatabaseUnavailableError):
            return await call()
    return await call()
