"""The queue: what waits, in which place, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from projections.queries import query as shared
from web.data import pauses
from web.data.company_choice import Choice, company_choice
from web.data.dashboard import SILENT
from web.data.pauses import Pause
from web.database import Connection
from web.queries import query
from web.view import View

PAGE = 50
GROUPS = 25
"""Most companies and applications that are listed."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job waits.

    Attributes
    ----------
    code : str
        ``later``, ``system_paused``, ``company_paused``, ``application_paused``, ``template_full``,
        ``application_full``, ``company_full``, ``no_executor`` (none is there), ``no_kind`` (none runs jobs of its
        kind), ``no_label`` (none has its labels), ``place`` (its turn has not come).
    running, most : int or None
        Of what is full: how many jobs run, and how many may.
    labels : list[str]
        Labels that no executor has together.
    """

    code: str
    running: int | None = None
    most: int | None = None
    labels: list[str] = []


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A job that waits; ``place`` is its place among those of its company that may start, 1 the first."""

    id: int
    company_id: int
    company_name: str | None
    run_template_id: int
    run_template_name: str | None
    application_id: int | None
    application_name: str | None
    priority: int
    not_before: datetime | None
    queued_at: datetime | None
    attempt: int | None
    task_id: int | None
    executor: str | None
    labels: list[str]
    place: int
    launched_by: str | None
    reason: Reason


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A company or an application with jobs; ``most`` of them may run at once (None: any number)."""

    id: int
    name: str
    paused: bool
    most: int | None
    waiting: int
    running: int
    oldest: datetime | None


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What waits and runs; ``oldest``: since when the first of those that may start could have started."""

    ready: int
    later: int
    running: int
    retries: int
    oldest: datetime | None
    next_start: datetime | None


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the queue. ``more`` is the ``skip`` of the next page, if there is one."""

    figures: Figures
    pauses: list[Pause]
    waiting: list[Waiting]
    companies: list[Group]
    applications: list[Group]
    executors: int
    skip: int
    more: int | None


class Offer(msgspec.Struct, frozen=True):
    """What an executor takes: kinds of jobs and labels; None: it did not tell."""

    kinds: frozenset[str] | None
    labels: frozenset[str] | None


async def load(connection: Connection, view: View) -> tuple[Queue, Choice]:
    """Read a page of the queue, and what the filter of companies offers.

    Raises
    ------
    BadRequestError
        The parameter ``skip`` is no number.
    """
    skip, company = view.number("skip"), view.company_id
    choice = await company_choice(connection, view)
    figures = await connection.fetchrow(shared("queue.figures"), company)
    assert figures is not None
    found = await connection.fetch(query("queue.waiting"), company, PAGE + 1, skip, None)
    offers = await offers_of(connection)
    queue = Queue(
        figures=Figures(**{name: figures[name] for name in Figures.__struct_fields__}),
        pauses=await pauses.load(connection, company),
        waiting=[waiting(record, offers) for record in found[:PAGE]],
        companies=_groups(await connection.fetch(query("queue.companies"), company, GROUPS)),
        applications=_groups(await connection.fetch(query("queue.applications"), company, GROUPS)),
        executors=len(offers),
        skip=skip,
        more=skip + PAGE if len(found) > PAGE else None,
    )
    return queue, choice


async def one(connection: Connection, job_id: int, company_id: int) -> Waiting | None:
    """Read why a job waits, and in which place; None if it does not wait."""
    record = await connection.fetchrow(query("queue.waiting"), company_id, 1, 0, job_id)
    return None if record is None else waiting(record, await offers_of(connection))


async def offers_of(connection: Connection) -> list[Offer]:
    """Return what the executors take that were heard of lately."""
    offers: list[Offer] = []
    for each in await connection.fetch(shared("status.daemons")):
        if each["kind"] == "executor" and each["silent_seconds"] < SILENT:
            detail: dict[str, Any] = msgspec.json.decode(each["detail"] or "{}")
            kinds, labels = detail.get("executors"), detail.get("labels")
            offers.append(
                Offer(
                    frozenset(kinds) if isinstance(kinds, list) else None,
                    frozenset(labels) if isinstance(labels, list) else None,
                )
            )
    return offers


def waiting(record: asyncpg.Record, offers: Sequence[Offer]) -> Waiting:
    """Return a record of the query ``queue.waiting`` as it is shown."""
    labels: list[str] = msgspec.json.decode(record["labels"]) if record["labels"] else []
    names = [name for name in Waiting.__struct_fields__ if name not in ("labels", "reason")]
    return Waiting(
        **{name: record[name] for name in names}, labels=labels, reason=reason_of(record, labels, offers)
    )


def reason_of(record: asyncpg.Record, labels: Iterable[str], offers: Sequence[Offer]) -> Reason:
    """Return why a job waits."""
    why: str = record["why"]
    if why.endswith("_full"):
        what = why.removesuffix("_full")
        return Reason(code=why, running=record[f"{what}_running"], most=record[f"{what}_most"])
    if why != "place":
        return Reason(code=why)
    if not offers:
        return Reason(code="no_executor")
    fitting = [offer for offer in offers if offer.kinds is None or record["executor"] in offer.kinds]
    if not fitting:
        return Reason(code="no_kind")
    wanted = frozenset(labels)
    if not any(offer.labels is None or wanted <= offer.labels for offer in fitting):
        return Reason(code="no_label", labels=sorted(wanted))
    return Reason(code="place")


def _groups(records: Iterable[asyncpg.Record]) -> list[Group]:
    return [Group(**{name: record[name] for name in Group.__struct_fields__}) for record in records]
