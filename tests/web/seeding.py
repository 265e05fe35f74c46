"""Companies, templates and jobs in a database, made of events, as daemons would append them."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import psycopg

from commands import passwords
from commands.actor import SYSTEM
from commands.shell import Shell
from daemons.prepare import prepare
from domain.application_events import ApplicationImported
from domain.company_events import CompanyCreated
from domain.event import Event
from domain.job_events import Artifact, Channel, JobCancelled, JobFinished, JobScheduled, JobStarted, OutputCaptured
from domain.member_order import order_of
from domain.membership import GrantMembership
from domain.run_template_events import RunTemplateCreated
from domain.task_events import TaskFailed, TaskFulfilled, TaskMissed, TaskOpened
from domain.user_commands import CreateUser
from eventstore.artifacts import store_artifact
from eventstore.log import Append, Meta
from eventstore.output import encode_payload, key_owner, place
from eventstore.settings import Settings
from eventstore.store import EventStore
from projections.registry import ASYNC, inline_folds
from tests.testbed.engine import as_stored
from tests.testbed.postgres import Database
from web.auth.settings import SignInSettings
from web.auth.sign_in import SignIn, Visitor

MASTER_KEY = "master key of the web tests"


def settings_of(database: Database) -> Settings:
    return Settings(
        database_url=database.app_url,
        owner_url=database.owner_url,
        daemon_urls=database.daemon_urls,
        master_key=MASTER_KEY,
        data_folder=Path("/nowhere"),
    )


class Installation:
    """A prepared database that a test fills. ``project`` does what the projector does, once."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.settings = settings_of(database)
        prepare(database.owner_url)
        self.store = EventStore(self.settings, role="owner", inline=inline_folds(), application="seeding")
        self.web_store = EventStore(self.settings, role="app", inline=inline_folds(), application="seeding-web")
        self._ids = itertools.count(1)
        self._written: dict[int, dict[str, tuple[int, Any, int]]] = {}

    async def __aenter__(self) -> Self:
        await self.store.__aenter__()
        await self.web_store.__aenter__()
        self.administrator = await self.user("admin", roles=("super_admin",))
        self.cookie = await self.session(self.administrator)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.web_store.__aexit__(None, None, None)
        await self.store.__aexit__(None, None, None)

    def number_from(self, first: int) -> None:
        """Give ids from a number on, beyond those that sequences give."""
        self._ids = itertools.count(first)

    async def user(self, login: str, password: str | None = None, roles: tuple[str, ...] = ("user",)) -> int:
        """Make a user and return their id."""
        encoded = None if password is None else await passwords.hashed(password)
        wish = CreateUser(login=login, password=encoded, roles=roles)
        return (await Shell(self.store).execute(wish, SYSTEM)).id

    async def member(self, user_id: int, company_id: int, role: str, **more: Any) -> None:
        """Give a user a role in a company."""
        wish = GrantMembership(user_id=user_id, company_id=company_id, role=role, **more)
        await Shell(self.store).execute(wish, SYSTEM)

    async def session(self, user_id: int) -> str:
        """Sign a user in and return the cookie."""
        sign_in = SignIn(self.web_store, SignInSettings())
        return (await sign_in.open(user_id, "password", Visitor())).token

    async def append(self, stream: str, company_id: int | None, *events: Event, actor: str = "daemon:executor") -> None:
        await self.store.append(
            Append(stream=stream, company_id=company_id, events=list(events)), meta=Meta(actor=actor, source="test")
        )

    async def project(self) -> None:
        """Fold what the asynchronous read models have not seen yet."""
        names = [projection.name for projection in ASYNC]
        while await self.store.pool.fetchval("SELECT project($1, 20000)", names):
            pass

    async def company(self, name: str = "Acme Corp", zone: str = "Europe/Prague") -> int:
        number = next(self._ids)
        created = CompanyCreated(
            company_id=number, uuid=str(uuid.uuid4()), name=name, code=f"c{number}", time_zone=zone
        )
        await self.append(f"company-{number}", number, created)
        return number

    async def application(self, name: str = "MultiFlexi Probe", **definition: Any) -> int:
        number = next(self._ids)
        document = {"name": name, "environment": {}, **definition}
        imported = ApplicationImported(
            application_id=number, uuid=str(uuid.uuid4()), name=name, version="1.0.0", executable="multiflexi-probe",
            definition=document, digest=hashlib.sha256(name.encode()).hexdigest(), order=order_of(document),
        )  # fmt: skip
        await self.append(f"application-{number}", None, imported)
        return number

    async def template(self, company: int, application: int, name: str = "Hourly probe", **more: Any) -> int:
        number = next(self._ids)
        created = RunTemplateCreated(
            run_template_id=number, company_id=company, uuid=str(uuid.uuid4()), application_id=application,
            name=name, **as_stored(more),
        )  # fmt: skip
        await self.append(f"run_template-{number}", company, created)
        return number

    async def schedule(self, company: int, application: int, template: int, **more: Any) -> int:
        number = next(self._ids)
        at = more.pop("scheduled_at", datetime.now(UTC))
        values = {"uuid": str(uuid.uuid4()), "application_id": application, "application_version": "1.0.0"}
        moments = {"not_before": at, "scheduled_at": at, "launched_by": "daemon:scheduler"}
        event = JobScheduled(
            job_id=number, company_id=company, run_template_id=template, **{**values, **moments, **as_stored(more)}
        )
        await self.append(f"job-{number}", company, event, actor="daemon:scheduler")
        self._written[number] = {}
        return number

    async def start(self, job: int, company: int, template: int, **more: Any) -> None:
        values = {"executor_id": "executor-1", "host": "worker.example", "started_at": datetime.now(UTC)}
        command = ["multiflexi-probe", "--verbose", "path with space"]
        event = JobStarted(
            job_id=job, company_id=company, run_template_id=template, **{**values, "command": command, **more}
        )
        await self.append(f"job-{job}", company, event)

    async def write(self, job: int, company: int, data: bytes, channel: str = "stdout") -> None:
        """Append output of a job."""
        length, digest, _ = self._written[job].setdefault(channel, (0, hashlib.sha256(), 0))
        event = OutputCaptured(
            job_id=job, company_id=company, channel=channel, offset=length, length=len(data),
            captured_at=datetime.now(UTC),
        )  # fmt: skip
        key = await self.store.keyring.ensure(key_owner(company), company)
        payload = encode_payload(key, place(job, channel, length), data)
        await self.store.append(Append(stream=f"output-{job}", company_id=company, events=[event], payloads=[payload]))
        digest.update(data)
        self._written[job][channel] = (length + len(data), digest, 0)

    async def finish(
        self, job: int, company: int, template: int, outcome: str = "success", code: int = 0, **more: Any
    ) -> None:
        channels = {
            name: Channel(length=length, digest=digest.hexdigest())
            for name, (length, digest, _) in self._written.get(job, {}).items()
        }
        values = {"outcome": outcome, "exit_code": code, "finished_at": datetime.now(UTC), "pid": 4711, **channels}
        event = JobFinished(job_id=job, company_id=company, run_template_id=template, **{**values, **more})
        await self.append(f"job-{job}", company, event)

    async def cancel(self, job: int, company: int, template: int, reason: str | None = None) -> None:
        event = JobCancelled(
            job_id=job, company_id=company, run_template_id=template, cancelled_at=datetime.now(UTC), reason=reason
        )
        await self.append(f"job-{job}", company, event, actor="user:1")

    async def task(self, company: int, template: int, start: datetime, **more: Any) -> int:
        """Open a task whose window begins at a moment and lasts an hour unless told."""
        number = next(self._ids)
        end = start + timedelta(hours=1)
        values = {"window_start": start, "window_end": end, "deadline": end, "opened_at": start}
        await self._of_task(number, company, template, TaskOpened, **{**values, **more})
        return number

    async def fulfil(self, task: int, company: int, template: int, job: int, **more: Any) -> None:
        values = {"job_id": job, "fulfilled_at": datetime.now(UTC)}
        await self._of_task(task, company, template, TaskFulfilled, **{**values, **more})

    async def fail(self, task: int, company: int, template: int, reason: str) -> None:
        await self._of_task(task, company, template, TaskFailed, reason=reason, failed_at=datetime.now(UTC))

    async def miss(self, task: int, company: int, template: int) -> None:
        reason = "The window ended before an attempt began."
        await self._of_task(task, company, template, TaskMissed, reason=reason, missed_at=datetime.now(UTC))

    async def _of_task(self, task: int, company: int, template: int, kind: Callable[..., Event], **fields: Any) -> None:
        event = kind(task_id=task, company_id=company, run_template_id=template, **fields)
        await self.append(f"task-{task}", company, event, actor="daemon:scheduler")

    async def artifact(self, company: int, name: str, content_type: str, data: bytes) -> Artifact:
        """Store a content, and return the file that a job may leave."""
        digest = await store_artifact(self.store, company, 0, data)
        return Artifact(name=name, content_type=content_type, size=len(data), digest=digest)

    async def job(self, company: int, application: int, template: int, **more: Any) -> int:
        """Append a whole life of a job, of some minutes ago unless told."""
        ended = more.pop("at", datetime.now(UTC) - timedelta(minutes=5))
        seconds = more.pop("seconds", 3.2)
        began = ended - timedelta(seconds=seconds)
        wish = {name: more.pop(name) for name in ("task_id", "attempt", "retry_of") if name in more}
        queued_at = began - timedelta(milliseconds=240)
        number = await self.schedule(company, application, template, scheduled_at=queued_at, **wish)
        task = {"task_id": wish["task_id"]} if "task_id" in wish else {}
        await self.start(number, company, template, started_at=began, **task)
        more |= task
        for channel, data in more.pop("output", ()):
            await self.write(number, company, data, channel)
        await self.finish(number, company, template, finished_at=ended, **more)
        return number


def sign_of_life(database: Database, kind: str, host: str = "worker.example", detail: str = "{}") -> None:
    """Note a daemon's sign of life, now; ``detail`` is JSON that it tells of itself."""
    with psycopg.connect(database.owner_url, autocommit=True, options="-c search_path=multiflexi") as connection:
        connection.execute(
            "INSERT INTO daemons (id, kind, host, pid, version, detail) VALUES (%s, %s, %s, 1, '3.0', %s)"
            " ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), detail = excluded.detail",
            (f"{kind}-{host}", kind, host, detail),
        )
