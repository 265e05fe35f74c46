"""Following the log: woken by notifications, by polling where those fail, and going on whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import asyncpg
import psycopg
import pytest

from domain.company_events import CompanyChanged
from domain.event import Event
from eventstore.listener import Listener
from eventstore.log import START, Append, Cursor
from eventstore.notifier import Notifier
from eventstore.store import EventStore
from eventstore.subscription import Subscription
from tests.testbed.events import company_created, job_scheduled
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import open_store, wait_until, wait_visible

IN_TIME = 20.0
"""Seconds after which a subscriber is taken to wait in vain."""


@pytest.fixture
async def store(database: Database) -> AsyncIterator[EventStore]:
    async with open_store(database) as opened:
        yield opened


@pytest.fixture
def only_notifications(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody poll: what arrives was notified."""

    async def wait(_self: Listener, event: asyncio.Event, timeout: float = 0) -> None:
        await event.wait()
        event.clear()

    monkeypatch.setattr(Listener, "wait", wait)


@pytest.fixture
def own_server() -> Iterator[Server]:
    """Return a server that a test may stop."""
    with Server(18) as server:
        yield server


async def append(store: EventStore, company_id: int, *events: Event) -> Cursor:
    append = Append(
        stream=f"company-{company_id}", company_id=company_id, events=events or [company_created(company_id)]
    )
    return (await store.append(append)).cursor


async def next_streams(subscription: Subscription, count: int = 1) -> list[str]:
    """Return the streams of the next events, at least so many."""
    found: list[str] = []
    async with asyncio.timeout(IN_TIME):
        while len(found) < count:
            found += [one.stream for one in await anext(subscription)]
    return found


async def listening(database: Database, count: int = 1) -> None:
    """Wait until so many sessions listen."""

    async def there() -> bool:
        return len(await asyncio.to_thread(listeners, database)) >= count

    await wait_until(there, f"{count} sessions that listen")


def listeners(database: Database) -> list[int]:
    with psycopg.connect(database.superuser_url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = %s AND query LIKE 'LISTEN %%'",
            [database.name],
        ).fetchall()
        return [row[0] for row in rows]


async def test_example_of_a_subscription(store: EventStore) -> None:
    await append(store, 1)
    async with store.subscribe() as subscription:
        assert await next_streams(subscription) == ["company-1"]
        await append(store, 2)
        assert await next_streams(subscription) == ["company-2"]
        place = subscription.cursor
    await append(store, 3)
    async with store.subscribe(after=place) as resumed:
        assert await next_streams(resumed) == ["company-3"]


async def test_subscription_may_begin_at_the_end_of_the_log(store: EventStore) -> None:
    await wait_visible(store, await append(store, 1))
    async with store.subscribe(after=await store.end_of_log()) as subscription:
        await append(store, 2)
        assert await next_streams(subscription) == ["company-2"]


async def test_notification_wakes(only_notifications: None, database: Database, store: EventStore) -> None:
    async with store.subscribe() as subscription, open_store(database) as other:
        await listening(database)
        for company in range(1, 30):
            waiting = asyncio.create_task(next_streams(subscription))
            await append(other if company % 2 else store, company)
            assert await waiting == [f"company-{company}"]


async def test_last_word_of_a_process_that_ends_wakes(
    only_notifications: None, database: Database, store: EventStore
) -> None:
    async with store.subscribe() as subscription:
        await listening(database)
        for company in range(1, 11):
            waiting = asyncio.create_task(next_streams(subscription))
            async with open_store(database) as other:
                await append(other, company)
            assert await waiting == [f"company-{company}"]


class SlowConnection:
    """A connection on which a statement takes its time."""

    def __init__(self) -> None:
        self.asked, self.answered = asyncio.Event(), asyncio.Event()
        self.done: list[str] = []

    def is_closed(self) -> bool:
        return False

    def terminate(self) -> None:
        pass

    async def execute(self, query: str, *arguments: str) -> None:
        if "pg_notify" in query:
            self.asked.set()
            await self.answered.wait()
            self.done.append(arguments[-1])


async def test_notification_that_is_on_its_way_is_waited_for_at_the_end() -> None:
    connection = SlowConnection()

    async def connect() -> SlowConnection:
        return connection

    notifier = Notifier(connect)  # type: ignore[arg-type]
    notifier.start()
    notifier.notify({"job", "company"})
    async with asyncio.timeout(IN_TIME):
        await connection.asked.wait()
    closing = asyncio.create_task(notifier.close())
    for _ in range(10):
        await asyncio.sleep(0.002)
    connection.answered.set()
    await closing
    assert connection.done == ["company,job"]


