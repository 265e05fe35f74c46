"""A log as an installation writes it: companies, applications and templates, then the lives of many jobs."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.application_events import ApplicationImported
from domain.company_events import CompanyCreated
from domain.event import Event
from domain.job_events import Channel, JobFinished, JobScheduled, JobStarted, OutputCaptured
from domain.run_template_events import RunTemplateCreated
from eventstore.log import NO_STREAM, Append, Meta
from eventstore.store import EventStore

COMPANIES = 20
APPLICATIONS = 10
TEMPLATES = 400
EVENTS_OF_A_JOB = 5
BLOCK = 250
"""Jobs that go through their lives together."""

EXECUTOR = Meta(actor="daemon:executor", source="executor")
SCHEDULER = Meta(actor="daemon:scheduler", source="scheduler")


def identifier(chance: random.Random) -> str:
    """Return a UUID."""
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def company_of(template: int) -> int:
    """Return the company that a template belongs to."""
    return template % COMPANIES + 1


def configuration(chance: random.Random) -> Iterator[Append]:
    """Yield what is set up once."""
    for number in range(1, COMPANIES + 1):
        created = CompanyCreated(
            company_id=number,
            uuid=identifier(chance),
            name=f"Company {number}",
            code=f"company-{number}",
            time_zone="Europe/Prague",
        )
        yield Append(stream=f"company-{number}", company_id=number, expected=NO_STREAM, events=[created])
    for number in range(1, APPLICATIONS + 1):
        imported = ApplicationImported(
            application_id=number,
            uuid=identifier(chance),
            name=f"Application {number}",
            version="1.0",
            executable="/usr/bin/true",
            definition={"name": f"Application {number}", "executable": "/usr/bin/true", "environment": {}},
            digest=str(number),
        )
        yield Append(stream=f"application-{number}", expected=NO_STREAM, events=[imported])
    for number in range(1, TEMPLATES + 1):
        template = RunTemplateCreated(
            run_template_id=number,
            company_id=company_of(number),
            uuid=identifier(chance),
            application_id=number % APPLICATIONS + 1,
            name=f"Template {number}",
        )
        yield Append(
            stream=f"run_template-{number}", company_id=company_of(number), expected=NO_STREAM, events=[template]
        )


class Life:
    """The life of one job: its events in their order."""

    def __init__(self, job: int, begin: datetime, chance: random.Random) -> None:
        template = chance.randrange(TEMPLATES) + 1
        company = company_of(template)
        common: dict[str, Any] = {"job_id": job, "company_id": company, "run_template_id": template}
        length = chance.randrange(80, 4000)
        end = begin + timedelta(seconds=chance.randrange(1, 600))
        code = chance.choices([0, 1, 255], [90, 6, 4])[0]
        self.job, self.company = job, company
        self.payload = chance.randbytes(min(length, 400))
        self.scheduled = JobScheduled(
            **common,
            uuid=identifier(chance),
            application_id=template % APPLICATIONS + 1,
            application_version="1.0",
            not_before=begin,
            scheduled_at=begin,
            schedule_type="h",
            due=begin,
            launched_by="daemon:scheduler",
        )
        self.started = JobStarted(**common, executor_id="executor-1", host="host.example.org", started_at=begin)
        self.output = [
            OutputCaptured(job_id=job, company_id=company, channel=channel, offset=0, length=length, captured_at=begin)
            for channel in ("stdout", "stderr")
        ]
        self.finished = JobFinished(
            **common,
            outcome={0: "success", 1: "warning", 255: "failure"}[code],
            exit_code=code,
            finished_at=end,
            duration=(end - begin).total_seconds(),
            command=["/usr/bin/true"],
            pid=4242,
            stdout=Channel(length=length),
            stderr=Channel(length=length),
        )

    def append(self, expected: int, event: Event) -> Append:
        """Return the append of the next event of the job."""
        return Append(stream=f"job-{self.job}", company_id=self.company, expected=expected, events=[event])

    def append_output(self) -> Append:
        """Return the append of its output."""
        return Append(
            stream=f"output-{self.job}",
            company_id=self.company,
            expected=NO_STREAM,
            events=self.output,
            payloads=[self.payload, self.payload[:40]],
        )


async def write(store: EventStore, jobs: int) -> int:
    """Write a log with so many jobs; return how many events it has."""
    chance = random.Random(42)
    setup = list(configuration(chance))
    await store.append_all(setup)
    begin = datetime.now(UTC) - timedelta(hours=1)
    for first in range(1, jobs + 1, BLOCK):
        lives = [
            Life(job, begin + timedelta(milliseconds=30 * job), chance)
            for job in range(first, min(first + BLOCK, jobs + 1))
        ]
        await store.append_all([life.append(0, life.scheduled) for life in lives], meta=SCHEDULER)
        await store.append_all([life.append(1, life.started) for life in lives], meta=EXECUTOR)
        await store.append_all([life.append_output() for life in lives], meta=EXECUTOR)
        await store.append_all([life.append(2, life.finished) for life in lives], meta=EXECUTOR)
    return len(setup) + jobs * EVENTS_OF_A_JOB
