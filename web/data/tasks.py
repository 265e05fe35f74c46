"""Tasks: what was owed for each window of a run template, and what became of it."""

from __future__ import annotations

from datetime import datetime

import asyncpg
import msgspec

from projections.queries import query as shared
from web import times, words
from web.data.company_choice import Choice, company_choice
from web.data.job_row import JobRow, row
from web.data.period import Period, period_of
from web.database import Connection
from web.data.narrowing import one_of, template_name
from web.errors import N_, BadRequestError, NotFoundError
from web.queries import query
from web.view import View, identifier

PAGE = 50
RECENT = 8


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """A task in a list; ``late_seconds`` is how long after its deadline it was fulfilled."""

    id: int
    company_id: int
    company_name: str | None
    run_template_id: int
    run_template_name: str | None
    window_start: datetime | None
    window_end: datetime | None
    deadline: datetime | None
    state: str
    attempts: int
    max_attempts: int | None
    allow_late: bool | None
    running_job_id: int | None
    fulfilled_by_job_id: int | None
    fulfilled_at: datetime | None
    late_seconds: float | None
    ended_at: datetime | None
    reason: str | None

    @property
    def shown(self) -> words.Status:
        """Colour, icon and word."""
        return words.TASKS[self.state]

    @property
    def name(self) -> str:
        """What people call it."""
        return self.run_template_name or f"#{self.run_template_id}"


class TaskFilters(msgspec.Struct, frozen=True, kw_only=True):
    """What the list is narrowed to: one of :data:`web.words.TASK_FILTERS`, a run template, a period, ids below."""

    state: str | None = None
    template: int | None = None
    period: Period = Period()
    before: int | None = None

    @property
    def narrowed(self) -> bool:
        """Whether it is narrowed at all."""
        return bool(self.state or self.template or self.period.begin or self.period.end)

    def parameters(self, **changes: object) -> dict[str, object]:
        """Return the filters as parameters of an address, with some changed; ``before`` is left out unless given."""
        own = {"state": self.state, "template": self.template, "from": self.period.from_text, "to": self.period.to_text}
        return {**own, **changes}


class TaskList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of tasks, newest first. ``older`` is the ``before`` of the next page, if there is one."""

    tasks: list[TaskRow]
    filters: TaskFilters
    template_name: str | None
    older: int | None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt of a task: its number, its job, why that ended as it did."""

    number: int
    retry_of: int | None
    job: JobRow
    reason: str | None
    host: str | None


class TaskShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of a task shows."""

    task: TaskRow
    attempts: list[Attempt]
    opened_at: datetime | None
    retry_backoff: str | None
    retry_min_gap: int | None
    time_zone: str | None

    @property
    def waiting(self) -> JobRow | None:
        """The attempt that waits in the queue, if one does."""
        return next((each.job for each in self.attempts if each.job.state == "queued"), None)


def filters_of(view: View, choice: Choice) -> TaskFilters:
    """Return what the parameters of a page narrow its list to.

    Raises
    ------
    BadRequestError
        A parameter is not what is expected there.
    """
    template, before = view.parameters.get("template"), view.parameters.get("before")
    return TaskFilters(
        state=one_of(view, "state", words.TASK_FILTERS),
        template=identifier(template, "template") if template else None,
        period=period_of(view, view.clock(choice.time_zone)),
        before=identifier(before, "before") if before else None,
    )


async def load_list(connection: Connection, view: View) -> tuple[TaskList, Choice]:
    """Read a page of tasks, and what the filter of companies offers.

    Raises
    ------
    BadRequestError
        A parameter is not what is expected there.
    NotFoundError
        There is no such run template.
    """
    choice = await company_choice(connection, view)
    filters = filters_of(view, choice)
    name = await template_name(connection, filters.template)
    states = list(words.TASK_FILTERS[filters.state][2]) if filters.state else None
    found = await connection.fetch(
        query("task.page"),
        view.company_id,
        filters.template,
        states,
        filters.period.begin,
        filters.period.end,
        filters.before,
        PAGE + 1,
    )
    tasks = [task_row(record) for record in found[:PAGE]]
    older = tasks[-1].id if len(found) > PAGE else None
    return TaskList(tasks=tasks, filters=filters, template_name=name, older=older), choice


async def newest(connection: Connection, template_id: int) -> list[TaskRow]:
    """Read the newest tasks of a run template."""
    found = await connection.fetch(query("task.page"), None, template_id, None, None, None, None, RECENT)
    return [task_row(record) for record in found]


async def load(connection: Connection, task_id: int) -> TaskShown:
    """Read a task with its attempts.

    Raises
    ------
    NotFoundError
        There is none of that id, or it is not for this user to see.
    """
    record = await connection.fetchrow(query("task.find"), task_id)
    if record is None:
        raise NotFoundError(N_("There is no task {id}."), id=task_id)
    attempts = await connection.fetch(query("task.attempts"), task_id)
    return TaskShown(
        task=task_row(record),
        attempts=[
            Attempt(
                number=each["attempt"] or 1,
                retry_of=each["retry_of"],
                job=row(each),
                reason=each["reason"],
                host=each["host"],
            )
            for each in attempts
        ],
        opened_at=record["opened_at"],
        retry_backoff=record["retry_backoff"],
        retry_min_gap=record["retry_min_gap"],
        time_zone=record["time_zone"],
    )


def task_row(record: asyncpg.Record) -> TaskRow:
    """Return a record of the query ``task.page`` as it is shown."""
    fields = {name: record[name] for name in TaskRow.__struct_fields__ if name != "late_seconds"}
    late = record["state"] == "fulfilled_late"
    return TaskRow(
        **fields, late_seconds=times.seconds_between(record["deadline"], record["fulfilled_at"]) if late else None
    )
