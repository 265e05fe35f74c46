"""P6: what a tick of the scheduler costs with a million templates, and how long 50,000 take that are due at once.

A tick looks for templates that are due and for tasks whose window has passed, and asks when the next is due. With a
million templates it is measured in turns with one of a thousand, in another database; nothing is due in either. Then
50,000 of the million become due at the same second, and one scheduler queues a job for each.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from datetime import UTC, datetime, timedelta

import psycopg

from benchmarks.figures import Figure, Rates, in_turns
from benchmarks.place import Place
from benchmarks.workload import TEMPLATES, configuration
from daemons.expiry import end_expired_tasks
from daemons.scheduler import schedule_due
from eventstore.store import EventStore
from projections.queries import query
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store

MANY, FEW = 1_000_000, 1_000
AT_ONCE = 50_000
ROUNDS = 3
TICKS = 200
MOST = 1.2
"""How many times as long a tick may take with the million."""

ALLOWED = 5.0
"""Seconds in which all jobs of those due at once are to be queued."""

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=12)

FILL = (
    """
    INSERT INTO streams (stream, class, company_id, version, hash, xid, first_time, last_time)
    SELECT 'run_template-' || n, s.class, s.company_id, s.version, s.hash, s.xid, s.first_time, s.last_time
      FROM generate_series(%(first)s::integer, %(last)s::integer) n
      JOIN streams s ON s.stream = 'run_template-' || (n %% %(templates)s::integer + 1)
    """,
    """
    INSERT INTO run_template (id, document, created_at, changed_at, stream_version)
    SELECT n, t.document || jsonb_build_object('run_template_id', n, 'name', 'Template ' || n,
                                            'interval', 'h', 'active', true),
           t.created_at, t.changed_at, t.stream_version
      FROM generate_series(%(first)s::integer, %(last)s::integer) n
      JOIN run_template t ON t.id = n %% %(templates)s::integer + 1
    """,
    """
    INSERT INTO due (run_template_id, company_id, next_due, template_version, epoch, xid)
    SELECT t.id, t.company_id, %(later)s::timestamptz + make_interval(secs => t.id %% 3600), t.stream_version, 1, '1'
      FROM run_template t
     WHERE t.id >= %(first)s
    """,
)
"""Further templates, as the events of those that are there would have left them: heads of streams and read models. The
events themselves are left out, as nothing that is measured reads them."""

MAKE_DUE = "UPDATE due SET next_due = $1 WHERE run_template_id BETWEEN $2 AND $3"
QUEUED = "SELECT count(*), count(DISTINCT run_template_id) FROM job_queue WHERE due = $1"


async def prepare(database: Database, templates: int) -> None:
    """Make so many templates of which none is due."""
    async with open_store(database, inline=True) as store:
        await store.append_all(list(configuration(random.Random(42))))
    with psycopg.connect(database.owner_url, autocommit=True, options="-c search_path=multiflexi") as connection:
        for statement in FILL:
            connection.execute(
                statement.encode(), {"first": TEMPLATES + 1, "last": templates, "templates": TEMPLATES, "later": LATER}
            )
        connection.execute("VACUUM ANALYZE streams, run_template, due, company, application")


async def ticks(store: EventStore) -> float:
    """Do often what the scheduler does each time it wakes; return how often a second, by the median."""
    took: list[float] = []
    for _ in range(TICKS):
        began = time.perf_counter()
        assert await schedule_due(store, NOW) == 0
        assert await end_expired_tasks(store, NOW) == 0
        earliest = await store.pool.fetchval(query("run_template.next_due"))
        took.append(time.perf_counter() - began)
        assert earliest > NOW
    return 1 / statistics.median(took)


async def compare_ticks(few: EventStore, many: EventStore) -> Rates:
    """Measure ticks in turns, with few templates and with many."""
    return await in_turns(12, lambda _: ticks(few), lambda _: ticks(many))


async def all_at_once(store: EventStore) -> list[float]:
    """Let many templates be due at the same second and schedule them; return how many seconds each time took."""
    took: list[float] = []
    # All rounds within the hour after which those of the first are due again: a round has its own to schedule alone.
    for number in range(ROUNDS):
        due = NOW + timedelta(minutes=number)
        first = TEMPLATES + 1 + number * AT_ONCE
        await store.pool.execute(MAKE_DUE, due, first, first + AT_ONCE - 1)
        began = time.perf_counter()
        assert await schedule_due(store, due + timedelta(seconds=1)) == AT_ONCE
        took.append(time.perf_counter() - began)
        assert tuple(await store.pool.fetchrow(QUEUED, due) or ()) == (AT_ONCE, AT_ONCE)
    return took


async def compare(small: Database, large: Database) -> tuple[Rates, list[float]]:
    """Measure both."""
    await prepare(small, FEW)
    await prepare(large, MANY)
    async with open_store(small, inline=True) as few, open_store(large, inline=True) as many:
        return await compare_ticks(few, many), await all_at_once(many)


def measure(where: Place) -> list[Figure]:
    """Measure P6."""
    with where.database(read_models=True) as small, where.database(read_models=True) as large:
        rates, took = asyncio.run(compare(small, large))
    ours, baseline = (f"{1000 / statistics.median(side):.2f} ms" for side in (rates.ours, rates.baseline))
    seconds = statistics.median(took)
    return [
        Figure("P6", f"a tick, none due: {MANY:,} templates against {FEW:,}", ours, baseline, rates.ratio, 1 / MOST),
        Figure(
            "P6",
            f"{AT_ONCE:,} of {MANY:,} templates due at once: all jobs queued ({AT_ONCE / seconds:,.0f} jobs/s)",
            f"{seconds:.2f} s",
            f"{ALLOWED:.0f} s",
            ALLOWED / seconds,
            1.0,
        ),
    ]
