"""Appending: what the store promises to several callers at once, each with their own wishes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from itertools import count

import asyncpg
import psycopg
import pytest

from domain.company_events import CompanyChanged
from eventstore.append import guard
from eventstore.errors import (
    ConcurrencyError,
    EventStoreError,
    IdempotencyKeyError,
    StreamCompanyError,
    UniqueError,
)
from eventstore.log import ANY, NO_STREAM, Append, Appended, Meta
from eventstore.read import Recorded
from eventstore.store import EventStore
from tests.testbed.events import company_created, job_scheduled, output_captured
from tests.testbed.postgres import Database
from tests.testbed.stores import OpenTransaction, open_store, raw_connection

pytestmark = pytest.mark.postgres_versions(18, 15)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[EventStore]:
    async with open_store(database, inline=True) as opened:
        yield opened


@pytest.fixture
async def stores(database: Database) -> AsyncIterator[list[EventStore]]:
    """Return stores with connections of their own, as several processes have them."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_store(database)) for _ in range(6)]


def created(company_id: int, *, expected: int = NO_STREAM, code: str | None = None) -> Append:
    event = company_created(company_id, code=code or f"company-{company_id}")
    return Append(stream=f"company-{company_id}", company_id=company_id, events=[event], expected=expected)


def changed(company_id: int, name: str, *, expected: int = ANY) -> Append:
    event = CompanyChanged(company_id=company_id, name=name)
    return Append(stream=f"company-{company_id}", company_id=company_id, events=[event], expected=expected)


def output(job_id: int, count: int, *, expected: int = ANY) -> Append:
    events = [output_captured(job_id, offset) for offset in range(count)]
    return Append(stream=f"output-{job_id}", company_id=1, events=events, expected=expected)


async def stream(store: EventStore, name: str) -> list[Recorded]:
    return [one async for one in store.read_stream(name)]


async def outcomes(
    stores: Sequence[EventStore], wishes: Sequence[Sequence[Append]], **options: str
) -> list[list[Appended] | BaseException]:
    """Append at the same time, each wish by a store of its own."""
    calls = [store.append_all(wish, **options) for store, wish in zip(stores, wishes, strict=True)]  # type: ignore[arg-type]
    return await asyncio.gather(*calls, return_exceptions=True)


# One caller.


async def test_example_from_the_documentation(store: EventStore) -> None:
    done = await store.append(created(7), meta=Meta(actor="user:1", source="cli", correlation="c-1"))
    assert (done.stream, done.version, done.replayed) == ("company-7", 1, False)
    (recorded,) = await stream(store, "company-7")
    assert recorded.event == company_created(7)
    assert recorded.cursor == done.cursor
    assert recorded.meta == {"v": 1, "actor": "user:1", "source": "cli", "correlation": "c-1"}
    with pytest.raises(ConcurrencyError, match=r"company-7 is at version 1, expected 0.* read it again") as told:
        await store.append(created(7))
    assert (told.value.stream, told.value.expected, told.value.found) == ("company-7", 0, 1)


async def test_many_events_and_many_streams_in_one_append(store: EventStore) -> None:
    appends = [output(1, 1000, expected=NO_STREAM), *(output(job, 1, expected=NO_STREAM) for job in range(2, 1500))]
    done = await store.append_all(appends)
    assert [one.version for one in done] == [1000] + [1] * 1498
    assert len({one.cursor.xid for one in done}) == 1
    assert [one.version for one in await stream(store, "output-1")] == list(range(1, 1001))


async def test_all_or_nothing(store: EventStore) -> None:
    await store.append(created(1))
    with pytest.raises(ConcurrencyError) as told:
        await store.append_all([created(2), changed(1, "x", expected=5), created(3)])
    assert (told.value.stream, told.value.found) == ("company-1", 1)
    assert await store.pool.fetchval("SELECT count(*) FROM events") == 1
    assert await store.pool.fetchval("SELECT count(*) FROM streams") == 1
    assert await store.pool.fetchval("SELECT count(*) FROM company") == 1


async def test_guard_holds_a_stream_at_its_version_and_adds_nothing_to_it(store: EventStore) -> None:
    await store.append(created(1))
    held, done = await store.append_all([guard("company-1", 1, 1), output(1, 1)])
    assert (held.version, done.version) == (1, 1)
    for wrong in (guard("company-1", 1, 2), guard("company-2", 2, 1)):
        with pytest.raises(ConcurrencyError) as told:
            await store.append_all([output(2, 1), wrong])
        assert told.value.stream == wrong.stream
    assert [one.version for one in await stream(store, "company-1")] == [1]
    assert await stream(store, "output-2") == []


