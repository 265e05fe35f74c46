"""Keys of data subjects: what is erased reads as erased everywhere, and nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from domain.company_events import CompanyChanged, CompanyCreated
from domain.event import ERASED, Event
from eventstore import keyring as module
from eventstore.errors import MasterKeyError, StreamCompanyError
from eventstore.keyring import Keyring
from eventstore.log import Append
from eventstore.master_key import MasterKey, key_bytes
from eventstore.store import EventStore
from tests.testbed.events import company_created
from tests.testbed.postgres import Database
from tests.testbed.stores import MASTER_KEY, open_store, wait_until


@pytest.fixture
async def store(database: Database) -> AsyncIterator[EventStore]:
    async with open_store(database) as opened:
        yield opened


async def write(store: EventStore, company_id: int, email: str, *more: Event) -> None:
    events = [company_created(company_id, email=email), *more]
    await store.append(Append(stream=f"company-{company_id}", company_id=company_id, events=events))


async def emails(store: EventStore, company_id: int) -> list[Any]:
    return [one.event.email async for one in store.read_stream(f"company-{company_id}")]  # type: ignore[attr-defined]


async def test_example_of_an_erasure(store: EventStore) -> None:
    await write(store, 7, "jane@example.org", CompanyChanged(company_id=7, name="Other", email="john@example.org"))
    await write(store, 8, "jim@example.org")
    assert await emails(store, 7) == ["jane@example.org", "john@example.org"]
    assert await store.keyring.destroy("company:7")
    assert await emails(store, 7) == [ERASED, ERASED]
    assert await emails(store, 8) == ["jim@example.org"]
    first, second = [one.event async for one in store.read_stream("company-7")]
    assert first == msgspec.structs.replace(company_created(7), email=ERASED)
    assert isinstance(second, CompanyChanged)
    assert second.name == "Other"
    assert not await store.keyring.destroy("company:7"), "there is nothing left to destroy"


async def test_subject_that_comes_back_has_a_new_key_and_the_old_data_stays_erased(store: EventStore) -> None:
    await write(store, 7, "before@example.org")
    await store.keyring.destroy("company:7")
    again = CompanyChanged(company_id=7, email="after@example.org")
    await store.append(Append(stream="company-7", company_id=7, events=[again]))
    assert await emails(store, 7) == [ERASED, "after@example.org"]


async def test_erasure_reaches_other_processes_soon(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CACHED_FOR", 0.2)
    await write(store, 7, "jane@example.org")
    async with open_store(database) as other:
        assert await emails(other, 7) == ["jane@example.org"]
        await store.keyring.destroy("company:7")

        async def erased() -> bool:
            return await emails(other, 7) == [ERASED]

        await wait_until(erased, "the erasure in the other process", timeout=5)


async def test_nothing_personal_lies_in_the_database_in_clear(database: Database, store: EventStore) -> None:
    await write(store, 7, "jane@example.org")
    connection = await asyncpg.connect(database.superuser_url)
    rows = await connection.fetch("SELECT e::text FROM multiflexi.events e")
    keys = await connection.fetch("SELECT wrapped FROM multiflexi.data_keys")
    await connection.close()
    assert all("jane" not in row[0] for row in rows)
    assert all(row[0] != key_bytes(MASTER_KEY) for row in keys)
    assert all(len(row[0]) == 12 + 32 + 16 for row in keys), "nonce, key, tag"


async def test_same_text_is_never_the_same_ciphertext(store: EventStore) -> None:
    await write(store, 7, "jane@example.org", *[CompanyChanged(company_id=7, email="jane@example.org")] * 20)
    stored = [one.stored.data async for one in store.read_stream("company-7")]
    envelopes = [msgspec.json.decode(data)["email"]["enc"] for data in stored]
    assert len(set(envelopes)) == len(envelopes)


async def test_ciphertext_opens_at_its_place_alone(store: EventStore) -> None:
    key = await store.keyring.ensure("company:7", 7)
    envelope = store.keyring.seal(key, "company:7", "company-7|email", "jane@example.org")
    await store.keyring.load([key.id])
    assert store.keyring.unseal(envelope, "company-7|email") == "jane@example.org"
    for place in ("company-8|email", "company-7|name"):
        with pytest.raises(MasterKeyError, match="was altered"):
            store.keyring.unseal(envelope, place)


async def test_read_model_is_revealed_in_its_order(store: EventStore) -> None:
    seven, eight = await store.keyring.ensure("company:7", 7), await store.keyring.ensure("company:8", 8)
    envelopes: list[tuple[dict[str, Any] | None, str]] = [
        (store.keyring.seal(seven, "company:7", "company-7|email", "jane"), "company-7|email"),
        (None, "company-9|email"),
        (store.keyring.seal(eight, "company:8", "company-8|email", "john"), "company-8|email"),
    ]
    assert await store.keyring.reveal(envelopes) == ["jane", None, "john"]
    await store.keyring.destroy("company:7")
    assert await store.keyring.reveal(envelopes) == [ERASED, None, "john"]


async def test_key_is_made_once_by_many_at_once(database: Database) -> None:
    stores = [open_store(database) for _ in range(4)]
    async with stores[0], stores[1], stores[2], stores[3]:
        keys = await asyncio.gather(*(store.keyring.ensure("company:7", 7) for store in stores for _ in range(5)))
    assert len({key.id for key in keys}) == 1


async def test_first_master_key_is_put_down_once_by_many_at_once(database: Database) -> None:
    stores = [open_store(database) for _ in range(4)]
    await asyncio.gather(*(store.__aenter__() for store in stores))
    assert await stores[0].pool.fetchval("SELECT count(*) FROM master_keys") == 1
    await asyncio.gather(*(store.__aexit__(None, None, None) for store in stores))


async def test_keys_of_many_subjects_read_right_while_the_cache_is_emptied(
    database: Database, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one reader has at hand, another may sweep away while the first waits for the rest."""
    for company in range(1, 41):
        await write(store, company, f"{company}@example.org")
    monkeypatch.setattr(module, "MOST_CACHED", 3)
    async with open_store(database) as other:

        async def read_some(first: int) -> None:
            for company in range(first, first + 20):
                assert await emails(other, company) == [f"{company}@example.org"]
                ids = [one.event async for one in other.read_log(categories=["company"])]
                assert [one.email for one in ids if isinstance(one, CompanyCreated)] == [
                    f"{number}@example.org" for number in range(1, 41)
                ]

        await asyncio.gather(*(read_some(first) for first in (1, 6, 11, 21)))


