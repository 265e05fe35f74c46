"""Reading one stream, and the whole log in an order without gaps."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator

import psycopg
import pytest

from domain.company_events import CompanyChanged
from eventstore import read
from eventstore.log import START, Append, Cursor
from eventstore.read import Recorded
from eventstore.store import EventStore
from projections.rebuild import rebuild
from tests.projections.rows import fold_all, rows_of
from tests.testbed.events import company_created, job_scheduled, output_captured
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import OpenTransaction, open_store, raw_connection, wait_until, wait_visible

pytestmark = pytest.mark.postgres_versions(18, 15)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[EventStore]:
    async with open_store(database) as opened:
        yield opened


async def append(store: EventStore, company_id: int, count: int = 1) -> Cursor:
    events = [company_created(company_id), *[CompanyChanged(company_id=company_id, name="x")] * (count - 1)]
    done = await store.append(Append(stream=f"company-{company_id}", company_id=company_id, events=events))
    return done.cursor


async def places(events: AsyncIterator[Recorded]) -> list[tuple[str, int]]:
    return [(one.stream, one.version) async for one in events]


async def versions(events: AsyncIterator[Recorded]) -> list[int]:
    return [one.version async for one in events]


# One stream.


async def test_example_of_reading_a_stream(store: EventStore) -> None:
    await append(store, 7, count=5)
    await append(store, 8)
    assert await versions(store.read_stream("company-7")) == [1, 2, 3, 4, 5]
    assert await versions(store.read_stream("company-7", start=4)) == [4, 5]
    assert await versions(store.read_stream("company-7", start=2, end=3)) == [2, 3]
    assert await versions(store.read_stream("company-7", backwards=True)) == [5, 4, 3, 2, 1]
    assert await versions(store.read_stream("company-7", end=4, backwards=True)) == [4, 3, 2, 1]
    assert await versions(store.read_stream("company-9")) == []


async def test_stream_that_is_longer_than_a_page_is_read_whole(store: EventStore) -> None:
    count = 2 * read.PAGE + 1
    await append(store, 7, count=count)
    assert await versions(store.read_stream("company-7")) == list(range(1, count + 1))
    assert await versions(store.read_stream("company-7", backwards=True)) == list(range(count, 0, -1))


async def test_stream_over_several_months_is_read_whole(database: Database, store: EventStore) -> None:
    """The life of a long job lies in two partitions."""
    await store.append(Append(stream="output-1", company_id=1, events=[output_captured(1, n) for n in range(4)]))
    with psycopg.connect(database.superuser_url, options="-c search_path=multiflexi") as connection:
        connection.execute("UPDATE events SET time = time + interval '1 month' WHERE version > 2")
        connection.execute("UPDATE streams SET last_time = last_time + interval '1 month'")
    assert await versions(store.read_stream("output-1")) == [1, 2, 3, 4]
    assert await versions(store.read_stream("output-1", backwards=True)) == [4, 3, 2, 1]


# The log.


async def test_example_of_reading_the_log(store: EventStore) -> None:
    first = await append(store, 7)
    await store.append(
        Append(stream="job-1", company_id=7, events=[job_scheduled(1, 7)], payloads=[b"bytes"]),
    )
    await wait_visible(store, await append(store, 8))
    assert await places(store.read_log()) == [("company-7", 1), ("job-1", 1), ("company-8", 1)]
    assert await places(store.read_log(after=first)) == [("job-1", 1), ("company-8", 1)]
    assert await places(store.read_log(categories=["job"])) == [("job-1", 1)]
    assert await places(store.read_log(categories=["job", "company"], company_id=7)) == [("company-7", 1), ("job-1", 1)]
    assert [one.payload async for one in store.read_log(categories=["job"])] == [b"bytes"]
    assert [one.payload async for one in store.read_log(categories=["job"], payloads=False)] == [None]
    assert await store.end_of_log() == Cursor.parse(str(await store.end_of_log()))


async def test_log_holds_back_what_an_open_transaction_may_still_precede(database: Database, store: EventStore) -> None:
    await wait_visible(store, await append(store, 1))
    async with raw_connection(database) as (connection, epoch):
        async with connection.transaction():
            await OpenTransaction(connection, epoch).append("company-2", [company_created(2)], company_id=2)
            late = await append(store, 3)
            assert await places(store.read_log()) == [("company-1", 1)], "company-3 would be read before company-2"
            assert await versions(store.read_stream("company-3")) == [1], "a stream is read at once"
            assert await store.end_of_log() < late
        await wait_visible(store, late)
    assert await places(store.read_log()) == [("company-1", 1), ("company-2", 1), ("company-3", 1)]


async def test_log_goes_on_after_a_transaction_that_is_rolled_back(database: Database, store: EventStore) -> None:
    async with raw_connection(database) as (connection, epoch):
        transaction = connection.transaction()
        await transaction.start()
        await OpenTransaction(connection, epoch).append("company-2", [company_created(2)], company_id=2)
        late = await append(store, 3)
        assert await places(store.read_log()) == []
        await transaction.rollback()
        await wait_visible(store, late)
    assert await places(store.read_log()) == [("company-3", 1)]


async def test_transaction_of_another_database_holds_the_log_back_and_is_named(
    postgres: Server, database: Database, store: EventStore
) -> None:
    """Transaction ids are those of the whole server."""
    other = postgres.fresh_database()
    with psycopg.connect(other.superuser_url, application_name="a long report") as elsewhere:
        elsewhere.execute("CREATE TABLE report ()")
        late = await append(store, 1)
        assert await places(store.read_log()) == []

        async def named() -> bool:
            row = await store.pool.fetchrow("SELECT * FROM log_horizon()")
            return row is not None and row["application"] == "a long report"

        await wait_until(named, "the session that holds the log back")
    await wait_visible(store, late)
    assert await places(store.read_log()) == [("company-1", 1)]
    postgres.drop(other)


async def test_log_is_read_page_by_page_in_little_memory(database: Database, store: EventStore) -> None:
    for job in range(40):
        events = [output_captured(job, n) for n in range(500)]
        await store.append(
            Append(stream=f"output-{job}", company_id=1, events=events, payloads=[b"x" * 1000] * len(events))
        )
    await wait_visible(store, await append(store, 1))
    await places(store.read_log(after=START))
    tracemalloc.start()
    count = 0
    async for _ in store.read_log():
        count += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_001
    assert peak < 3 * read.PAGE * 3000, "more than some pages at a time"


# A log that has moved to another cluster: its transaction ids begin anew, its epoch is one higher.


async def moved(database: Database) -> None:
    """Put what is in the log before the transactions of this cluster, as if restored from another one."""
    with psycopg.connect(database.superuser_url, options="-c search_path=multiflexi") as connection:
        connection.execute("UPDATE events SET xid = (xid::text::bigint + 1000000000)::text::xid8")
        connection.execute("UPDATE streams SET xid = '3'")
        connection.execute("INSERT INTO log_epoch SELECT max(epoch) + 1, max(system_identifier) FROM log_epoch")


@pytest.mark.parametrize("page", [1, 2, 3, 100])
async def test_epochs_are_read_one_after_another(database: Database, page: int) -> None:
    async with open_store(database) as store:
        await append(store, 1, count=3)
    await moved(database)
    async with open_store(database) as store:
        await append(store, 2, count=2)
    await moved(database)
    async with open_store(database) as store:
        newest = await append(store, 1, count=2)
        await wait_visible(store, newest)
        assert await store.end_of_log() == newest
        whole = [("company-1", 1), ("company-1", 2), ("company-1", 3), ("company-2", 1), ("company-2", 2)]
        whole += [("company-1", 4), ("company-1", 5)]

        def log(after: Cursor = START, **options: int) -> AsyncIterator[Recorded]:
            return read.read_log(store.pool, store.keyring, after, lambda: store.epoch, page=page, **options)  # type: ignore[arg-type]

        found = [one async for one in log()]
        assert [(one.stream, one.version) for one in found] == whole
        assert [one.cursor.epoch for one in found] == [1, 1, 1, 2, 2, 3, 3]
        for place, one in enumerate(found):
            assert await places(log(after=one.cursor)) == whole[place + 1 :]
        assert await places(log(company_id=2)) == [("company-2", 1), ("company-2", 2)]


async def test_read_models_follow_a_log_over_epochs(database: Database) -> None:
    async with open_store(database, inline=True) as store:
        await append(store, 1, count=3)
        await store.append(Append(stream="job-1", company_id=1, events=[job_scheduled(1)]))
    await moved(database)
    async with open_store(database, inline=True) as store:
        await store.append(Append(stream="job-2", company_id=1, events=[job_scheduled(2)]))
        await wait_visible(store, await append(store, 2))
    assert fold_all(database, 2) == 6
    rows = rows_of(database)
    assert [row["id"] for row in rows["job"]] == [1, 2]
    assert len(rows["audit_trail"]) == 4
    assert rebuild(database.owner_url, ["job_history", "job_queue", "company", "run_template"]) == 6
    after = rows_of(database)
    assert {table: sorted(map(str, found)) for table, found in after.items()} == {
        table: sorted(map(str, found)) for table, found in rows.items()
    }