async def test_value_that_must_be_unique_names_its_constraint(store: EventStore) -> None:
    await store.append(created(1, code="acme"))
    with pytest.raises(UniqueError) as told:
        await store.append_all([output(1, 1), created(2, code="acme")])
    assert told.value.constraint == "company_slug_key"
    assert await stream(store, "output-1") == []


async def test_stream_of_another_company_is_refused(store: EventStore) -> None:
    await store.append(created(1))
    for append in (
        Append(stream="company-1", company_id=2, events=[CompanyChanged(company_id=1, name="x")], expected=1),
        Append(stream="company-1", company_id=None, events=[CompanyChanged(company_id=1, name="x")]),
    ):
        with pytest.raises(StreamCompanyError, match="company-1 belongs to company 1"):
            await store.append(append)
    assert len(await stream(store, "company-1")) == 1


async def test_time_does_not_run_backwards_in_a_stream_when_the_clock_does(
    database: Database, store: EventStore
) -> None:
    """The clock is set back, or another server with another clock has taken over."""
    await store.append_all([created(1), Append(stream="job-1", company_id=1, events=[job_scheduled(1)])])
    with psycopg.connect(database.superuser_url, options="-c search_path=multiflexi") as connection:
        connection.execute("UPDATE events SET time = time + interval '1 hour' WHERE class = 1")
        connection.execute(
            "UPDATE streams SET first_time = first_time + interval '1 hour', "
            "last_time = last_time + interval '1 hour' WHERE class = 1"
        )
    await store.append(changed(1, "any"))
    await store.append(changed(1, "exact", expected=2))
    await store.append_all([changed(1, "batch", expected=3), output(1, 1)])
    async with raw_connection(database) as (connection, epoch):
        await OpenTransaction(connection, epoch).append_all([("company-1", changed(1, "raw").events, 1, 4)])  # type: ignore[list-item]
    events = await stream(store, "company-1")
    assert [one.version for one in events] == [1, 2, 3, 4, 5]
    times = [one.time for one in events]
    assert times == sorted(times)


# Several callers.


