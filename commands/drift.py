"""Where the read models that the engine works on, or its leases, contradict the log or each other.

None of this happens as long as every change goes through the log; a restore of single tables, a hand in the database
or a fault of the program can bring it about. A read model is mended by folding it anew, anything else by an event.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from commands.actor import Actor
from commands.facts import available
from commands.shell import Shell
from domain.aggregates import COMPANY, RUN_TEMPLATE
from domain.due_plan import Terms, following
from domain.errors import DomainError
from domain.job import CancelJob
from domain.run_template import RunTemplate
from domain.run_template_events import RunTemplateChanged
from eventstore.log import Append, Meta
from projections.queries import query

MOST = 10_000
"""Findings of a kind that are told and mended at a time."""

ENDED = ("JobFinished", "JobCancelled")
DROP = "DELETE FROM job_leases l WHERE l.job_id = $1 AND l.daemon_id = $2 AND l.expires_at < clock_timestamp()"

_terms = msgspec.json.Decoder(type=dict[str, Any])


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it should be.

    Attributes
    ----------
    kind : str
        ``job``, ``orphan``, ``run``, ``lease``, ``task`` or ``template``.
    id : int
        Id of the job, task or run template.
    problem : str
        What is wrong, as a sentence.
    projection : str or None
        Read model to fold anew; None: it is mended otherwise.
    row : dict[str, Any]
        What mending it needs to know.
    """

    kind: str
    id: int
    problem: str
    projection: str | None = None
    row: dict[str, Any] = {}

    @property
    def name(self) -> tuple[str, int]:
        """What tells it from others."""
        return self.kind, self.id


async def find(shell: Shell) -> list[Drift]:
    """Return what is not as it should be, at most :data:`MOST` of a kind."""
    found = [
        Drift(kind="job", id=row["id"], problem=_of_queue(row), projection="job_queue")
        for row in await _rows(shell, "drift.queue")
    ]
    found += [
        Drift(kind="job", id=row["id"], problem="It has not ended and is not in the queue.", projection="job_queue")
        for row in await _rows(shell, "drift.not_queued")
    ]
    found += [_orphan(row) for row in await _rows(shell, "drift.orphans")]
    found += [
        Drift(kind="run", id=row["id"], problem="It is said to run, but no executor holds it.", row=dict(row))
        for row in await _rows(shell, "drift.unleased")
    ]
    found += [
        Drift(kind="lease", id=row["id"], problem=f"{row['daemon_id']} holds it, but it does not run.", row=dict(row))
        for row in await _rows(shell, "drift.leases")
    ]
    found += [
        Drift(
            kind="task",
            id=row["id"],
            problem=f"Job {row['running_job_id']} is said to run for it, but does not.",
            projection="task",
        )
        for row in await _rows(shell, "drift.tasks")
    ]
    found += [
        Drift(
            kind="template",
            id=row["id"],
            problem=f"It is due at {row['next_due']:%Y-%m-%d %H:%M:%S} UTC, but is inactive, manual or removed.",
            projection="run_template",
        )
        for row in await _rows(shell, "drift.due")
    ]
    now = datetime.now(UTC)
    undue = (_undue(row, now) for row in await _rows(shell, "drift.not_due"))
    return found + [drift for drift in undue if drift is not None]


async def mend(shell: Shell, drift: Drift, actor: Actor, source: str = "cli") -> None:
    """Mend what takes an event of a single thing, or the end of a lease; leave the rest alone.

    Raises
    ------
    DomainError, EventStoreError
        It cannot be mended.
    """
    match drift.kind:
        case "orphan":
            wish = CancelJob(job_id=drift.id, reason=drift.problem, if_waiting=True)
            await shell.execute(wish, actor, source=source)
        case "template" if drift.projection is None:
            await _schedule_again(shell, drift.id, Meta(actor=str(actor), source=source))
        case "lease":
            async with available():
                await shell.store.pool.execute(DROP, drift.id, drift.row["daemon_id"])
        case _:
            return


def _of_queue(row: asyncpg.Record) -> str:
    if row["last_event"] is None:
        return "It is in the queue, but the log does not know it."
    if row["last_event"] in ENDED:
        return "It is in the queue, but has ended."
    return f"The queue does not show what happened to it last ({row['last_event']})."


def _orphan(row: asyncpg.Record) -> Drift:
    what = f"run template {row['run_template_id']}" if row["template_gone"] else f"company {row['company_id']}"
    return Drift(kind="orphan", id=row["id"], problem=f"It waits, but its {what} is gone.")


def _undue(row: asyncpg.Record, now: datetime) -> Drift | None:
    """Return what is wrong with a template that has no due time; None if it has none to come."""
    try:
        terms = msgspec.convert({**_terms.decode(row["document"]), "zone": row["zone"]}, Terms, strict=False)
        due = following(terms, now)
    except DomainError as error:
        return Drift(kind="template", id=row["id"], problem=f"Its schedule cannot be read: {error.message}")
    if due is None:
        return None
    return Drift(kind="template", id=row["id"], problem="It is active, but has no due time.")


async def _schedule_again(shell: Shell, run_template_id: int, meta: Meta) -> None:
    """Record when a template is due next, as its schedule says."""
    row = await shell.facts.row("run_template", run_template_id)
    state: RunTemplate | None = None
    version = 0
    async with available():
        async for recorded in shell.store.read_stream(RUN_TEMPLATE.stream(run_template_id)):
            state, version = RUN_TEMPLATE.evolve(state, recorded.event), recorded.version
    if row is None or state is None or state.removed or not state.active:
        return
    terms = Terms(
        interval=state.interval,
        cron=state.cron,
        zone=state.time_zone or row["time_zone"],
        start_at=state.start_at,
        end_at=state.end_at,
    )
    changed = RunTemplateChanged(
        run_template_id=run_template_id, company_id=state.company_id, next_due=following(terms, datetime.now(UTC))
    )
    company = COMPANY.stream(state.company_id)
    appends = [
        Append(
            stream=RUN_TEMPLATE.stream(run_template_id),
            company_id=state.company_id,
            events=[changed],
            expected=version,
        ),
        Append(stream=company, company_id=state.company_id, expected=row["company_version"]),
    ]
    await shell.store.append_all(appends, meta=meta)


async def _rows(shell: Shell, name: str) -> list[asyncpg.Record]:
    async with available():
        return await shell.store.pool.fetch(query(name), MOST)
