"""The engine in one event loop, for tests: daemons as tasks on a real database, and what they work on.

::

    async with engine(database, "executor", "projector") as lab:
        template = await lab.template(executable="/bin/echo", arguments="hello")
        job = await lab.run(template)
        assert job["outcome"] == "success"
"""

from __future__ import annotations

import asyncio
import shlex
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from daemons import executor, projector, scheduler
from daemons.prepare import prepare
from daemons.runtime import Daemon, Kind, serve
from domain.application_events import ApplicationImported
from domain.company_events import CompanyCreated
from domain.environment import stored_environment
from domain.job_events import JobScheduled
from domain.run_template_events import RunTemplateChanged, RunTemplateCreated
from eventstore.log import NO_STREAM, Append
from eventstore.output import read_output
from eventstore.store import EventStore
from projections.queries import query
from projections.registry import inline_folds
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store, settings_of, wait_until

WORK = {"executor": executor.work, "scheduler": scheduler.work, "projector": projector.work}
COMPANY = 1


class Lab:
    """A company, and what tests do with its templates and jobs."""

    def __init__(self, store: EventStore, daemons: dict[str, Daemon]) -> None:
        self.store = store
        self.daemons = daemons

    async def template(
        self,
        executable: str = "/bin/sh",
        arguments: Sequence[str] = (),
        *,
        environment: dict[str, Any] | None = None,
        values: dict[str, str] | None = None,
        exit_codes: dict[str, Any] | None = None,
        **fields: Any,
    ) -> int:
        """Make an application and a template of it; return the template's id."""
        application = await self.next_id("application_id")
        template = await self.next_id("run_template_id")
        definition = {
            "name": f"Application {application}",
            "executable": executable,
            "cmdparams": shlex.join(arguments),
            "environment": environment or {},
            "exitCodes": exit_codes or {},
        }
        imported = ApplicationImported(
            application_id=application,
            uuid=str(uuid.uuid4()),
            name=f"Application {application}",
            version="1.0",
            executable=executable,
            definition=definition,
            digest=str(application),
        )
        created = RunTemplateCreated(
            run_template_id=template,
            company_id=COMPANY,
            uuid=str(uuid.uuid4()),
            application_id=application,
            name=f"Template {template}",
            environment=stored_environment(values or {}),
            **fields,
        )
        await self.store.append_all(
            [
                Append(stream=f"application-{application}", events=[imported], expected=NO_STREAM),
                Append(stream=f"run_template-{template}", company_id=COMPANY, events=[created], expected=NO_STREAM),
            ]
        )
        return template

    async def change(self, template: int, **fields: Any) -> None:
        """Change fields of a template."""
        changed = RunTemplateChanged(run_template_id=template, company_id=COMPANY, **as_stored(fields))
        await self.store.append(Append(stream=f"run_template-{template}", company_id=COMPANY, events=[changed]))

    async def schedule(self, template: int, company: int = COMPANY, **fields: Any) -> int:
        """Queue an ad-hoc job of a template; return its id."""
        job = await self.next_id("job_id")
        now = datetime.now(UTC)
        scheduled = JobScheduled(
            job_id=job,
            company_id=company,
            run_template_id=template,
            uuid=str(uuid.uuid4()),
            application_id=await self.store.pool.fetchval("SELECT app_id FROM run_template WHERE id = $1", template),
            application_version="1.0",
            scheduled_at=now,
            **{"not_before": now, **as_stored(fields)},
        )
        await self.store.append(Append(stream=f"job-{job}", company_id=company, events=[scheduled], expected=NO_STREAM))
        return job

    async def run(self, template: int, **fields: Any) -> dict[str, Any]:
        """Queue a job of a template, wait for its end, return its row of the history."""
        return await self.ended(await self.schedule(template, **fields))

    async def ended(self, job: int) -> dict[str, Any]:
        """Wait until a job has ended; return its row of the history."""

        async def over() -> bool:
            row = await self.store.pool.fetchrow(query("job.find"), job)
            return row is not None and row["state"] in ("finished", "cancelled")

        await wait_until(over, f"the end of job {job}")
        return dict(await self.store.pool.fetchrow(query("job.find"), job) or {})

    async def running(self, job: int) -> int:
        """Wait until a job's process runs; return its process id."""

        async def started() -> bool:
            return bool(await self.store.pool.fetchval("SELECT pid FROM job_leases WHERE job_id = $1", job))

        await wait_until(started, f"the process of job {job}")
        return await self.store.pool.fetchval("SELECT pid FROM job_leases WHERE job_id = $1", job)

    async def output(self, job: int, channel: str = "stdout") -> bytes:
        """Return what a job wrote to a channel."""
        chunks = [chunk async for chunk in read_output(self.store, job) if chunk.channel == channel]
        assert [chunk.offset for chunk in chunks] == [
            sum(len(before.data) for before in chunks[:number]) for number in range(len(chunks))
        ]
        return b"".join(chunk.data for chunk in chunks)

    async def next_id(self, sequence: str) -> int:
        """Return the next id of a sequence."""
        return await self.store.pool.fetchval("SELECT nextval($1::regclass)", sequence)


def as_stored(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields of an event, an environment among them as events hold it."""
    return {**fields, "environment": stored_environment(fields["environment"])} if "environment" in fields else fields


@asynccontextmanager
async def engine(database: Database, *kinds: Kind) -> AsyncIterator[Lab]:
    """Run daemons of these kinds on a database with one company; stop them in the end."""
    await asyncio.to_thread(prepare, database.owner_url)
    async with open_store(database, inline=True) as store:
        created = CompanyCreated(
            company_id=COMPANY, uuid=str(uuid.uuid4()), name="Acme Corp", code="acme", time_zone="Europe/Prague"
        )
        await store.append(
            Append(stream=f"company-{COMPANY}", company_id=COMPANY, events=[created], expected=NO_STREAM)
        )
    async with daemons_on(database, *kinds) as lab:
        yield lab


@asynccontextmanager
async def daemons_on(database: Database, *kinds: Kind) -> AsyncIterator[Lab]:
    """Run daemons of these kinds on a database as it is; stop them in the end."""
    daemons = {kind: Daemon(kind) for kind in kinds}
    async with open_store(database, inline=True) as store, asyncio.TaskGroup() as group:
        for kind, daemon in daemons.items():
            group.create_task(serve(daemon, settings_of(database), WORK[kind], inline_folds()), name=kind)
        try:
            yield Lab(store, daemons)
        finally:
            for daemon in daemons.values():
                daemon.stopping.set()