async def test_callers_that_share_a_transaction_are_judged_one_by_one(store: EventStore) -> None:
    await store.append_all([created(1, code="acme"), created(2)])
    wishes: list[Append | str] = [
        changed(1, "good"),
        changed(2, "wrong version", expected=7),
        created(3, code="acme"),
        created(4),
        Append(stream="company-2", company_id=9, events=[CompanyChanged(company_id=2, name="other company")]),
        Append(stream="company-5", company_id=5, events=[company_created(5, name="NUL \0")]),
        output(1, 5),
        created(6),
    ]
    calls = [store.append(wish) for wish in wishes if isinstance(wish, Append)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    kinds = [type(answer) for answer in answers]
    assert kinds == [
        Appended,
        ConcurrencyError,
        UniqueError,
        Appended,
        StreamCompanyError,
        EventStoreError,
        Appended,
        Appended,
    ]


async def test_of_those_who_begin_a_stream_at_once_one_wins(stores: list[EventStore]) -> None:
    for number in range(20):
        answers = await outcomes(stores, [[created(number)] for _ in stores])
        assert Counter(map(type, answers)) == {list: 1, ConcurrencyError: len(stores) - 1}
        assert {answer.found for answer in answers if isinstance(answer, ConcurrencyError)} == {1}
        assert len(await stream(stores[0], f"company-{number}")) == 1


async def test_of_those_who_begin_the_same_streams_in_any_order_one_wins_all(stores: list[EventStore]) -> None:
    for number in range(0, 100, 5):
        streams = [created(number + n) for n in range(5)]
        wishes = [streams if place % 2 else streams[::-1] for place in range(len(stores))]
        answers = await outcomes(stores, wishes)
        assert Counter(map(type, answers)) == {list: 1, ConcurrencyError: len(stores) - 1}
        for n in range(5):
            assert len(await stream(stores[0], f"company-{number + n}")) == 1


async def test_stream_that_comes_into_being_while_an_append_waits_is_not_overlooked(
    database: Database, stores: list[EventStore]
) -> None:
    """The append waits for the head of one stream; meanwhile the other, which must not exist, is begun."""
    first, second, *_ = stores
    await first.append(created(1))
    async with raw_connection(database) as (connection, epoch):
        async with connection.transaction():
            await OpenTransaction(connection, epoch).append("company-1", list(changed(1, "held").events), company_id=1)
            waiting = asyncio.create_task(first.append_all([changed(1, "waits"), created(2)]))
            while not await second.pool.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
                await asyncio.sleep(0.005)
            await second.append(created(2))
        with pytest.raises(ConcurrencyError) as told:
            await waiting
    assert (told.value.stream, told.value.found) == ("company-2", 1)
    assert [one.version for one in await stream(first, "company-1")] == [1, 2]


async def test_of_those_who_expect_the_same_version_one_wins(stores: list[EventStore]) -> None:
    await stores[0].append(created(1))
    for version in range(1, 20):
        wishes = [
            [
                changed(1, "x", expected=version),
                *([output(100 * version + place, 1, expected=NO_STREAM)] if place % 2 else []),
            ]
            for place in range(len(stores))
        ]
        answers = await outcomes(stores, wishes)
        assert Counter(map(type, answers)) == {list: 1, ConcurrencyError: len(stores) - 1}
    assert [one.version for one in await stream(stores[0], "company-1")] == list(range(1, 21))


async def test_all_who_do_not_care_for_the_version_append(stores: list[EventStore]) -> None:
    rounds = 10
    for number in range(rounds):
        wishes = [[changed(1, f"{place}", expected=ANY), changed(2, f"{number}")] for place in range(len(stores))]
        if number == 0:
            await stores[0].append_all([created(1), created(2)])
        answers = await outcomes(stores, wishes)
        assert [type(answer) for answer in answers] == [list] * len(stores), answers
    for name in ("company-1", "company-2"):
        events = await stream(stores[0], name)
        assert [one.version for one in events] == list(range(1, rounds * len(stores) + 2))
        assert [one.cursor for one in events] == sorted(one.cursor for one in events)


async def test_same_command_from_several_callers_at_once_is_appended_once(stores: list[EventStore]) -> None:
    for number in range(10):
        wish = [output(number, 2), created(number)]
        answers = await outcomes(stores, [wish] * len(stores), key=f"command {number}")
        assert all(isinstance(answer, list) for answer in answers), answers
        plain = [[one._replace(replayed=False) for one in answer] for answer in answers if isinstance(answer, list)]
        assert all(answer == plain[0] for answer in plain)
        assert sum(not one[0].replayed for one in answers if isinstance(one, list)) == 1
        assert len(await stream(stores[0], f"output-{number}")) == 2


async def test_key_of_one_command_is_refused_to_another(store: EventStore) -> None:
    await store.append_all([created(1)], key="k")
    with pytest.raises(IdempotencyKeyError, match=r"'k' belongs to another command. Use a new key"):
        await store.append_all([created(2)], key="k")
    assert await stream(store, "company-2") == []


async def test_key_of_a_refused_command_is_free(store: EventStore) -> None:
    await store.append(created(1))
    with pytest.raises(ConcurrencyError):
        await store.append_all([changed(1, "x", expected=9)], key="k")
    (done,) = await store.append_all([changed(1, "x", expected=1)], key="k")
    assert (done.version, done.replayed) == (2, False)


async def test_caller_that_goes_away_takes_nothing_from_the_others(store: EventStore) -> None:
    """An append that is cancelled is there as a whole or not at all; those beside it are not touched."""
    for number in range(10):
        calls = [asyncio.create_task(store.append(output(100 * number + n, 2))) for n in range(40)]
        await asyncio.sleep(0.0005 * number)
        for call in calls[::4]:
            call.cancel()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        for n, answer in enumerate(answers):
            events = await stream(store, f"output-{100 * number + n}")
            if isinstance(answer, Appended):
                assert len(events) == 2
            else:
                assert n % 4 == 0, answer
                assert len(events) in (0, 2)
    await store.append(created(1))


@pytest.mark.parametrize("step", [1, 2, 4])
async def test_caller_that_goes_away_while_the_connection_is_opened_leaves_none_that_is_half_ready(
    store: EventStore, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    prepare, calls = asyncpg.Connection.prepare, count(1)

    async def interrupted(connection: asyncpg.Connection, query: str) -> object:
        if next(calls) == step:
            raise asyncio.CancelledError
        return await prepare(connection, query)

    monkeypatch.setattr(asyncpg.Connection, "prepare", interrupted)
    with pytest.raises(asyncio.CancelledError):
        await store.append(created(1))
    for number in (2, 3):
        await store.append(created(number))
    assert await stream(store, "company-1") == []
