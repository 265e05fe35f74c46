"""The master key is replaced by another one while everything runs; no event is touched, no key is lost."""

from __future__ import annotations

import asyncio
import base64
import os
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest

from domain.company_events import CompanyCreated
from domain.event import ERASED
from eventstore import rotation
from eventstore.connection import server_settings
from eventstore.errors import MasterKeyError
from eventstore.keyring import Keyring
from eventstore.log import Append
from eventstore.rotation import rotate
from eventstore.store import EventStore
from eventstore.tree_heads import TreeHeadSigner
from eventstore.verify import verify
from tests.eventstore.logs import MASTER_KEY, open_store, settings, superuser, write
from tests.testbed.postgres import Database

NEW_KEY = base64.b64encode(b"n" * 32).decode()
OWNERS = 60
STATE = "SELECT id, master_id, wrapped FROM data_keys ORDER BY id"


def created(number: int) -> CompanyCreated:
    return CompanyCreated(
        company_id=number,
        uuid=f"u{number}",
        name="Acme",
        code=f"a{number}",
        time_zone="UTC",
        email=f"{number}@example.com",
    )


async def fill(database: Database, count: int = OWNERS) -> None:
    async with open_store(database) as store:
        for number in range(1, count + 1):
            await store.append(Append(stream=f"company-{number}", company_id=number, events=[created(number)]))
        await TreeHeadSigner(store).sign()


async def mails(store: EventStore) -> list[object]:
    return [recorded.event.email async for recorded in store.read_log(categories=["company"])]  # type: ignore[attr-defined]


@pytest.mark.postgres_versions(15, 18)
async def test_everything_opens_with_the_new_key_and_nothing_with_the_old(database: Database) -> None:
    await fill(database)
    async with superuser(database) as connection:
        before = await connection.fetch("SELECT * FROM events ORDER BY position")
        steps: list[tuple[int, int]] = []
        done = await rotate(
            database.owner_url, MASTER_KEY, NEW_KEY, batch=7, progress=lambda n, of: steps.append((n, of))
        )
        assert done.keys == OWNERS + 1
        assert steps[-1] == (OWNERS + 1, OWNERS + 1)
        assert await connection.fetch("SELECT * FROM events ORDER BY position") == before
        async with EventStore(settings(database, NEW_KEY), role="owner") as store:
            assert await mails(store) == [f"{number}@example.com" for number in range(1, OWNERS + 1)]
            await store.append(Append(stream="company-1", company_id=1, events=[created(1)]))
            await TreeHeadSigner(store).sign()
            assert (await verify(store)).ok
            assert await store.keyring.destroy("company:2")
            assert (await mails(store))[1] == ERASED
        with pytest.raises(MasterKeyError):
            async with open_store(database):
                pass
        assert (await rotate(database.owner_url, MASTER_KEY, NEW_KEY)).keys == 0


async def test_wrong_keys_are_refused_before_anything_is_written(database: Database) -> None:
    async with superuser(database) as connection:
        with pytest.raises(MasterKeyError, match="no master key yet"):
            await rotate(database.owner_url, MASTER_KEY, NEW_KEY)
        await fill(database, 3)
        before = await connection.fetch(STATE), await connection.fetch("SELECT * FROM master_keys")
        for old, new, message in (
            ("wrong", NEW_KEY, "not the one this database uses"),
            ("", NEW_KEY, "No master key"),
            (MASTER_KEY, "", "No master key"),
            (MASTER_KEY, MASTER_KEY, "is the old one"),
        ):
            with pytest.raises(MasterKeyError, match=message):
                await rotate(database.owner_url, old, new)
        assert (await connection.fetch(STATE), await connection.fetch("SELECT * FROM master_keys")) == before


class StopError(Exception):
    """What interrupts a rotation in a test."""


async def test_an_interrupted_rotation_goes_on_and_meanwhile_both_keys_serve(database: Database) -> None:
    await fill(database)

    def stop(done: int, _total: int) -> None:
        if done >= 20:
            raise StopError

    with pytest.raises(StopError):
        await rotate(database.owner_url, MASTER_KEY, NEW_KEY, batch=10, progress=stop)
    async with superuser(database) as connection:
        counts = await connection.fetch("SELECT count(*) AS keys FROM data_keys GROUP BY master_id ORDER BY master_id")
        assert [row["keys"] for row in counts] == [OWNERS - 20, 20]
        with pytest.raises(MasterKeyError, match="not the one this database uses"):
            await rotate(database.owner_url, "wrong", NEW_KEY)
        with pytest.raises(MasterKeyError, match="not the one this database uses"):
            await rotate(database.owner_url, MASTER_KEY, "a third key")
    async with pool(database) as connections:
        keyring = Keyring(connections, NEW_KEY, previous=MASTER_KEY)
        await keyring.open()
        await keyring.load(range(1, OWNERS + 1))
        both = [await keyring.ensure(f"company:{number}") for number in (1, OWNERS)]
        assert {key.id for key in both} == {1, OWNERS}
    assert (await rotate(database.owner_url, MASTER_KEY, NEW_KEY)).keys == OWNERS - 20 + 1
    async with EventStore(settings(database, NEW_KEY), role="owner") as store:
        assert len(await mails(store)) == OWNERS