async def test_notification_wakes_those_whom_it_concerns(
    only_notifications: None, database: Database, store: EventStore
) -> None:
    async with store.subscribe(categories=["job"]) as jobs, store.subscribe(categories=["company"]) as companies:
        await listening(database)
        of_jobs = asyncio.create_task(next_streams(jobs))
        of_companies = asyncio.create_task(next_streams(companies))
        await append(store, 1)
        assert await of_companies == ["company-1"]
        assert not of_jobs.done()
        await store.append(Append(stream="job-1", company_id=1, events=[job_scheduled(1)]))
        assert await of_jobs == ["job-1"]


async def test_what_was_not_notified_is_found_by_polling(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.notifier, "notify", lambda _categories: None)
    async with store.subscribe() as subscription:
        await listening(database)
        for company in range(1, 4):
            await append(store, company)
            assert await next_streams(subscription) == [f"company-{company}"]


async def test_session_that_listens_is_opened_again(
    only_notifications: None, database: Database, store: EventStore
) -> None:
    async with store.subscribe() as subscription:
        for company in range(1, 6):
            await listening(database)
            before = store.listener.reconnections
            (pid,) = listeners(database)
            with psycopg.connect(database.superuser_url, autocommit=True) as connection:
                connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

            async def again(before: int = before) -> bool:
                return store.listener.reconnections > before

            await wait_until(again, "listening again")
            await append(store, company)
            assert await next_streams(subscription) == [f"company-{company}"]


async def test_what_came_while_nobody_listened_is_found_when_listening_again(
    only_notifications: None, database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with store.subscribe() as subscription:
        await listening(database)
        waiting = asyncio.create_task(next_streams(subscription))

        async def quiet() -> bool:
            return subscription._wake is not None and not subscription._wake.is_set()

        await wait_until(quiet, "that the subscriber waits")
        open_again, connect = asyncio.Event(), store.listener._connect

        async def connect_later() -> asyncpg.Connection:
            await open_again.wait()
            return await connect()

        monkeypatch.setattr(store.listener, "_connect", connect_later)
        (pid,) = listeners(database)
        with psycopg.connect(database.superuser_url, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        await wait_visible(store, await append(store, 2))
        assert not waiting.done()
        open_again.set()
        assert await waiting == ["company-2"]


async def test_subscription_outlives_the_server(own_server: Server) -> None:
    database = own_server.fresh_database()
    async with open_store(database) as store, store.subscribe() as subscription:
        await append(store, 1, company_created(1, email="jane@example.org"))
        assert await next_streams(subscription) == ["company-1"]
        waiting = asyncio.create_task(next_streams(subscription))
        await asyncio.to_thread(own_server.postgres.stop)
        await asyncio.to_thread(own_server.start)
        await append(store, 2, company_created(2, email="john@example.org"))
        assert await waiting == ["company-2"]


async def test_filtered_subscription_passes_over_once_what_it_does_not_want(store: EventStore) -> None:
    newest = START
    for company in range(1, 50):
        newest = await append(store, company)
    await wait_visible(store, newest)
    for options in ({"categories": ["job"]}, {"company_id": 99}):
        async with store.subscribe(**options) as subscription:  # type: ignore[arg-type]
            assert await subscription.read() == []
            assert subscription.cursor == newest


async def test_subscribers_to_parts_of_the_log_get_their_parts(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However reading and appending take turns, each gets what a reader of the whole log would pick out."""
    monkeypatch.setattr("eventstore.subscription.PAGE", 5)
    got: dict[str, list[Cursor]] = {"jobs": [], "seven": []}
    newest = START

    async def follow(name: str, subscription: Subscription) -> None:
        async for batch in subscription:
            got[name] += [one.cursor for one in batch]

    async with store.subscribe(categories=["job"]) as jobs, store.subscribe(company_id=7) as seven:
        tasks: list[asyncio.Task[None]] = []
        for number in range(1, 200):
            if number == 100:
                tasks = [asyncio.create_task(follow("jobs", jobs)), asyncio.create_task(follow("seven", seven))]
            owner = 7 if number % 3 == 0 else 8
            newest = await append(store, owner, CompanyChanged(company_id=owner, name="x"))
            if number % 2:
                scheduled = job_scheduled(number, owner)
                job = Append(stream=f"job-{number}", company_id=owner, events=[scheduled])
                newest = (await store.append(job)).cursor
        await wait_visible(store, newest)
        whole = [one async for one in store.read_log()]
        wanted = {
            "jobs": [one.cursor for one in whole if one.stream.startswith("job-")],
            "seven": [one.cursor for one in whole if one.company_id == 7],
        }

        async def all_of_it() -> bool:
            return all(len(got[name]) >= len(wanted[name]) for name in wanted)

        await wait_until(all_of_it, "the whole log at its subscribers")
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    assert got == wanted
    assert got["jobs"][0] > START
