"""A database that has rows of two companies and of the installation in every table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from domain.job_events import JobScheduled
from domain.run_template_events import RunTemplateCreated
from eventstore.log import Append, Meta
from eventstore.output import key_owner
from tests.projections.histories import history_of, wishes
from tests.projections.rows import fold_all
from tests.schema.catalogue import as_superuser, has_rows, make_up_row, tables
from tests.testbed.events import DAY, company_created
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import open_store

COMPANIES = (1001, 1002)
"""Companies that are there, each with a run template and a job that waits; others may be gone."""


@pytest.fixture(scope="module")
def furnished(postgres: Server) -> Iterator[Database]:
    """Return a database with rows of companies 1 and 2 and of the installation in every table that has companies."""
    database = postgres.fresh_database()
    asyncio.run(live(database))
    fold_all(database, 1000)
    with as_superuser(database) as connection:
        connection.execute("SET session_replication_role = replica")  # made-up rows refer to nothing
        for table in tables(database):
            for company in (1, 2):
                if not has_rows(connection, table, company):
                    make_up_row(connection, table, company)
    yield database
    postgres.drop(database)


async def live(database: Database) -> None:
    async with open_store(database, inline=True) as store:
        for step in history_of(wishes(seed=7, count=300)).steps:
            await store.append_all(step, meta=Meta(actor="user:1"))
        for company in COMPANIES:
            await store.append(
                Append(stream=f"company-{company}", company_id=company, events=[company_created(company)])
            )
            template = RunTemplateCreated(
                run_template_id=company, company_id=company, uuid=f"t-{company}", application_id=1, name="Echo"
            )
            job = JobScheduled(
                job_id=company, company_id=company, run_template_id=company, uuid=f"j-{company}", application_id=1,
                application_version="1", scheduled_at=DAY, not_before=DAY,
            )  # fmt: skip
            await store.append(Append(stream=f"run_template-{company}", company_id=company, events=[template]))
            await store.append(Append(stream=f"job-{company}", company_id=company, events=[job]))
        for company in (1, 2):
            await store.keyring.ensure(key_owner(company), company)
        await store.keyring.ensure("user:1", None)
