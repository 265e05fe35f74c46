"""A job as lists of jobs show it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import asyncpg
import msgspec

from web import times, words


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """A job in a list.

    Attributes
    ----------
    status : str
        ``success``, ``warning``, ``failed``, ``running``, ``queued`` or ``cancelled``.
    outcome : str or None
        The outcome as the event names it, once the job has ended.
    began, ended, scheduled_at, due, not_before : datetime or None
        Moments of its life.
    seconds : float or None
        How long it ran.
    """

    id: int
    company_id: int
    company_name: str | None
    run_template_id: int | None
    run_template_name: str | None
    application_id: int | None
    application_name: str | None
    state: str
    outcome: str | None
    status: str
    exit_code: int | None
    scheduled_at: datetime | None
    not_before: datetime | None
    due: datetime | None
    began: datetime | None
    ended: datetime | None
    seconds: float | None
    schedule_type: str | None
    launched_by: str | None
    executor: str | None

    @property
    def shown(self) -> words.Status:
        """Colour, icon and word."""
        return words.status(self.state, self.outcome)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.run_template_name or self.application_name or f"#{self.id}"

    @property
    def moment(self) -> datetime | None:
        """The moment that a list shows: of its end, its start, or its scheduling."""
        return self.ended or self.began or self.scheduled_at


def rows(records: Iterable[asyncpg.Record]) -> list[JobRow]:
    """Return records of the query ``job.list`` as they are shown."""
    return [row(record) for record in records]


def row(record: asyncpg.Record) -> JobRow:
    """Return a record of the query ``job.list`` as it is shown."""
    return JobRow(
        id=record["id"],
        company_id=record["company_id"],
        company_name=record["company_name"],
        run_template_id=record["runtemplate_id"],
        run_template_name=record["runtemplate_name"],
        application_id=record["app_id"],
        application_name=record["app_name"],
        state=record["state"],
        outcome=record["outcome"],
        status=words.status(record["state"], record["outcome"]).kind,
        exit_code=record["exitcode"],
        scheduled_at=record["scheduled_at"],
        not_before=record["schedule"],
        due=record.get("due"),
        began=record["begin"],
        ended=record["end"] or record.get("cancelled_at"),
        seconds=record["duration"] if record["duration"] is not None
        else times.seconds_between(record["begin"], record["end"]),
        schedule_type=record["schedule_type"],
        launched_by=record["launched_by"],
        executor=record["executor"],
    )
