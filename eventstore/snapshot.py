"""One state of the log to read from, for audits and proofs, while the log goes on growing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from eventstore.connection import connect
from eventstore.store import EventStore

Source = EventStore | asyncpg.Connection | str
"""A store or a URL is read as ``multiflexi_auditor``; a connection as it is, within its transaction if it has one."""

SHARE = "LOCK TABLE events IN ACCESS SHARE MODE"
ONE_PARTITION = "SET LOCAL plan_cache_mode = force_custom_plan"
"""Each page is read from one partition: a plan for any of them would sort what its index has in order."""


@asynccontextmanager
async def snapshot(source: Source) -> AsyncGenerator[asyncpg.Connection]:
    """Give a connection whose transaction sees one state of the log; no partition is detached meanwhile."""
    if isinstance(source, EventStore | str):
        url = source if isinstance(source, str) else source.settings.url_of("auditor")
        connection = await connect(url, "auditor", application="multiflexi audit")
        try:
            async with snapshot(connection) as inner:
                yield inner
        finally:
            await connection.close()
    elif source.is_in_transaction():
        yield source
    else:
        async with source.transaction(isolation="repeatable_read", readonly=True):
            await source.execute(SHARE)
            await source.execute(ONE_PARTITION)
            yield source
