"""However a history is folded, the rows are the same."""

from __future__ import annotations

import asyncio
from datetime import datetime

import psycopg
import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from eventstore.log import Meta
from eventstore.store import EventStore
from projections.rebuild import drop_replay, rebuild, replay
from projections.registry import ALL
from tests.projections.histories import histories
from tests.projections.history import History, Step
from tests.projections.rows import Rows, differences, fold_all, rows_of, skipped
from tests.testbed.examples import on_database
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import open_store, wait_visible

NAMES = [projection.name for projection in ALL]
FUTURE = datetime.fromisoformat("2999-01-01T00:00:00Z")


def now_of(database: Database) -> datetime:
    with psycopg.connect(database.superuser_url) as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        return row[0]


async def live(store: EventStore, steps: list[Step], number: int = 0) -> None:
    """Append steps one after another; wait until readers of the log see them all."""
    for count, step in enumerate(steps, number):
        done = await store.append_all(step, meta=Meta(actor=("system", "user:7")[count % 2], source="test"))
        newest = max(one.cursor for one in done)
        if count == number + len(steps) - 1:
            await wait_visible(store, newest)


def replayed(database: Database, until: datetime, batch: int) -> Rows:
    schema = replay(database.owner_url, NAMES, until, batch=batch)
    try:
        return rows_of(database, schema)
    finally:
        drop_replay(database.owner_url, schema)


@pytest.mark.slow
@pytest.mark.postgres_versions(18, 15)
@on_database(max_examples=12)
@given(history=histories(), part=st.integers(0, 80), limit=st.sampled_from([1, 3, 7, 1000]))
def test_rows_are_the_same_in_batches_of_any_size_inline_rebuilt_and_at_a_moment(
    postgres: Server, history: History, part: int, limit: int
) -> None:
    note(f"{[[append.events for append in step] for step in history.steps]}")
    database = postgres.fresh_database()
    try:
        part = min(part, len(history.steps))

        async def first_part_then_rest() -> tuple[Rows, datetime]:
            async with open_store(database, inline=True) as store:
                await live(store, history.steps[:part])
                await asyncio.to_thread(fold_all, database, limit)
                rows, moment = rows_of(database), now_of(database)
                await live(store, history.steps[part:], part)
                return rows, moment

        then, moment = asyncio.run(first_part_then_rest())
        fold_all(database, limit)
        rows = rows_of(database)
        assert sum(len(table) for table in rows.values()) > 0
        for batch in (1, 7, 1000):
            assert differences(rows, replayed(database, FUTURE, batch)) == {}, f"batches of {batch}"
        assert differences(then, replayed(database, moment, 1000)) == {}, "at a moment"
        rebuild(database.owner_url, NAMES)
        assert differences(rows, rows_of(database)) == {}, "rebuilt"
        assert fold_all(database, limit) == 0
        assert skipped(database) == []
    finally:
        postgres.drop(database)
