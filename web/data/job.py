"""One job: what it is, what happened to it, how much it wrote."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from domain.job_events import JobFinished
from eventstore.keyring import Keyring
from eventstore.store import EventStore
from projections.queries import query as shared
from web.database import Connection
from web import masking, times, words
from web.data import environments, queue
from web.data.artifacts import ArtifactShown
from web.data import removals
from web.data.job_row import JobRow, row
from web.data.queue import Waiting
from web.data.removals import Removed
from web.errors import N_, NotFoundError
from web.queries import query
from web.view import View

CHANNELS = ("stdout", "stderr")


class ChannelShown(msgspec.Struct, frozen=True, kw_only=True):
    """What a job wrote to one channel.

    Attributes
    ----------
    bytes, dropped : int
        Bytes kept, and bytes over the limit that were not.
    digest : str or None
        SHA-256 of the bytes kept, once the job has ended.
    """

    name: str
    bytes: int = 0
    dropped: int = 0
    digest: str | None = None


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a job's life."""

    type: str
    at: datetime
    actor: str
    source: str
    detail: str | None = None


class JobShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of a job shows, but its output.

    Attributes
    ----------
    exit_meaning : str
        What the exit code means, in the viewer's language.
    queue_seconds : float or None
        How long it waited, from the moment at which it might start.
    waits : Waiting or None
        Why it waits and in which place, while it does.
    command : list[str]
        Command line, secrets masked.
    environment : dict[str, str]
        Its one-off values, what looks secret masked.
    task_id, retry_of : int or None
        The task that it is an attempt of, and the job that it runs again.
    last_output_version : int
        Version of its output stream.
    chunks : int
        Pieces that its output came in, as far as the read model knows.
    output_visible : bool
        Whether the viewer may see what the job wrote, and its files.
    removals : dict[str, Removed]
        When and by which rule its ``output`` and its files (``artifacts``) were removed, if they were.
    """

    job: JobRow
    uuid: str | None
    application_version: str | None
    exit_meaning: str
    signal: int | None
    reason: str | None
    queue_seconds: float | None
    waits: Waiting | None
    executor_id: str | None
    host: str | None
    pid: int | None
    command: list[str]
    environment: dict[str, str]
    channels: list[ChannelShown]
    last_output_version: int
    chunks: int
    time_zone: str | None
    task_id: int | None = None
    attempt: int = 1
    retry_of: int | None = None
    timeline: list[Happening] = []
    artifacts: list[ArtifactShown] = []
    artifacts_left_out: int = 0
    output_visible: bool = True
    removals: dict[str, Removed] = {}

    @property
    def command_line(self) -> str:
        """The command line as a shell would take it."""
        return shlex.join(self.command)

    @property
    def to_end(self) -> bool:
        """Whether it runs and somebody asked for its end."""
        return self.job.state == "running" and any(each.type == "JobCancelRequested" for each in self.timeline)

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.job.state in ("finished", "cancelled")

    @property
    def bytes(self) -> int:
        """Bytes of output that were kept."""
        return sum(channel.bytes for channel in self.channels)

    @property
    def dropped(self) -> int:
        """Bytes of output that were not kept."""
        return sum(channel.dropped for channel in self.channels)


async def load(
    connection: Connection, keyring: Keyring, job_id: int, view: View, translate: words.Translate
) -> JobShown:
    """Read a job, without its timeline.

    Raises
    ------
    NotFoundError
        There is none of that id, or it is not for this user to see.
    """
    record = await connection.fetchrow(shared("job.find"), job_id)
    if record is None:
        record = await connection.fetchrow(query("job.open"), job_id)
    if record is None:
        raise NotFoundError(N_("There is no job {id}."), id=job_id)
    definition = await _definition(connection, record["app_id"])
    company = await connection.fetchrow(shared("company.find"), record["company_id"], None, None, None)
    written = await connection.fetch(query("job.output"), job_id)
    shown = row(record)
    origin = await connection.fetchrow(shared("job.origin"), job_id)
    waits = await queue.one(connection, job_id, shown.company_id) if shown.state == "queued" else None
    earliest = max((moment for moment in (shown.scheduled_at, shown.not_before) if moment), default=None)
    return JobShown(
        job=shown,
        uuid=record["uuid"],
        application_version=record["app_version"],
        exit_meaning=words.exit_meaning(shown.exit_code, definition, view.language, translate),
        signal=record["signal"],
        reason=record["reason"],
        queue_seconds=times.seconds_between(earliest, shown.began),
        waits=waits,
        executor_id=record["executor_id"],
        host=record["host"],
        pid=record["pid"],
        command=_decoded(record["command"]) or [],
        environment=masking.masked(
            await environments.opened(keyring, record["env"], f"job-{job_id}"), secret_names(definition)
        ),
        channels=_channels(record, written),
        last_output_version=await connection.fetchval(query("job.output_version"), f"output-{job_id}") or 0,
        chunks=sum(each["chunks"] for each in written),
        time_zone=company["time_zone"] if company else None,
        task_id=origin["task_id"] if origin else None,
        attempt=origin["attempt"] if origin else 1,
        retry_of=origin["retry_of"] if origin else None,
        removals=await removals.of_job(connection, shown.company_id, shown.began, shown.ended),
    )


async def life(store: EventStore, job_id: int) -> tuple[list[Happening], JobFinished | None]:
    """Read what happened to a job, from the log, and how it ended."""
    happened: list[Happening] = []
    end = None
    async for each in store.read_stream(f"job-{job_id}"):
        happened.append(
            Happening(
                type=each.type,
                at=getattr(each.event, MOMENTS[each.type], each.time) if each.type in MOMENTS else each.time,
                actor=str(each.meta.get("actor", "")),
                source=str(each.meta.get("source", "")),
                detail=getattr(each.event, "reason", None) or getattr(each.event, "host", None),
            )
        )
        if isinstance(each.event, JobFinished):
            end = each.event
    return happened, end


MOMENTS = {
    "JobScheduled": "scheduled_at",
    "JobChanged": "changed_at",
    "JobStarted": "started_at",
    "JobCancelRequested": "requested_at",
    "JobFinished": "finished_at",
    "JobCancelled": "cancelled_at",
}
"""Of each event, the field with the moment at which it happened."""


def secret_names(definition: Mapping[str, Any]) -> set[str]:
    """Return the variables that an application's definition calls secret."""
    fields = definition.get("environment")
    if not isinstance(fields, Mapping):
        return set()
    return {
        name
        for name, field in fields.items()
        if isinstance(field, Mapping) and (field.get("type") in ("password", "secret") or field.get("secret") is True)
    }


async def _definition(connection: Connection, application_id: int | None) -> dict[str, Any]:
    if application_id is None:
        return {}
    found = await connection.fetchrow(shared("application.find"), application_id, None, None)
    return _decoded(found["definition"]) or {} if found else {}


def _channels(record: asyncpg.Record, written: list[asyncpg.Record]) -> list[ChannelShown]:
    so_far = {each["channel"]: each for each in written}
    channels: list[ChannelShown] = []
    for name in CHANNELS:
        told: dict[str, Any] = _decoded(record[name]) or {}
        counted = so_far.get(name)
        channels.append(
            ChannelShown(
                name=name,
                bytes=told.get("length", counted["bytes"] if counted else 0),
                dropped=told.get("dropped", counted["dropped"] if counted else 0),
                digest=told.get("digest"),
            )
        )
    return channels


def _decoded(document: str | None) -> Any:
    return None if document is None else msgspec.json.decode(document)
