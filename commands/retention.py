"""Removing for good what need not be kept any longer: output, files and the history of jobs.

The output of a month becomes unreadable when the company's key of that month is destroyed; once no company can read
any of it, the month itself is dropped. Files are given up by the moment before which their jobs ended; contents that
nothing refers to any more are deleted. Jobs leave the history; their events stay in the log until their month is
archived. Every removal is an event.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import structlog

from domain.event import Event
from domain.retention import Rules, months_over, over_before
from domain.retention_events import (
    ArtifactsRemoved,
    ContentsRemoved,
    HistoryRemoved,
    OutputMonthDropped,
    OutputRemoved,
)
from eventstore.archive import SEALED_AFTER, archive
from eventstore.audit_errors import ArchiveError
from eventstore.connection import note_change
from eventstore.errors import EventStoreError
from eventstore.log import OUTPUT, Append, Meta
from eventstore.partitions import partitions
from eventstore.store import EventStore
from projections.queries import query

HISTORY_PAGE = 5_000
"""Jobs that leave the history at a time: the transaction that takes their tasks away is to be short."""

CONTENTS_PAGE = 500
STORED_FOR = 3_600.0
"""Seconds that a content is kept at least, whatever refers to it."""

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
LOCK = "SELECT pg_try_advisory_lock(hashtextextended('multiflexi.retention', 0))"
UNLOCK = "SELECT pg_advisory_unlock(hashtextextended('multiflexi.retention', 0))"

log = structlog.get_logger(__name__)


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was removed, or would be.

    Attributes
    ----------
    company_id : int or None
        Whose it was; None: a month of the whole installation.
    what : str
        ``output``, ``artifacts``, ``contents``, ``history`` or ``month``.
    month : str or None
        Of output: the month, in UTC.
    before : datetime or None
        Of files and of the history: of jobs that ended before this moment.
    jobs, things, bytes : int
        How many jobs it came from; pieces of output, files, contents, tasks or events; bytes.
    """

    company_id: int | None
    what: str
    month: str | None = None
    before: datetime | None = None
    days: int | None = None
    jobs: int = 0
    things: int = 0
    bytes: int = 0


class Result(msgspec.Struct, frozen=True):
    """What was removed, and why months that could have been dropped were not."""

    removals: list[Removal]
    held: list[str]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What removing has at hand: the store (as the projector), the moment, who asked for it, whether only to tell."""

    store: EventStore
    now: datetime
    meta: Meta
    by_hand: bool = False
    dry_run: bool = False
    stored_for: float = STORED_FOR

    async def happened(self, company_id: int, event: Event, key: str | None = None) -> None:
        """Append an event of a company's retention; with a key only once."""
        append = Append(stream=f"retention-{company_id}", company_id=company_id, events=[event])
        await self.store.append_all([append], meta=self.meta, key=key, fingerprint=key.encode() if key else None)

    def common(self, company_id: int, days: int | None) -> dict[str, Any]:
        """Return the fields that the events of a removal share."""
        return {"company_id": company_id, "days": days, "by_hand": self.by_hand, "removed_at": self.now}


@asynccontextmanager
async def alone(store: EventStore) -> AsyncIterator[bool]:
    """Tell whether nobody else removes at this moment; hold others off if so."""
    async with store.pool.acquire() as connection:
        note_change(connection)
        free = await connection.fetchval(LOCK)
        try:
            yield free
        finally:
            if free:
                await connection.execute(UNLOCK)


async def remove(work: Work, *, rules: Rules | None = None, company_id: int | None = None) -> Result:
    """Remove all that is over.

    Parameters
    ----------
    work : Work
        What is at hand.
    rules : Rules or None
        Rules given by hand; each company's own unless given.
    company_id : int or None
        Only of this company.
    """
    removals: list[Removal] = []
    async with alone(work.store) as free:
        if not free:
            return Result([], ["Somebody else removes at this moment."])
        if not work.dry_run:
            # Removing a company destroys them; this does what a process that died in between left.
            await work.store.pool.execute(query("retention.destroy_keys_of_removed"))
        for row in await work.store.pool.fetch(query("retention.rules"), company_id):
            own = Rules(row["output"], row["artifacts"], row["history"])
            removals += await _remove_of(work, row["id"], (rules or own).bounded())
        dropped, held = ([], []) if work.dry_run else await drop_months(work)
    return Result([*removals, *dropped], held)


async def keep_newest(work: Work, count: int, company_id: int | None = None) -> Result:
    """Take all jobs out of the history that have ended, but the newest so many."""
    last = await work.store.pool.fetchval(query("retention.nth_newest"), company_id, count)
    if last is None:
        return Result([], [])
    removals: list[Removal] = []
    async with alone(work.store) as free:
        if not free:
            return Result([], ["Somebody else removes at this moment."])
        for row in await work.store.pool.fetch(query("retention.rules"), company_id):
            removals += await _history(work, row["id"], last + timedelta(microseconds=1), None)
    return Result(removals, [])


async def _remove_of(work: Work, company_id: int, rules: Rules) -> list[Removal]:
    removals: list[Removal] = []
    if rules.output is not None:
        removals += await _output(work, company_id, rules.output)
    before = await work.store.pool.fetchval(query("retention.artifacts_before"), f"retention-{company_id}")
    if rules.artifacts is not None:
        over = over_before(rules.artifacts, work.now)
        removals += await _artifacts(work, company_id, before or NEVER, over, rules.artifacts)
        before = max(before or NEVER, over)
    removals += await _contents(work, company_id, before)
    if rules.history is not None:
        removals += await _history(work, company_id, over_before(rules.history, work.now), rules.history)
    return removals


