"""Bad input and a database that does not do its part: each a clear error that says what to do, nothing half-written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec
import psycopg
import pytest
from psycopg import sql

from domain.company_events import CompanyChanged
from eventstore import connection as module
from eventstore.errors import (
    DatabaseUnavailableError,
    EventStoreError,
    LogMovedError,
    MasterKeyError,
    NewerEventError,
    PayloadTooLargeError,
    SettingsError,
    UnknownEventTypeError,
    UnsupportedDatabaseError,
)
from eventstore.log import MAX_DATA, MAX_PAYLOAD, Append
from eventstore.settings import load
from eventstore.store import EventStore
from tests.testbed.events import company_created, job_scheduled, output_captured
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import open_store, settings_of, wait_visible


@pytest.fixture
async def store(database: Database) -> AsyncIterator[EventStore]:
    async with open_store(database) as opened:
        yield opened


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """Return a server that a test may stop."""
    with Server(18) as server:
        yield server


def execute(database: Database, statement: str, *arguments: object) -> None:
    with psycopg.connect(database.superuser_url, autocommit=True, options="-c search_path=multiflexi") as connection:
        connection.execute(sql.SQL(statement), arguments)  # type: ignore[arg-type]


async def written(store: EventStore) -> tuple[int, int]:
    row = await store.pool.fetchrow("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM streams)")
    assert row is not None
    return tuple(row)


def company(company_id: int, **fields: Any) -> Append:
    return Append(stream=f"company-{company_id}", company_id=company_id, events=[company_created(company_id, **fields)])


# What callers get wrong.


@pytest.mark.parametrize(
    "stream",
    ["", "company", "-7", "Company-7", "company-", "company-7 ", "company-7\n", "com pany-7", "company-ž", "c" * 300],
)
async def test_name_of_a_stream_is_checked(store: EventStore, stream: str) -> None:
    with pytest.raises(EventStoreError, match="is not a stream name: expected CATEGORY-ID"):
        await store.append(Append(stream=stream, events=[company_created(7)]))
    assert await written(store) == (0, 0)


async def test_stream_stands_once_in_an_append(store: EventStore) -> None:
    with pytest.raises(EventStoreError, match="put its events together"):
        await store.append_all([company(7), company(7)])
    assert await written(store) == (0, 0)


@pytest.mark.parametrize(
    "fields", [{"name": "half \ud800"}, {"email": "half \udfff"}, {"name": "NUL \0"}, {"settings": {"a\\\0": "b"}}]
)
async def test_text_that_no_database_can_hold_is_refused(store: EventStore, fields: dict[str, Any]) -> None:
    with pytest.raises(EventStoreError, match=r"company-7 cannot be stored: .*(NUL|surrogate)"):
        await store.append(company(7, **fields))
    assert await written(store) == (0, 0)


async def test_backslash_before_u0000_is_text(store: EventStore) -> None:
    await store.append(company(7, name=r"\u0000 and \\u0000"))
    assert [one.event async for one in store.read_stream("company-7")] == [
        company_created(7, name=r"\u0000 and \\u0000")
    ]


async def test_document_over_the_limit_is_named_with_its_size(store: EventStore) -> None:
    with pytest.raises(PayloadTooLargeError, match=rf"CompanyCreated for company-7 has \d+ bytes.*{MAX_DATA}"):
        await store.append_all([company(8), company(7, name="ž" * (MAX_DATA // 2))])
    assert await written(store) == (0, 0)
    await store.append(company(7, name="x" * (MAX_DATA - 1000)))


async def test_payload_over_the_limit_is_named_with_its_size(store: EventStore) -> None:
    def output(size: int) -> Append:
        return Append(stream="output-1", company_id=1, events=[output_captured(1, 0)], payloads=[b"x" * size])

    with pytest.raises(
        PayloadTooLargeError, match=rf"OutputCaptured for output-1 has {MAX_PAYLOAD + 1} bytes of payload"
    ):
        await store.append_all([company(8), output(MAX_PAYLOAD + 1)])
    assert await written(store) == (0, 0)
    await store.append(output(MAX_PAYLOAD))


# What a newer version of the program has left.


async def test_event_of_a_newer_version_is_named_and_the_rest_of_the_log_is_read(
    database: Database, store: EventStore
) -> None:
    await store.append(company(7))
    await store.append(Append(stream="company-7", company_id=7, events=[CompanyChanged(company_id=7, name="Later")]))
    done = await store.append(company(8))
    await wait_visible(store, done.cursor)
    execute(database, "UPDATE events SET meta = meta || '{\"v\": 99}' WHERE stream = 'company-7' AND version = 2")
    log = [one async for one in store.read_log()]
    assert [(one.stream, one.version) for one in log] == [("company-7", 1), ("company-7", 2), ("company-8", 1)]
    assert log[0].event == company_created(7)
    with pytest.raises(NewerEventError, match=r"CompanyChanged has schema version 99; .* up to \d.* update MultiFlexi"):
        _ = log[1].event
    assert log[2].event == company_created(8)


async def test_event_of_an_unknown_type_is_named_and_the_rest_of_the_log_is_read(
    database: Database, store: EventStore
) -> None:
    await store.append(company(7))
    done = await store.append(company(8))
    await wait_visible(store, done.cursor)
    execute(database, "UPDATE events SET type = 'CompanyMerged' WHERE stream = 'company-7'")
    first, second = [one async for one in store.read_log()]
    with pytest.raises(UnknownEventTypeError, match=r"CompanyMerged is not known.* update MultiFlexi"):
        _ = first.event
    assert second.event == company_created(8)


# Keys.


async def test_wrong_master_key_is_refused_at_the_start_and_changes_nothing(database: Database) -> None:
    async with open_store(database) as store:
        await store.append(company(7, email="jane@example.org"))
    for _ in range(2):
        with pytest.raises(MasterKeyError, match="not the one this database was set up with: put the right one back"):
            async with open_store(database, master_key="another"):
                pass
    async with open_store(database) as store:
        (recorded,) = [one async for one in store.read_stream("company-7")]
        assert recorded.event == company_created(7, email="jane@example.org")


async def test_missing_master_key_is_asked_for(database: Database) -> None:
    async with open_store(database, master_key="") as store:
        await store.append(company(7))
        with pytest.raises(MasterKeyError, match="set ENCRYPTION_MASTER_KEY"):
            await store.append(company(8, email="jane@example.org"))
        assert await written(store) == (1, 1)
    async with open_store(database):
        pass
    with pytest.raises(MasterKeyError, match="set ENCRYPTION_MASTER_KEY"):
        async with open_store(database, master_key=""):
            pass


async def test_altered_personal_field_is_not_taken_for_erased(database: Database, store: EventStore) -> None:
    await store.append(company(7, email="jane@example.org"))
    await store.append(company(8, email="john@example.org"))
    execute(
        database,
        "UPDATE events SET data = jsonb_set(data, '{email,enc}', (SELECT e.data#>'{email,enc}' FROM events e "
        "WHERE e.stream = 'company-8')) WHERE stream = 'company-7'",
    )
    with pytest.raises(MasterKeyError, match=r"company-7\|email does not open.* altered.*audit:verify"):
        _ = [one async for one in store.read_stream("company-7")]


# The database.


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@/nothing?host=/nonexistent", "postgresql://nobody@127.0.0.1:9/nothing"]
)
async def test_server_that_is_down_is_told(database: Database, url: str) -> None:
    settings = settings_of(Database("nothing", 18, url, url, url, ()))
    with pytest.raises(DatabaseUnavailableError, match=r"cannot be reached.*Is PostgreSQL running\?"):
        async with EventStore(settings):
            pass


async def test_store_outlives_its_server(own_server: Server) -> None:
    database = own_server.fresh_database()
    async with open_store(database) as store:
        await store.append(company(7, email="jane@example.org"))
        own_server.postgres.stop()
        with pytest.raises(DatabaseUnavailableError, match=r"PostgreSQL running|broke during the append"):
            await store.append(company(8))
        with pytest.raises(DatabaseUnavailableError, match=r"PostgreSQL running|broke during the append"):
            await store.append(company(9, email="john@example.org"))
        for reading in (store.read_stream("company-7"), store.read_log()):
            with pytest.raises(DatabaseUnavailableError, match="Is PostgreSQL running"):
                _ = [one async for one in reading]
        with pytest.raises(DatabaseUnavailableError, match="Is PostgreSQL running"):
            await store.keyring.destroy("company:7")
        with pytest.raises(DatabaseUnavailableError, match="Is PostgreSQL running"):
            await store.end_of_log()
        own_server.start()
        assert [one.version async for one in store.read_stream("company-7")] == [1]
        await store.append(company(8))
        assert await written(store) == (2, 2)
    own_server.drop(database)


async def test_read_only_database_is_read_and_not_written(database: Database) -> None:
    async with open_store(database) as store:
        done = await store.append(company(7))
        await wait_visible(store, done.cursor)
    execute(database, f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    async with open_store(database) as store:
        for append in (company(8), company(8, email="jane@example.org")):
            with pytest.raises(DatabaseUnavailableError, match=r"read-only: nothing was written.*at the primary"):
                await store.append(append)
        assert [one.event async for one in store.read_log()] == [company_created(7)]
        assert await written(store) == (1, 1)


async def test_first_start_on_a_read_only_database_is_told(database: Database) -> None:
    execute(database, f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    with pytest.raises(DatabaseUnavailableError, match="read-only"):
        async with open_store(database):
            pass


async def test_database_without_a_schema_is_told(postgres: Server) -> None:
    empty = postgres.empty_database()
    with pytest.raises(SettingsError, match=r"no MultiFlexi schema. Run `multiflexi-cli database:migrate` first"):
        async with open_store(empty):
            pass
    postgres.drop(empty)


async def test_database_that_does_not_exist_is_told(database: Database) -> None:
    url = database.app_url.replace(database.name, "nothing_of_that_name")
    with pytest.raises(SettingsError, match=r"does not exist.*Check DATABASE_URL"):
        async with EventStore(settings_of(Database("nothing", 18, url, url, url, ()))):
            pass


async def test_login_that_may_not_take_on_its_role_is_told(database: Database) -> None:
    with pytest.raises(SettingsError, match=r"may not act as multiflexi_owner.*GRANT multiflexi_owner to the login"):
        async with open_store(msgspec.structs.replace(database, owner_url=database.app_url), role="owner"):
            pass


async def test_server_of_an_unsupported_version_is_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(major=14, minor=11)
    monkeypatch.setattr(asyncpg.Connection, "get_server_version", lambda _self: old)
    with pytest.raises(UnsupportedDatabaseError, match=r"PostgreSQL 14 is not supported: .* 15 or newer. Upgrade"):
        async with open_store(database):
            pass
    assert module.OLDEST_SERVER == 15


async def test_log_that_was_restored_into_another_cluster_is_not_written(database: Database) -> None:
    execute(database, "UPDATE log_epoch SET system_identifier = 1")
    with pytest.raises(LogMovedError, match=r"another PostgreSQL cluster.*run `multiflexi-cli database:adopt`"):
        async with open_store(database):
            pass


async def test_month_without_a_partition_is_told(database: Database, store: EventStore) -> None:
    month = datetime.now(UTC).strftime("%Y_%m")
    execute(database, f"DROP TABLE events_job_{month}")
    scheduled = Append(stream="job-1", company_id=1, events=[job_scheduled(1)])
    for appends in ([scheduled], [scheduled, company(7)]):
        with pytest.raises(EventStoreError, match=r"no partition for this month: nothing.*database:migrate"):
            await store.append_all(appends)
    assert await written(store) == (0, 0)
    await store.append(company(7))


async def test_database_of_an_older_version_is_told(database: Database, store: EventStore) -> None:
    execute(database, "ALTER FUNCTION event_digest RENAME TO event_digest_of_old")
    with pytest.raises(EventStoreError, match=r"another version.*event_digest.*database:migrate"):
        await store.append(company(8))
    assert await written(store) == (0, 0)


async def test_session_of_one_company_writes_nothing_of_another(database: Database, store: EventStore) -> None:
    await store.append(company(1, email="jane@example.org"))
    async with open_store(database, role="app", companies=[2]) as other:
        for append in (company(1), company(3), company(3, email="x@example.org"), company(1, email="x@example.org")):
            with pytest.raises(EventStoreError):
                await other.append(append)
        assert [one async for one in other.read_stream("company-1")] == []
        await other.append(company(2, email="john@example.org"))
        assert await written(other) == (1, 1)
    assert await written(store) == (2, 2)


def test_settings_without_a_database_say_what_to_do(tmp_path: Any) -> None:
    with pytest.raises(SettingsError, match=r"DATABASE_URL is not set.*make run"):
        load({"MULTIFLEXI_DATA": str(tmp_path)})
    (tmp_path / "connection.json").write_text("{")
    with pytest.raises(SettingsError, match="is damaged"):
        load({"MULTIFLEXI_DATA": str(tmp_path)})
