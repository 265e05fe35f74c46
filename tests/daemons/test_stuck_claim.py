"""An executor that froze, or lost power, while it was sent what it claimed does not keep the others from claiming."""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg
import psycopg
import pytest

from daemons.claimer import CLAIM
from eventstore.connection import connect
from tests.testbed.engine import daemons_on, engine
from tests.testbed.postgres import Database
from tests.testbed.stores import settings_of, wait_until

WAITS_FOR_ITS_CLIENT = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'frozen' AND wait_event = 'ClientWrite'"
)
LARGE = {f"LARGE_{number}": "x" * 100_000 for number in range(4)}
"""Of a few jobs more than the buffers of a socket hold."""


async def test_claims_go_on_when_an_executor_stops_reading_what_it_claimed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemons.stuck_claim.WAIT", 0.3)
    async with engine(database, "projector") as lab:
        settings = {name: {"type": "text"} for name in LARGE}
        template = await lab.template("/bin/true", environment=settings, values=LARGE, overlap_policy="allow")
        jobs = [await lab.schedule(template) for _ in range(4)]
        frozen = await connect(settings_of(database).url_of("executor"), "executor", "*", "frozen")
        claiming = await frozen.prepare(CLAIM)
        claim = asyncio.ensure_future(claiming.fetch("daemon-of-old", "elsewhere", ["Native"], len(jobs), 30.0, []))
        await asyncio.sleep(0)
        wire: asyncio.ReadTransport = frozen._transport
        wire.pause_reading()
        with psycopg.connect(database.superuser_url, autocommit=True) as superuser:

            async def blocked() -> bool:
                row = superuser.execute(WAITS_FOR_ITS_CLIENT).fetchone()
                return row is not None and row[0] == 1

            await wait_until(blocked, "the server waits for the frozen executor")
        async with daemons_on(database, "executor") as others:
            for job in jobs:
                assert (await others.ended(job))["outcome"] == "success"
        wire.resume_reading()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await claim
        with contextlib.suppress(asyncpg.InterfaceError, OSError):
            await frozen.close(timeout=1)