async def test_key_at_hand_that_was_swept_away_meanwhile_is_asked_for_again(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await store.keyring.ensure("company:1", 1), await store.keyring.ensure("company:2", 2)
    keyring = Keyring(SweepingPool(store.pool), MASTER_KEY)  # type: ignore[arg-type]
    await keyring.open()
    await keyring.load([one.id])
    keyring._pool.sweep = keyring  # type: ignore[attr-defined]
    await keyring.load([one.id, two.id])
    assert keyring.known(one.id) is not None
    assert keyring.known(two.id) is not None


class SweepingPool:
    """A pool in which, while somebody waits for keys, another empties the cache."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.sweep: Keyring | None = None

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        rows = await self._pool.fetch(query, *arguments)
        if self.sweep is not None:
            self.sweep._by_id.clear()
            self.sweep._checked.clear()
            self.sweep = None
        return rows


async def test_key_of_another_company_is_neither_used_nor_made(database: Database, store: EventStore) -> None:
    await store.keyring.ensure("company:1", 1)
    async with open_store(database, role="app", companies=[2]) as other:
        for owner, company in (("company:1", 2), ("company:1", 1), ("company:3", 3)):
            with pytest.raises(StreamCompanyError, match=rf"{owner} cannot be written for company {company}"):
                await other.keyring.ensure(owner, company)
    assert await store.pool.fetchval("SELECT count(*) FROM data_keys") == 1


def test_master_key_is_taken_as_bytes_where_it_is_32_of_them() -> None:
    assert key_bytes("00" * 32) == bytes(32)
    assert key_bytes("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=") == bytes(32)
    assert len(key_bytes("a passphrase")) == 32
    assert key_bytes("a passphrase") != key_bytes("another")


def test_wrapped_key_opens_for_its_purpose_alone() -> None:
    wrapped = MasterKey("secret").wrap(b"k" * 32, "company:7")
    assert MasterKey("secret").unwrap(wrapped, "company:7") == b"k" * 32
    for secret, purpose in (("secret", "company:8"), ("other", "company:7")):
        with pytest.raises(MasterKeyError, match="does not open the stored key"):
            MasterKey(secret).unwrap(wrapped, purpose)
