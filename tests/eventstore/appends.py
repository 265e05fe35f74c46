"""Appends for tests: short ones by hand, many at once, direct calls of the function, and the chain recomputed."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any, NamedTuple

from domain.event import Event
from domain.job_events import JobCancelled
from eventstore.log import ANY, Append, Appended
from eventstore.store import EventStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
META = '{"v":1,"actor":"system","source":"test"}'
ZERO = bytes(32)


def event(number: int = 1, reason: str = "žádný důvod") -> Event:
    return JobCancelled(job_id=number, company_id=7, run_template_id=1, cancelled_at=NOON, reason=reason)


def one(stream: str, expected: int = ANY, *events: Event, company_id: int = 7, **more: Any) -> Append:
    return Append(stream=stream, company_id=company_id, expected=expected, events=events or [event()], **more)


async def together(store: EventStore, *appends: Append) -> list[Appended | BaseException]:
    """Append in one task each, all at once: what comes after the first shares transactions."""
    return await asyncio.gather(*(store.append(append) for append in appends), return_exceptions=True)


async def versions(store: EventStore, stream: str) -> list[int]:
    return [
        row["version"]
        for row in await store.pool.fetch("SELECT version FROM events WHERE stream = $1 ORDER BY position", stream)
    ]


async def transactions(store: EventStore, pattern: str) -> list[int]:
    """Return how many events each transaction wrote to streams like a pattern."""
    rows = await store.pool.fetch("SELECT count(*) AS n FROM events WHERE stream LIKE $1 GROUP BY xid", pattern)
    return sorted(row["n"] for row in rows)


async def expect_chain(store: EventStore) -> int:
    """Recompute the hash of every event from its columns; return how many there are."""
    rows = await store.pool.fetch(
        "SELECT stream, version, type, company_id, micros_of(time) AS micros, data::text AS data, meta::text AS meta, "
        "payload, hash FROM events ORDER BY stream, version"
    )
    before: dict[str, bytes] = {}
    for row in rows:
        payload: bytes | None = row["payload"]
        company = "" if row["company_id"] is None else row["company_id"]
        content = "-" if payload is None else hashlib.sha256(payload).hexdigest()
        head = f"{row['stream']}|{row['type']}|{company}|{row['micros']}|{content}|"
        digest = hashlib.sha256(f"{head}{row['data']}{row['meta']}".encode()).digest()
        before[row["stream"]] = hashlib.sha256(before.get(row["stream"], ZERO) + digest).digest()
        assert row["hash"] == before[row["stream"]], f"{row['stream']}@{row['version']}"
    heads = {row["stream"]: row["hash"] for row in await store.pool.fetch("SELECT stream, hash FROM streams")}
    assert heads == before
    return len(rows)


class Wanted(NamedTuple):
    """An entry of a direct call of ``append_batch``."""

    stream: str
    expected: int
    events: int = 1
    request: int = 1
    company: int = 7


def arguments(entries: list[Wanted], keys: list[str] | None = None) -> tuple[Any, ...]:
    """Return what ``append_batch`` is sent for entries."""
    ranks = [rank for entry in entries for rank in range(1, entry.events + 1)]
    return (
        [entry.request for entry in entries],
        "\x1f".join(entry.stream for entry in entries),
        [2 for _ in entries],
        [entry.company for entry in entries],
        [entry.expected for entry in entries],
        [entry.events for entry in entries],
        [number for number, entry in enumerate(entries, 1) for _ in range(entry.events)],
        ranks,
        "\x1f".join("JobCancelled" for _ in ranks),
        "\x1f".join(f'{{"rank": {rank}}}' for rank in ranks),
        META,
        None,
        None,
        None,
        keys,
        None if keys is None else [b"fingerprint" for _ in keys],
    )
