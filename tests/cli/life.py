"""The life of jobs as an executor writes it into the log, and the projector's part."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from daemons.projector import fold_all
from domain.event import Event
from domain.job_events import JobFinished, JobStarted, OutputCaptured
from eventstore.log import Append
from eventstore.output import encode_payload, key_owner, place
from eventstore.store import EventStore
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store


class Life:
    """Writes what happens to jobs of a company."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.offsets: dict[tuple[int, str], int] = {}

    def start(self, job_id: int, company_id: int = 1, template: int = 1, **fields: Any) -> None:
        """Let a job start."""
        event = JobStarted(
            job_id=job_id, company_id=company_id, run_template_id=template, executor_id="executor@host:1", host="host",
            **{"started_at": datetime.now(UTC), **fields},
        )  # fmt: skip
        self._append(Append(stream=f"job-{job_id}", company_id=company_id, events=[event]))

    def write(self, job_id: int, data: bytes, channel: str = "stdout", company_id: int = 1) -> None:
        """Let a job write some bytes."""
        offset = self.offsets.get((job_id, channel), 0)
        self.offsets[job_id, channel] = offset + len(data)
        event = OutputCaptured(
            job_id=job_id, company_id=company_id, channel=channel, offset=offset, length=len(data),
            captured_at=datetime.now(UTC),
        )  # fmt: skip

        async def work(store: EventStore) -> None:
            key = await store.keyring.ensure(key_owner(company_id), company_id)
            payload = encode_payload(key, place(job_id, channel, offset), data)
            stream = f"output-{job_id}"
            await store.append(Append(stream=stream, company_id=company_id, events=[event], payloads=[payload]))

        self.run(work)

    def finish(
        self, job_id: int, exit_code: int = 0, outcome: str = "success", company_id: int = 1, **fields: Any
    ) -> None:
        """Let a job end."""
        event = JobFinished(
            job_id=job_id, company_id=company_id, run_template_id=fields.pop("template", 1), outcome=outcome,
            exit_code=exit_code, command=["/bin/echo", "hello world"], **{"finished_at": datetime.now(UTC), **fields},
        )  # fmt: skip
        self._append(Append(stream=f"job-{job_id}", company_id=company_id, events=[event]))

    def append(self, stream: str, *events: Event, company_id: int | None = 1) -> None:
        """Let something happen."""
        self._append(Append(stream=stream, company_id=company_id, events=events))

    def fold(self) -> None:
        """Bring the asynchronous read models up to date, as the projector does."""
        self.run(fold_all)

    def _append(self, append: Append) -> None:
        async def work(store: EventStore) -> None:
            await store.append(append)

        self.run(work)

    def run(self, work: Any) -> None:
        """Run something on the store of the executor."""

        async def main() -> None:
            async with open_store(self.database, inline=True) as store:
                await work(store)

        coroutine: Coroutine[Any, Any, None] = main()
        asyncio.run(coroutine)