def pool(database: Database) -> asyncpg.Pool:
    return asyncpg.create_pool(
        database.owner_url, min_size=1, max_size=3, server_settings=server_settings("owner", "*", "rotation test")
    )


async def test_keys_are_made_used_and_destroyed_while_a_rotation_runs(database: Database) -> None:
    await fill(database)
    stopped = asyncio.Event()
    async with pool(database) as connections:
        # A process that was started with both keys, and met the new one already.
        async with superuser(database) as connection:
            await rotation.announce(connection, MASTER_KEY, NEW_KEY)
        keyring = Keyring(connections, NEW_KEY, previous=MASTER_KEY)
        await keyring.open()
        made: list[str] = []

        async def work() -> None:
            number = 1000
            while not stopped.is_set():
                number += 1
                await keyring.ensure(f"user:{number}")
                made.append(f"user:{number}")
                if number % 3 == 0:
                    await keyring.destroy(made.pop())
                await keyring.load([number % OWNERS + 1])
                keyring._checked.clear()

        working = asyncio.create_task(work())
        assert (await rotate(database.owner_url, MASTER_KEY, NEW_KEY, batch=2)).keys >= OWNERS
        stopped.set()
        await working
        fresh = Keyring(connections, NEW_KEY)
        await fresh.open()
        for owner in made:
            assert await fresh.ensure(owner)


async def test_a_process_that_missed_the_rotation_makes_no_key_that_nobody_can_open(database: Database) -> None:
    await fill(database, 2)
    async with open_store(database) as stale:
        assert (await rotate(database.owner_url, MASTER_KEY, NEW_KEY)).keys == 3
        with pytest.raises(MasterKeyError, match="put the right one back"):
            await stale.keyring.ensure("user:9")
    async with superuser(database) as connection:
        assert await connection.fetchval("SELECT count(*) FROM data_keys WHERE owner = 'user:9'") == 0


async def test_a_process_with_both_keys_goes_on_through_a_rotation(database: Database) -> None:
    await fill(database, 2)
    both = msgspec.structs.replace(settings(database, NEW_KEY), previous_master_key=MASTER_KEY)
    async with EventStore(both, role="owner") as store:
        await rotate(database.owner_url, MASTER_KEY, NEW_KEY)
        assert await store.keyring.ensure("user:9")
    async with EventStore(settings(database, NEW_KEY), role="owner") as store:
        assert await store.keyring.ensure("user:9")


async def test_a_key_made_in_the_last_moment_is_wrapped_anew_as_well(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(database, 3)
    retire = rotation._Rotation.retire
    late: list[str] = []
    async with open_store(database) as stale:

        async def after_one_more(self: rotation._Rotation) -> None:
            if not late:
                late.append("user:9")
                await stale.keyring.ensure("user:9")
            await retire(self)

        monkeypatch.setattr(rotation._Rotation, "retire", after_one_more)
        assert (await rotate(database.owner_url, MASTER_KEY, NEW_KEY)).keys == 5
    async with EventStore(settings(database, NEW_KEY), role="owner") as store:
        assert await store.keyring.ensure("user:9")


async def test_two_rotations_do_not_run_at_once(database: Database) -> None:
    await fill(database, 2)
    async with superuser(database) as connection:
        await connection.execute("SELECT pg_advisory_lock(hashtext('multiflexi.rotation'))")
        with pytest.raises(MasterKeyError, match="under way"):
            await rotate(database.owner_url, MASTER_KEY, NEW_KEY)


async def test_a_damaged_key_is_named_and_the_old_master_key_stays_for_it(database: Database) -> None:
    await fill(database, 5)
    async with superuser(database) as connection:
        await connection.execute("UPDATE data_keys SET wrapped = $1 WHERE owner = 'company:3'", os.urandom(60))
        with pytest.raises(MasterKeyError, match=r"1 stored key\(s\) are damaged .*company:3"):
            await rotate(database.owner_url, MASTER_KEY, NEW_KEY, batch=2)
        left = await connection.fetch("SELECT owner FROM data_keys WHERE master_id = 1")
        assert [row["owner"] for row in left] == ["company:3"]
        assert await connection.fetchval("SELECT count(*) FROM master_keys WHERE retired_at IS NULL") == 2
        await connection.execute("DELETE FROM data_keys WHERE owner = 'company:3'")
        await rotate(database.owner_url, MASTER_KEY, NEW_KEY)
        assert await connection.fetchval("SELECT count(*) FROM master_keys WHERE retired_at IS NULL") == 1
        await write(connection, "company-9", datetime.now(UTC))
        async with EventStore(settings(database, NEW_KEY), role="owner") as store:
            assert await TreeHeadSigner(store).sign() is not None
