"""The projector: folds new events into the asynchronous read models, and keeps the log in order.

Housekeeping of the log is here too: partitions ahead of time, signed tree heads, idempotency keys that nobody repeats
any more.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import groupby

import asyncpg
import structlog

from daemons.runtime import Daemon, run
from eventstore.store import EventStore
from eventstore.tree_heads import TreeHeadSigner
from projections.registry import ASYNC

BATCH = 5_000
"""Events folded in one transaction."""

STANDING = (
    "SELECT name, version, epoch, xid, position FROM projections WHERE NOT inline ORDER BY epoch, xid, position, name"
)
PROJECT = "SELECT project($1, $2)"
MAKE_PARTITIONS = "SELECT count(*) FROM ensure_partitions(now() - interval '1 month', 13)"
FORGET_KEYS = "DELETE FROM idempotency_keys WHERE time < now() - interval '30 days'"
HOUSEKEEPING_EVERY = 3600.0

log = structlog.get_logger(__name__)


async def fold_all(store: EventStore) -> int:
    """Fold what there is into every asynchronous projection of this program's version; return events folded.

    Projections that stand at the same place share a pass over the events.
    """
    versions = {projection.name: projection.version for projection in ASYNC}
    rows = await store.pool.fetch(STANDING)
    served = [row for row in rows if versions.get(row["name"]) == row["version"]]
    folded = 0
    for _, group in groupby(served, key=lambda row: (row["epoch"], row["xid"], row["position"])):
        names = [row["name"] for row in group]
        count = BATCH
        while count == BATCH:
            try:
                count = await store.pool.fetchval(PROJECT, names, BATCH)
            except asyncpg.ObjectNotInPrerequisiteStateError:
                break  # another projector was between ours: look again where each stands
            folded += count
    return folded


async def follow(store: EventStore, daemon: Daemon) -> None:
    """Fold, then wait for more, until the daemon is to stop."""
    store.listener.start()
    wake = store.listener.register(None)
    try:
        while not daemon.stopping.is_set():
            if await fold_all(store) == 0:
                await store.listener.wait(wake)
    finally:
        store.listener.forget(wake)


async def keep_house(store: EventStore, daemon: Daemon) -> None:
    """Make partitions ahead of time and forget old idempotency keys, every hour."""
    while not daemon.stopping.is_set():
        made = await store.pool.fetchval(MAKE_PARTITIONS)
        if made:
            log.info("partitions made", count=made)
        await store.pool.execute(FORGET_KEYS)
        await daemon.pause(HOUSEKEEPING_EVERY)


async def work(store: EventStore, daemon: Daemon) -> None:
    """Fold, sign and keep house until the daemon is to stop."""
    async with asyncio.TaskGroup() as group:
        signing = group.create_task(TreeHeadSigner(store).run())
        group.create_task(keep_house(store, daemon))
        await follow(store, daemon)
        signing.cancel()


if __name__ == "__main__":
    sys.exit(run("projector", work))