async def _output(work: Work, company_id: int, days: int) -> list[Removal]:
    """Destroy the keys of months that are over. The event comes first: what it says is then done, if need be later."""
    keys = await work.store.pool.fetch(query("retention.output_keys"), company_id)
    owners: dict[str, str] = {row["month"]: row["owner"] for row in keys}
    removals: list[Removal] = []
    for month in months_over(owners, days, work.now):
        row = await work.store.pool.fetchrow(query("retention.output"), company_id, f"{month}-01")
        assert row is not None
        figures: dict[str, int] = dict(row)
        if not work.dry_run:
            event = OutputRemoved(month=month, **figures, **work.common(company_id, days))
            await work.happened(company_id, event, key=f"retention|{owners[month]}")
            await work.store.keyring.destroy(owners[month])
        removals.append(
            Removal(
                company_id=company_id,
                what="output",
                month=month,
                days=days,
                jobs=figures["jobs"],
                things=figures["chunks"],
                bytes=figures["bytes"],
            )
        )
    return removals


async def _artifacts(work: Work, company_id: int, since: datetime, before: datetime, days: int) -> list[Removal]:
    """Give up the files of jobs that ended since a moment and before another."""
    row = await work.store.pool.fetchrow(query("retention.artifacts"), company_id, since, before)
    if row is None or not row["files"]:
        return []
    if not work.dry_run:
        event = ArtifactsRemoved(before=before, files=row["files"], bytes=row["bytes"], **work.common(company_id, days))
        await work.happened(company_id, event)
    return [
        Removal(
            company_id=company_id, what="artifacts", before=before, days=days, things=row["files"], bytes=row["bytes"]
        )
    ]


async def _contents(work: Work, company_id: int, before: datetime | None) -> list[Removal]:
    """Delete contents that no file refers to: none of a job that ended from a moment on, none of one that runs."""
    contents, size = 0, 0
    if work.dry_run:
        row = await work.store.pool.fetchrow(query("retention.unreferenced"), company_id, before, work.stored_for)
        contents, size = (row["contents"], row["bytes"]) if row else (0, 0)
    else:
        found = CONTENTS_PAGE
        while found == CONTENTS_PAGE:
            statement = query("retention.collect")
            row = await work.store.pool.fetchrow(statement, company_id, before, work.stored_for, CONTENTS_PAGE)
            assert row is not None
            found = row["contents"]
            contents, size = contents + found, size + row["bytes"]
        if contents:
            event = ContentsRemoved(company_id=company_id, removed_at=work.now, contents=contents, bytes=size)
            await work.happened(company_id, event)
    return [Removal(company_id=company_id, what="contents", things=contents, bytes=size)] if contents else []


async def _history(work: Work, company_id: int, before: datetime, days: int | None) -> list[Removal]:
    """Take jobs out of the history that ended before a moment, and tasks, some at a time."""
    removals: list[Removal] = []
    since = NEVER
    while since < before:
        statement = query("retention.history")
        row = await work.store.pool.fetchrow(statement, company_id, since, before, HISTORY_PAGE)
        assert row is not None
        full = row["jobs"] == HISTORY_PAGE
        bound = row["last"] + timedelta(microseconds=1) if full else before
        tasks = await work.store.pool.fetchval(query("retention.tasks"), company_id, since, bound)
        if row["jobs"] or tasks:
            if not work.dry_run:
                event = HistoryRemoved(before=bound, jobs=row["jobs"], tasks=tasks, **work.common(company_id, days))
                await work.happened(company_id, event)
            removals.append(
                Removal(company_id=company_id, what="history", before=bound, days=days, jobs=row["jobs"], things=tasks)
            )
        since = bound
    return removals


async def drop_months(work: Work) -> tuple[list[Removal], list[str]]:
    """Drop the months of output that nobody can read any more; return also why others could not be dropped."""
    dropped: list[Removal] = []
    held: list[str] = []
    async with work.store.pool.acquire() as connection:
        candidates = await partitions(connection)  # type: ignore[arg-type]
    for each in candidates:
        if each.class_ != OUTPUT or each.until_time is None or each.until_time + SEALED_AFTER > work.now:
            continue
        month = f"{each.from_time:%Y-%m}"
        if not await work.store.pool.fetchval(query("retention.unreadable_month"), month, each.name):
            continue
        try:
            manifest = await archive(work.store.settings.url_of("owner"), each.name, None)
        except (ArchiveError, EventStoreError, asyncpg.PostgresError, OSError) as error:
            log.info("a month of output is not dropped yet", partition=each.name, reason=str(error))
            held.append(f"{each.name} is not dropped yet: {error}")
            continue
        await work.store.pool.execute(query("retention.forget_month"), f"{month}-01")
        event = OutputMonthDropped(month=month, partition=each.name, events=manifest.events, removed_at=work.now)
        await work.store.append(Append(stream="retention-all", events=[event]), meta=work.meta)
        dropped.append(Removal(company_id=None, what="month", month=month, things=manifest.events))
    return dropped, held
