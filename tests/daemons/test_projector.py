"""The projector: what was committed is soon in the asynchronous read models, whatever happens."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from daemons.projector import fold_all, keep_house
from daemons.runtime import Daemon
from projections.queries import query
from tests.testbed.engine import engine
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store, wait_until


async def test_committed_events_appear_by_themselves(database: Database) -> None:
    async with engine(database, "projector") as lab:
        job = await lab.schedule(await lab.template())

        async def there() -> bool:
            return await lab.store.pool.fetchrow(query("job.find"), job) is not None

        await wait_until(there, f"job {job} in the history", timeout=5)


async def test_two_projectors_fold_each_event_once(database: Database) -> None:
    async with engine(database, "projector") as lab:
        template = await lab.template()
        for _ in range(30):
            await asyncio.gather(lab.schedule(template), fold_all(lab.store))
        while await fold_all(lab.store):
            pass
        day = await lab.store.pool.fetchrow("SELECT sum(scheduled) AS scheduled FROM dashboard_day")
        assert day is not None and day["scheduled"] == 30


async def test_the_log_is_signed_by_itself(database: Database) -> None:
    async with engine(database, "projector") as lab:

        async def signed() -> bool:
            return bool(await lab.store.pool.fetchval("SELECT count(*) FROM tree_heads"))

        await wait_until(signed, "a signed tree head")


async def test_a_projection_of_another_version_is_left_alone(database: Database) -> None:
    async with engine(database) as lab:
        await lab.store.pool.execute("UPDATE projections SET version = 99 WHERE name = 'audit_trail'")
        await lab.schedule(await lab.template())
        while await fold_all(lab.store):
            pass
        assert await lab.store.pool.fetchval("SELECT count(*) FROM audit_trail") == 0
        assert await lab.store.pool.fetchval("SELECT count(*) FROM job") == 1


async def test_what_ended_of_signing_in_is_removed_by_itself(database: Database) -> None:
    session = """
        INSERT INTO user_session (digest, user_id, method, created_at, seen_at, rotated_at, expires_at, proved_at)
        VALUES ($1, 1, 'password', now(), now(), now(), now() + $2::interval, now())
    """
    secret = (
        "INSERT INTO one_time_secret (digest, purpose, user_id, expires_at) VALUES ($1, 'x', 1, now() + $2::interval)"
    )
    attempt = "INSERT INTO sign_in_attempt (key, failures, first_at) VALUES ($1, 1, now() + $2::interval)"
    async with engine(database) as lab, open_store(database, role="app") as web:
        for insert, key in ((session, b"a"), (secret, b"a"), (attempt, "a")):
            await web.pool.execute(insert, key, timedelta(days=-2))
            await web.pool.execute(insert, key * 2, timedelta(hours=1))
        daemon = Daemon("projector")
        house = asyncio.create_task(keep_house(lab.store, daemon))

        async def only_the_rest() -> bool:
            counts = [
                await lab.store.pool.fetchval("SELECT count(*) FROM user_session"),
                await lab.store.pool.fetchval("SELECT count(*) FROM one_time_secret"),
                await lab.store.pool.fetchval("SELECT count(*) FROM sign_in_attempt"),
            ]
            return counts == [1, 1, 1]

        await wait_until(only_the_rest, "only what has not ended")
        daemon.stopping.set()
        await house
