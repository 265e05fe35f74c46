"""Read models are made where they are missing, and renewed where a new version of the program changes them."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from daemons.prepare import prepare
from eventstore.log import Append
from projections import registry, setup
from projections.errors import ProjectionVersionError, UnknownProjectionError
from projections.projection import FOLDER, Projection
from projections.rebuild import rebuild
from tests.projections.rows import fold_all, rows_of
from tests.projections.scenes import appends_of_job, furnish, schemas
from tests.testbed.events import company_created
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store, wait_visible

OTHER_FOLD = (
    ("scheduled_at   timestamptz,", "scheduled_at   timestamptz,\n    starts integer NOT NULL DEFAULT 0,"),
    ("j.version AS stream_version,", "j.version AS stream_version, (j.t IS NOT NULL)::integer AS starts,"),
    ("stderr, stream_version)", "stderr, stream_version, starts)"),
    ("m.stream_version\n", "m.stream_version, m.starts\n"),
    (
        "stream_version = excluded.stream_version;",
        "stream_version = excluded.stream_version, starts = t.starts + excluded.starts;",
    ),
)
"""What the next version of the program changes in job_history.sql: one column more."""


@pytest.fixture
def newer_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Be a program whose job_history has another version, with a column more."""
    for path in FOLDER.glob("*.sql"):
        (tmp_path / path.name).write_text(path.read_text())
    text = (tmp_path / "job_history.sql").read_text()
    for old, new in OTHER_FOLD:
        assert old in text, "the fold has changed: change the newer one of this test as well"
        text = text.replace(old, new)
    (tmp_path / "job_history.sql").write_text(text)
    become(monkeypatch, registry.JOB_HISTORY, version=registry.JOB_HISTORY.version + 1)
    monkeypatch.setattr("projections.projection.FOLDER", tmp_path)


def become(monkeypatch: pytest.MonkeyPatch, projection: Projection, *, version: int) -> None:
    fields = {name: getattr(projection, name) for name in projection.__struct_fields__}
    other = Projection(**{**fields, "version": version})
    everything = tuple(other if one.name == projection.name else one for one in registry.ALL)
    for module in (registry, setup):
        monkeypatch.setattr(module, "ALL", everything)


async def some_history(database: Database) -> None:
    async with open_store(database, inline=True) as store:
        await furnish(store)
        done = await store.append(Append(stream="company-2", company_id=2, events=[company_created(2)]))
        await wait_visible(store, done.cursor)
    await asyncio.to_thread(fold_all, database, 1000)


async def test_newer_version_of_a_read_model_takes_the_place_of_the_old_one(
    database: Database, newer_program: None
) -> None:
    await some_history(database)
    before = rows_of(database)
    assert prepare(database.owner_url) == ["rebuilt job_history"]
    after = rows_of(database)
    assert after["job"] == [{**row, "starts": 1} for row in before["job"]]
    assert {table: rows for table, rows in after.items() if table != "job"} == {
        table: rows for table, rows in before.items() if table != "job"
    }
    assert prepare(database.owner_url) == []
    async with open_store(database, role="app", companies=[2]) as other, open_store(database, role="app") as all_of_it:
        assert await other.pool.fetchval("SELECT count(*) FROM job") == 0
        assert await all_of_it.pool.fetchval("SELECT sum(starts) FROM job") == len(after["job"])
        await all_of_it.append_all(appends_of_job(500))


async def test_newer_version_is_made_once_by_several_processes_that_start_at_once(
    database: Database, newer_program: None
) -> None:
    await some_history(database)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: prepare(database.owner_url), range(4)))
    assert sorted(done) == [[], [], [], ["rebuilt job_history"]]
    assert schemas(database, "rebuild_%") == []


def test_read_model_of_a_newer_program_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    become(monkeypatch, registry.COMPANY, version=0)
    with pytest.raises(ProjectionVersionError, match=r"company has version \d+; .* up to 0.* Install that"):
        prepare(database.owner_url)


async def test_inline_read_model_that_came_later_holds_what_was_before_it(database: Database) -> None:
    await some_history(database)
    before = rows_of(database)
    with psycopg.connect(database.superuser_url, options="-c search_path=multiflexi") as connection:
        connection.execute(
            "DROP TABLE company, company_app; DROP FUNCTION fold_company; "
            "DELETE FROM projections WHERE name = 'company'"
        )
    assert prepare(database.owner_url) == ["read model company", "rebuilt company"]
    assert rows_of(database) == before


async def test_asynchronous_read_model_that_came_later_is_folded_by_the_projector(database: Database) -> None:
    await some_history(database)
    before = rows_of(database)
    with psycopg.connect(database.superuser_url, options="-c search_path=multiflexi") as connection:
        connection.execute(
            "DROP TABLE job_output; DROP FUNCTION fold_job_output; DELETE FROM projections WHERE name = 'job_output'"
        )
    assert prepare(database.owner_url) == ["read model job_output"]
    assert rows_of(database)["job_output"] == []
    fold_all(database, 1000)
    assert rows_of(database) == before


def test_unknown_projection_is_named_with_those_there_are(database: Database) -> None:
    with pytest.raises(UnknownProjectionError, match=r"no projection 'jobs'. There are: .*job_history"):
        rebuild(database.owner_url, "jobs")
