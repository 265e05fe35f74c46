"""Two transactions that append at once: the order of the log never contradicts that of a stream; nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from eventstore.errors import ConcurrencyError, IdempotencyKeyError
from eventstore.log import ANY, NO_STREAM
from eventstore.sender import BATCH, NEW_EVENT, NEXT_EVENT
from eventstore.store import EventStore
from tests.eventstore.appends import META, Wanted, arguments, event, expect_chain, one
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store, raw_connection, wait_until

pytestmark = pytest.mark.postgres_versions(15, 18)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[EventStore]:
    async with open_store(database) as opened:
        yield opened


@pytest.mark.parametrize("expected", [ANY, 1], ids=["any", "exact"])
async def test_no_transaction_appends_after_one_that_began_later(
    database: Database, store: EventStore, expected: int
) -> None:
    await store.append(one("job-1", NO_STREAM))
    async with raw_connection(database) as (connection, epoch):
        transaction = connection.transaction()
        await transaction.start()
        await connection.fetchval("SELECT pg_current_xact_id()")
        await store.append(one("job-1", 1))
        if expected == 1:
            row = await connection.fetchrow(NEXT_EVENT, epoch, "job-1", 2, 7, "JobCancelled", "{}", META, 2)
            assert row is None
        with pytest.raises(asyncpg.SerializationError):
            await connection.fetch(BATCH, *arguments([Wanted("job-1", ANY if expected == ANY else 2)]))
        await transaction.rollback()
    await store.append(one("job-1", 2))
    rows = await store.pool.fetch("SELECT xid, position FROM events WHERE stream = 'job-1' ORDER BY version")
    assert [tuple(row) for row in rows] == sorted(tuple(row) for row in rows)


async def waits(database: Database) -> bool:
    """Whether somebody waits for a lock; only a superuser sees that of others."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        return await connection.fetchval("SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    finally:
        await connection.close()


@pytest.mark.parametrize("events", [1, 2], ids=["alone", "batch"])
@pytest.mark.parametrize("expected", [NO_STREAM, 1, ANY], ids=["new", "exact", "any"])
async def test_of_two_at_once_the_second_sees_what_the_first_did(
    database: Database, store: EventStore, expected: int, events: int
) -> None:
    if expected != NO_STREAM:
        await store.append(one("job-1", NO_STREAM))
    async with raw_connection(database) as (connection, epoch):
        transaction = connection.transaction()
        await transaction.start()
        common = (epoch, "job-1", 2, 7, "JobCancelled", "{}", META)
        if expected == NO_STREAM:
            assert await connection.fetchrow(NEW_EVENT, *common)
        else:
            assert await connection.fetchrow(NEXT_EVENT, *common, 1)
        second = asyncio.create_task(store.append(one("job-1", expected, *[event()] * events)))
        await wait_until(lambda: waits(database), "the second append to wait for the first")
        await transaction.commit()
    if expected == ANY:
        assert (await second).version == 2 + events
    else:
        with pytest.raises(ConcurrencyError) as caught:
            await second
        assert caught.value.found == expected + 1
    await expect_chain(store)


async def test_of_two_with_one_key_the_second_answers_what_the_first_did(database: Database, store: EventStore) -> None:
    async with raw_connection(database) as (connection, _):
        transaction = connection.transaction()
        await transaction.start()
        (first,) = await connection.fetch(BATCH, *arguments([Wanted("job-1", NO_STREAM)], ["key"]))
        command = [one("job-1", ANY)]
        second = asyncio.create_task(store.append_all(command, key="key", fingerprint=b"fingerprint"))
        await wait_until(lambda: waits(database), "the second append to wait for the first")
        await transaction.commit()
    (answer,) = await second
    assert answer.replayed
    assert answer.cursor == (first["epoch"], first["xid"], first["position"])
    other = [one("job-2", ANY)]
    async with raw_connection(database) as (connection, _):
        transaction = connection.transaction()
        await transaction.start()
        await connection.fetch(BATCH, *arguments([Wanted("job-3", NO_STREAM)], ["another"]))
        second = asyncio.create_task(store.append_all(other, key="another", fingerprint=b"of another command"))
        await wait_until(lambda: waits(database), "the second append to wait for the first")
        await transaction.commit()
    with pytest.raises(IdempotencyKeyError):
        await second
    assert await expect_chain(store) == 2
