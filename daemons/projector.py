"""The projector: folds new events into the asynchronous read models, and keeps the log in order.

Housekeeping of the log is here too: partitions ahead of time, signed tree heads, idempotency keys that nobody repeats
any more, sessions and links in mails that have ended.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import msgspec
import structlog

from commands.retention import Work, remove
from daemons.runtime import Daemon, run
from eventstore.errors import DatabaseUnavailableError, EventStoreError
from eventstore.listener import POLL
from eventstore.log import Meta
from eventstore.store import EventStore
from eventstore.tree_heads import TreeHeadSigner
from projections.registry import ASYNC

BATCH = 5_000
"""Events folded in one transaction."""

ROUND = """
    WITH served AS MATERIALIZED (
        SELECT p.name, p.epoch, p.xid, p.position
          FROM projections p JOIN unnest($1::text[], $2::integer[]) AS s (name, version) USING (name, version)
         WHERE NOT p.inline ORDER BY p.name FOR UPDATE OF p
    )
    SELECT project(array_agg(s.name ORDER BY s.name), $3) AS folded FROM served s GROUP BY s.epoch, s.xid, s.position
"""
"""Projections that stand at the same place share a pass over the events. They are locked first, so that another
projector or a rebuild waits here and not in the middle."""

GATHER, GATHER_FOR_EACH, LONGEST_GATHER = 0.005, 0.001, 0.03
"""Seconds after a fold in which more events may come together, at least, for each event that it had, and at most: at
high rates many for each fold, as most of what a fold costs is the same for few and for many."""

AGAIN = 0.02
"""Seconds until the next look for events that a transaction still under way hides; twice as many each time."""

MAKE_PARTITIONS = "SELECT count(*) FROM ensure_partitions(now() - interval '1 month', 13)"
SWEEP_SIGN_IN = "SELECT sessions, secrets FROM sweep_sign_in($1)"
FORGET_KEYS = "DELETE FROM idempotency_keys WHERE time < now() - interval '30 days'"
HOUSEKEEPING_EVERY = 3600.0
META = Meta(actor="daemon:projector", source="retention")

log = structlog.get_logger(__name__)


async def fold_all(store: EventStore) -> int:
    """Fold what there is into every asynchronous projection of this program's version; return events folded."""
    names, versions = zip(*((projection.name, projection.version) for projection in ASYNC), strict=True)
    folded = 0
    while True:
        counts = [row["folded"] for row in await store.pool.fetch(ROUND, names, versions, BATCH)]
        folded += sum(counts)
        if BATCH not in counts:
            return folded


async def follow(store: EventStore, daemon: Daemon) -> None:
    """Fold, then wait for more, until the daemon is to stop."""
    store.listener.start()
    wake = store.listener.register(None)
    pause = AGAIN
    try:
        while not daemon.stopping.is_set():
            wake.clear()
            if folded := await fold_all(store):
                pause = AGAIN
                await asyncio.sleep(min(LONGEST_GATHER, max(GATHER, GATHER_FOR_EACH * folded)))
            try:
                async with asyncio.timeout(pause):
                    await wake.wait()
                pause = AGAIN
            except TimeoutError:
                pause = min(2 * pause, POLL)
    finally:
        store.listener.forget(wake)


async def keep_house(store: EventStore, daemon: Daemon) -> None:
    """Make partitions ahead of time; forget old keys, ended sessions, what need not be kept: every hour."""
    while not daemon.stopping.is_set():
        made = await store.pool.fetchval(MAKE_PARTITIONS)
        if made:
            log.info("partitions made", count=made)
        await store.pool.execute(FORGET_KEYS)
        swept = await store.pool.fetchrow(SWEEP_SIGN_IN, datetime.now(UTC))
        if swept is not None and any(swept.values()):
            log.info("what ended of signing in was removed", **dict(swept))
        await remove_what_is_over(store)
        await daemon.pause(HOUSEKEEPING_EVERY)


async def remove_what_is_over(store: EventStore) -> None:
    """Remove what companies keep no longer; a failure is told, and tried again in an hour."""
    try:
        result = await remove(Work(store=store, now=datetime.now(UTC), meta=META))
    except DatabaseUnavailableError:
        raise
    except EventStoreError as error:
        log.error("what is over could not be removed", error=str(error))
        return
    for each in result.removals:
        log.info("removed", **{name: value for name, value in msgspec.structs.asdict(each).items() if value})


async def work(store: EventStore, daemon: Daemon) -> None:
    """Fold, sign and keep house until the daemon is to stop."""
    async with asyncio.TaskGroup() as group:
        signing = group.create_task(TreeHeadSigner(store).run())
        group.create_task(keep_house(store, daemon))
        await follow(store, daemon)
        signing.cancel()


if __name__ == "__main__":
    sys.exit(run("projector", work))
