"""A replay tells nothing of a moment before all that happened up to then can be read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from eventstore.log import Append
from projections.errors import ReplayError
from projections.rebuild import drop_replay, replay
from projections.registry import COMPANY
from tests.projections.rows import rows_of
from tests.testbed.events import company_created
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store, raw_connection


async def test_replay_waits_for_a_transaction_that_hides_the_end_of_the_log(database: Database) -> None:
    async with open_store(database, inline=True) as store, raw_connection(database) as (older, _):
        transaction = older.transaction()
        await transaction.start()
        await older.fetchval("SELECT pg_current_xact_id()")
        await store.append(Append(stream="company-1", company_id=1, events=[company_created(1)]))
        replaying = asyncio.create_task(
            asyncio.to_thread(replay, database.owner_url, ["company"], datetime.now(UTC), "replay_end")
        )
        done, _ = await asyncio.wait([replaying], timeout=0.3)
        assert not done
        await transaction.commit()
        await replaying
    assert [row["id"] for row in rows_of(database, "replay_end", (COMPANY,))["company"]] == [1]
    drop_replay(database.owner_url, "replay_end")


async def test_replay_that_would_miss_something_says_so(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.rebuild.WRITERS_TIMEOUT", 0.1)
    async with raw_connection(database) as (older, _), older.transaction():
        await older.fetchval("SELECT pg_current_xact_id()")
        with pytest.raises(ReplayError, match="multiflexi-cli status"):
            await asyncio.to_thread(replay, database.owner_url, ["company"], datetime.now(UTC))
