"""What appending promises, whichever statement does it: single events, groups of them, batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from domain.job_events import OutputCaptured
from eventstore.append import guard
from eventstore.errors import ConcurrencyError, EventStoreError, IdempotencyKeyError, StreamCompanyError
from eventstore.log import ANY, NO_STREAM, Appended, Meta
from eventstore.sender import BATCH
from eventstore.store import EventStore
from tests.eventstore.appends import (
    NOON,
    Wanted,
    arguments,
    event,
    expect_chain,
    one,
    together,
    transactions,
    versions,
)
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store, raw_connection, settings_of, wait_until

pytestmark = pytest.mark.postgres_versions(15, 18)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[EventStore]:
    async with open_store(database) as opened:
        yield opened


async def test_every_statement_chains_hashes_and_counts_versions(store: EventStore) -> None:
    output = OutputCaptured(job_id=1, company_id=7, channel="stdout", offset=0, length=3, captured_at=NOON)
    await store.append(one("job-1", NO_STREAM))
    await store.append(one("job-1", 1))
    await store.append(one("output-1", NO_STREAM, output, payloads=[b"\x00|\xff"]))
    await store.append(one("output-1", 1, output, payloads=[b""]))
    await store.append(one("job-1", ANY))
    await store.append(one("job-1", 3, event(1), event(2), event(3)))
    await store.append_all([one("job-2", NO_STREAM, event(4), event(5)), one("job-3", ANY), one("output-1", 2, output)])
    assert await versions(store, "job-1") == [1, 2, 3, 4, 5, 6]

    numbers = range(10, 40)
    new = await together(store, *(one(f"job-{number}", NO_STREAM) for number in numbers))
    following = await together(store, *(one(f"job-{number}", 1, payloads=[b"pay"]) for number in numbers))
    mixed = await together(store, *(one(f"job-{number}", 2 if number % 2 else ANY) for number in numbers))
    for outcome, version in ((new, 1), (following, 2), (mixed, 3)):
        assert [done.version for done in outcome if isinstance(done, Appended)] == [version] * 30
    assert await expect_chain(store) == 4 + 1 + 3 + 4 + 90
    assert max(await transactions(store, "job-_0")) > 1 or max(await transactions(store, "job-__")) > 4


async def test_the_cursor_of_an_append_is_that_of_its_last_event(store: EventStore) -> None:
    outcomes = [await store.append(one("job-1", NO_STREAM)), await store.append(one("job-1", 1))]
    outcomes += await store.append_all([one("job-2", NO_STREAM, event(1), event(2)), one("job-3", NO_STREAM)])
    outcomes += list(await together(store, *(one(f"job-{n}", NO_STREAM) for n in range(10, 30))))
    outcomes += list(await together(store, *(one(f"job-{n}", 1) for n in range(10, 30))))
    for done in outcomes:
        assert isinstance(done, Appended)
        row = await store.pool.fetchrow(
            "SELECT epoch, xid, position FROM events WHERE stream = $1 AND version = $2", done.stream, done.version
        )
        assert row is not None
        assert tuple(row) == done.cursor


async def test_each_event_keeps_its_own_metadata_and_text(store: EventStore) -> None:
    texts = ["plain", "\x1f\x1e\x01", 'quote" back\\slash', "] , [ {", "🦀", ""]

    async def append(number: int, events: int) -> None:
        text = texts[number % len(texts)]
        append = one(f"job-{number}", ANY, *(event(number, text) for _ in range(events)))
        await store.append(append, meta=Meta(actor=f"user:{number}", correlation=text))

    await asyncio.gather(*(append(number, number % 3 + 1) for number in range(12)))
    await asyncio.gather(*(append(number, 1) for number in range(12, 24)))
    for number in range(24):
        async for recorded in store.read_stream(f"job-{number}"):
            assert recorded.event == event(number, texts[number % len(texts)])
            assert recorded.meta["actor"] == f"user:{number}"
            assert recorded.meta["correlation"] == texts[number % len(texts)]
    assert await expect_chain(store) == 36


async def test_a_conflict_is_one_callers_alone(store: EventStore) -> None:
    await together(store, *(one(f"job-{number}", NO_STREAM) for number in range(5)))

    outcomes = await together(store, *(one(f"job-{number}", NO_STREAM) for number in range(20)))
    assert [type(outcome) for outcome in outcomes] == [ConcurrencyError] * 5 + [Appended] * 15
    outcomes = await together(store, *(one(f"job-{number}", 1 if number % 3 else 7) for number in range(20)))
    assert [type(outcome) for outcome in outcomes] == [Appended if n % 3 else ConcurrencyError for n in range(20)]
    error = outcomes[3]
    assert isinstance(error, ConcurrencyError)
    assert (error.stream, error.expected, error.found) == ("job-3", 7, 1)
    outcomes = await together(store, *(one(f"job-{number}", 3) for number in (90, 91, 92)))
    assert [outcome.found for outcome in outcomes if isinstance(outcome, ConcurrencyError)] == [0, 0, 0]
    await expect_chain(store)


async def test_data_that_the_database_refuses_is_one_callers_alone(store: EventStore) -> None:
    outcomes = await together(store, *(one(f"job-{n}", ANY, company_id=2**40 if n == 3 else 7) for n in range(9)))
    assert [type(outcome) for outcome in outcomes] == [EventStoreError if n == 3 else Appended for n in range(9)]
    assert await expect_chain(store) == 8


async def test_a_request_is_appended_as_a_whole_or_not_at_all(store: EventStore) -> None:
    await store.append(one("job-1", NO_STREAM))
    bad = store.append_all([one("job-2", NO_STREAM), one("job-1", NO_STREAM), one("job-3", ANY)])
    good = store.append_all([one("job-4", NO_STREAM), one("job-5", ANY, event(1), event(2))])
    outcomes = await asyncio.gather(store.append(one("job-9")), bad, good, return_exceptions=True)
    assert isinstance(outcomes[1], ConcurrencyError)
    assert isinstance(outcomes[2], list)
    assert [done.version for done in outcomes[2]] == [1, 2]
    streams = [row["stream"] for row in await store.pool.fetch("SELECT DISTINCT stream FROM events ORDER BY 1")]
    assert streams == ["job-1", "job-4", "job-5", "job-9"]
    assert await expect_chain(store) == 5


async def test_a_guard_holds_a_stream_at_its_version_and_appends_nothing(store: EventStore) -> None:
    await store.append(one("run_template-1", NO_STREAM))
    guarded, appended = await store.append_all([guard("run_template-1", 7, 1), one("job-1", NO_STREAM)])
    assert (guarded.version, appended.version) == (1, 1)
    with pytest.raises(ConcurrencyError):
        await store.append_all([one("job-2", NO_STREAM), guard("run_template-1", 7, 2)])
    await store.append_all([guard("run_template-9", 7, NO_STREAM), one("job-3", NO_STREAM)])
    assert await versions(store, "run_template-1") == [1]
    assert await expect_chain(store) == 3


async def test_a_repeated_command_answers_the_same_and_its_key_is_of_no_other(store: EventStore) -> None:
    command = [one("job-1", NO_STREAM, event(1), event(2)), guard("run_template-1", 7, NO_STREAM)]
    first = await store.append_all(command, key="k")
    again = await store.append_all(command, key="k")
    assert [done.replayed for done in again] == [True, True]
    assert [done._replace(replayed=False) for done in again] == first
    with pytest.raises(IdempotencyKeyError):
        await store.append_all([one("job-2", NO_STREAM)], key="k")
    outcomes = await asyncio.gather(*(store.append_all([one("job-3", NO_STREAM)], key="at once") for _ in range(8)))
    assert sorted(done.replayed for (done,) in outcomes) == [False] + [True] * 7
    assert await expect_chain(store) == 3


async def test_a_stream_belongs_to_one_company(store: EventStore) -> None:
    await store.append(one("job-1", NO_STREAM))
    with pytest.raises(StreamCompanyError):
        await store.append(one("job-1", 1, company_id=8))
    with pytest.raises(StreamCompanyError):
        await store.append(one("job-1", ANY, company_id=8))
    outcomes = await together(
        store, *(one(f"job-{number}", 1 if number == 1 else 0, company_id=8) for number in range(9))
    )
    assert [type(outcome) is StreamCompanyError for outcome in outcomes] == [number == 1 for number in range(9)]
    assert await versions(store, "job-1") == [1]


async def test_time_does_not_run_backwards_in_a_stream(database: Database, store: EventStore) -> None:
    later = datetime.now(UTC) + timedelta(days=2)
    await together(store, *(one(f"job-{number}", NO_STREAM) for number in range(4)))
    owner = await asyncpg.connect(database.superuser_url)
    await owner.execute("UPDATE multiflexi.streams SET last_time = $1", later)
    await owner.close()
    await store.append(one("job-0", 1))
    await store.append(one("job-1", ANY))
    await together(store, one("job-2", 1), one("job-3", 1), one("job-4", NO_STREAM))
    for number in range(4):
        times = [recorded.stored.time async for recorded in store.read_stream(f"job-{number}")]
        assert len(times) == 2
        assert times[1] >= later
    assert await expect_chain(store) == 9


async def test_appends_of_one_process_to_one_stream_keep_their_order(store: EventStore) -> None:
    outcomes = await together(store, *(one("job-1", ANY, event(number)) for number in range(40)))
    assert [done.version for done in outcomes if isinstance(done, Appended)] == list(range(1, 41))
    numbers = [recorded.event.job_id async for recorded in store.read_stream("job-1")]  # type: ignore[attr-defined]
    assert numbers == list(range(40))


async def test_appends_that_wait_share_a_transaction_but_for_those_of_one_stream(store: EventStore) -> None:
    await together(store, *(one(f"job-{number % 8}", ANY, event(number)) for number in range(24)))
    sizes = await transactions(store, "job-%")
    assert sum(sizes) == 24
    assert len(sizes) <= 5
    for stream in range(8):
        numbers = [recorded.event.job_id async for recorded in store.read_stream(f"job-{stream}")]  # type: ignore[attr-defined]
        assert numbers == [stream, stream + 8, stream + 16]


async def test_heads_are_found_by_index_however_the_log_has_grown(database: Database, store: EventStore) -> None:
    owner = await asyncpg.connect(database.superuser_url, server_settings={"search_path": "multiflexi"})
    async with raw_connection(database) as (connection, _):
        for number in range(8):
            await together(store, *(one(f"job-{number}") for number in range(8)))
            await connection.fetch(BATCH, *arguments([Wanted("job-raw", ANY)]))
        await owner.execute(
            "INSERT INTO streams SELECT 'job-x' || n, 2, 7, 1, '', '3', now(), now() FROM generate_series(1, 20000) n"
        )
        await together(store, *(one(f"job-{number}", 8) for number in range(8)))
        await together(store, *(one(f"job-{number}", ANY) for number in range(8)))
        await together(store, *(one(f"job-{number}", NO_STREAM) for number in range(10, 18)))
        await store.append(one("job-1", 10))
        for number in range(8):
            await connection.fetch(BATCH, *arguments([Wanted("job-raw", ANY), Wanted(f"job-raw-{number}", NO_STREAM)]))

    async def told() -> bool:
        await owner.execute("SELECT pg_stat_clear_snapshot()")
        return await owner.fetchval("SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'streams'") > 100

    await store._appender.close()
    await wait_until(told, "the statistics of the table of heads")
    assert await owner.fetchval("SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'streams'") <= 2
    await owner.close()


async def test_each_request_of_a_batch_is_answered_by_itself(database: Database, store: EventStore) -> None:
    await together(
        store, *(one(f"job-{number}", NO_STREAM, company_id=8 if number == 2 else 7) for number in range(1, 5))
    )
    before = {row["stream"]: row for row in await store.pool.fetch("SELECT * FROM streams")}
    wanted = [
        Wanted("job-5", NO_STREAM, 2, request=1),
        Wanted("job-1", NO_STREAM, 3, request=1),
        Wanted("job-2", ANY, 2, request=2),
        Wanted("job-3", 1, 0, request=3),
        Wanted("job-6", NO_STREAM, 2, request=3),
        Wanted("job-7", NO_STREAM, 1, request=4),
        Wanted("job-9", 4, 1, request=4),
        Wanted("job-4", ANY, 1, request=5),
    ]
    async with raw_connection(database) as (connection, _):
        rows = await connection.fetch(BATCH, *arguments(wanted))
    assert [(row["outcome"], row["version"]) for row in rows] == [
        ("refused", 0),
        ("conflict", 1),
        ("other_company", 8),
        ("appended", 1),
        ("appended", 2),
        ("refused", 0),
        ("conflict", 0),
        ("appended", 2),
    ]
    ends = await store.pool.fetch("SELECT stream, max(position) AS position FROM events GROUP BY stream")
    last = {row["stream"]: row["position"] for row in ends}
    assert [row["position"] for row in rows] == [None, None, None, None, last["job-6"], None, None, last["job-4"]]
    after = {row["stream"]: row for row in await store.pool.fetch("SELECT * FROM streams")}
    assert after.keys() == before.keys() | {"job-6"}
    assert [stream for stream in before if after[stream] != before[stream]] == ["job-3", "job-4"]
    assert [await versions(store, f"job-{number}") for number in (1, 2, 3, 4, 6)] == [[1], [1], [1], [1, 2], [1, 2]]
    assert await expect_chain(store) == 7


async def test_folds_get_the_events_of_the_transaction_and_may_refuse_them(database: Database) -> None:
    owner = await asyncpg.connect(database.superuser_url, server_settings={"search_path": "multiflexi"})
    await owner.execute("""
        CREATE TABLE seen (position bigint PRIMARY KEY, stream text UNIQUE, version integer, xid xid8, data jsonb);
        CREATE FUNCTION fold_seen(batch event[]) RETURNS void LANGUAGE sql AS
            $$ INSERT INTO seen SELECT position, stream, version, xid, data FROM unnest(batch) $$;
        GRANT ALL ON seen TO multiflexi_owner;
    """)
    async with EventStore(settings_of(database), role="owner", inline={"JobCancelled": ["fold_seen"]}) as store:
        await store.append(one("job-1", NO_STREAM))
        await together(store, *(one(f"job-{number}", NO_STREAM, event(number)) for number in range(2, 20)))
        with pytest.raises(EventStoreError, match="unique"):
            await store.append_all([one("job-1", 1), one("job-99", NO_STREAM)])
        rows = await owner.fetch(
            "SELECT s.stream = e.stream AND s.version = e.version AND s.xid = e.xid AND s.data = e.data AS same "
            "FROM events e LEFT JOIN seen s USING (position)"
        )
        assert [row["same"] for row in rows] == [True] * 19
    await owner.close()
