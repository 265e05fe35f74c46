"""The event store that commands are tested with on a real database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from daemons.prepare import prepare
from eventstore.store import EventStore
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store


@pytest.fixture
async def store(database: Database) -> AsyncIterator[EventStore]:
    """Return the store of the web and the command line, on a database with its read models."""
    await asyncio.to_thread(prepare, database.owner_url)
    async with open_store(database, role="app", inline=True) as opened:
        yield opened
