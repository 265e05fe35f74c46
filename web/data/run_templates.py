"""Run templates: the list, and one of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from eventstore.keyring import Keyring
from projections.queries import query as shared
from web.database import Connection
from web import masking
from web.data import environments, pauses
from web.data.company_choice import Choice, company_choice
from web.data.job import secret_names
from web.data.job_row import JobRow, rows
from web.data.preview import Run
from web.data.pauses import Pause
from web.data.tasks import TaskRow, newest
from web.data.template_changes import Change
from web.errors import N_, NotFoundError
from web.queries import query
from web.view import View, identifier

PAGE = 50
RECENT = 10
SETTINGS = (
    "start_at",
    "end_at",
    "delay",
    "jitter",
    "missed_policy",
    "missed_limit",
    "overlap_policy",
    "max_parallel",
    "priority",
    "deadline_offset",
    "allow_late",
    "max_attempts",
    "retry_backoff",
    "retry_min_gap",
    "when_lost",
    "executor",
    "run_as",
)
"""Fields of a run template that its page shows under its settings."""


class TemplateRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run template in a list.

    Attributes
    ----------
    interval : str
        Interval code (``n i h d w m y c``).
    cron : str or None
        Cron expression of the interval ``c``.
    succeeded, failed : int
        How many of its jobs ended so.
    """

    id: int
    name: str
    company_id: int
    company_name: str | None
    application_id: int
    application_name: str | None
    interval: str
    cron: str | None
    active: bool
    executor: str | None
    time_zone: str | None
    last_due: datetime | None
    next_due: datetime | None
    succeeded: int
    failed: int


class TemplateList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of run templates. ``more`` is the ``skip`` of the next page, if there is one."""

    templates: list[TemplateRow]
    skip: int
    more: int | None
    find: str | None = None
    app: int | None = None
    app_name: str | None = None


class TemplateShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of a run template shows; of its environment, what looks secret is masked."""

    template: TemplateRow
    uuid: str | None
    environment: dict[str, str]
    recent: list[JobRow]
    tasks: list[TaskRow]
    created_at: datetime
    changed_at: datetime
    pauses: list[Pause]
    inactive_reason: str | None
    note: str | None
    one_at_a_time: bool
    waiting: int
    running: list[int]
    stream_version: int
    secret: list[str]
    settings: dict[str, Any]
    next_runs: list[Run] = []
    changes: list[Change] = []


async def load_list(connection: Connection, view: View) -> tuple[TemplateList, Choice]:
    """Read a page of run templates, and what the filter of companies offers.

    Raises
    ------
    BadRequestError
        The parameter ``skip`` is no number.
    """
    skip, find = view.number("skip"), view.parameters.get("find", "").strip() or None
    app = identifier(view.parameters["app"], "app") if view.parameters.get("app") else None
    choice = await company_choice(connection, view)
    found = await connection.fetch(shared("run_template.list"), view.company_id, app, PAGE + 1, skip, False, None, find)
    application = None if app is None else await connection.fetchrow(shared("application.find"), app, None, None)
    listed = TemplateList(
        templates=[_row(record) for record in found[:PAGE]],
        skip=skip,
        more=skip + PAGE if len(found) > PAGE else None,
        find=find,
        app=app,
        app_name=application["name"] if application else None,
    )
    return listed, choice


async def load(connection: Connection, keyring: Keyring, template_id: int) -> TemplateShown:
    """Read a run template with its newest jobs.

    Raises
    ------
    NotFoundError
        There is none of that id, or it is not for this user to see.
    """
    record = await connection.fetchrow(shared("run_template.find"), template_id, None)
    if record is None:
        raise NotFoundError(N_("There is no run template {id}."), id=template_id)
    application = await connection.fetchrow(shared("application.find"), record["app_id"], None, None)
    definition = msgspec.json.decode(application["definition"] or "{}") if application else {}
    recent = await connection.fetch(shared("job.list"), None, template_id, None, None, RECENT, None)
    busy = await connection.fetch(query("queue.of_template"), template_id)
    return TemplateShown(
        template=_row(record),
        uuid=record["uuid"],
        environment=masking.masked(
            await environments.opened(keyring, record["environment"], f"run_template-{template_id}"),
            secret_names(definition or {}),
        ),
        recent=rows(recent),
        tasks=await newest(connection, template_id),
        pauses=[
            each
            for each in await pauses.load(connection, record["company_id"])
            if each.what != pauses.APPLICATION or each.id == record["app_id"]
        ],
        one_at_a_time=record["overlap_policy"] != "allow",
        waiting=sum(1 for each in busy if each["state"] == "queued"),
        running=[each["job_id"] for each in busy if each["state"] == "running"],
        stream_version=record["stream_version"],
        settings={name: record[name] for name in SETTINGS if record[name] is not None}
        | {"labels": msgspec.json.decode(record["labels"]), "limits": msgspec.json.decode(record["limits"])},
        secret=sorted(secret_names(definition or {})),
        note=await _note(keyring, template_id, record["note"]),
        inactive_reason=(await pauses.subject(connection, pauses.TEMPLATE, template_id)).reason,
        created_at=record["DatCreate"],
        changed_at=record["DatSave"],
    )


async def _note(keyring: Keyring, template_id: int, sealed: str | None) -> str | None:
    """Return the note of a template in clear; None if there is none any more."""
    (clear,) = await keyring.reveal([(msgspec.json.decode(sealed or "null"), f"run_template-{template_id}|note")])
    return clear if isinstance(clear, str) else None


def _row(record: asyncpg.Record) -> TemplateRow:
    return TemplateRow(
        id=record["id"],
        name=record["name"],
        company_id=record["company_id"],
        company_name=record["company_name"],
        application_id=record["app_id"],
        application_name=record["app_name"],
        interval=record["interv"],
        cron=record["cron"],
        active=record["active"],
        executor=record["executor"],
        time_zone=record["zone"],
        last_due=record["last_schedule"],
        next_due=record["next_schedule"],
        succeeded=record["successfull_jobs_count"],
        failed=record["failed_jobs_count"],
    )
