"""A writer for fault tests: queues jobs for ever, and puts down each append that was acknowledged.

``python -m tests.faults.writer DATABASE_URL RUN_TEMPLATE FILE``: each line of the file is a stream whose first event
the store has acknowledged. It is meant to be killed.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

from domain.job_events import JobScheduled
from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import EventStoreError
from eventstore.log import NO_STREAM, Append
from eventstore.settings import Settings
from eventstore.store import EventStore
from projections.registry import inline_folds
from tests.testbed.stores import MASTER_KEY


async def write(url: str, template: int, told: int) -> None:
    """Append with four callers at once until killed; begin anew when the database goes away."""
    settings = Settings(database_url=url, owner_url=url, master_key=MASTER_KEY, data_folder=Path("/nonexistent"))
    while True:
        try:
            async with EventStore(settings, role="owner", inline=inline_folds(), pool_size=2) as store:
                await asyncio.gather(*(one_caller(store, template, told) for _ in range(4)))
        except (EventStoreError, *DATABASE_ERRORS):
            await asyncio.sleep(0.05)


async def one_caller(store: EventStore, template: int, told: int) -> None:
    """Queue jobs one after the other."""
    while True:
        job = await store.pool.fetchval("SELECT nextval('job_id')")
        now = datetime.now(UTC)
        scheduled = JobScheduled(
            job_id=job,
            company_id=1,
            run_template_id=template,
            uuid=str(uuid.uuid4()),
            application_id=1,
            application_version="1.0",
            not_before=now,
            scheduled_at=now,
            executor="Native" if job % 50 == 0 else "Nowhere",
        )
        await store.append(Append(stream=f"job-{job}", company_id=1, events=[scheduled], expected=NO_STREAM))
        os.write(told, f"job-{job}\n".encode())


if __name__ == "__main__":
    descriptor = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    asyncio.run(write(sys.argv[1], int(sys.argv[2]), descriptor))
