"""The executor: claims queued jobs and runs them, many at once.

Woken when jobs are queued; a claim takes as many as there are free places, in one statement.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import sys
import time

import structlog
import uvloop

from daemons.claimer import Claimer
from daemons.executors.native import NativeExecutor
from daemons.executors.process_tree import ORPHANS
from daemons.leases import LOOK_EVERY, RENEW_EVERY, RENEW_SOON, Contact, renew, settle_lost
from daemons.recorder import Recorder
from daemons.runtime import Daemon, run
from daemons.surroundings import Surroundings
from eventstore.connection import DATABASE_ERRORS
from eventstore.store import EventStore

log = structlog.get_logger(__name__)


def places() -> int:
    """Return how many jobs run at once: ``MULTIFLEXI_MAX_PARALLEL``, or four for each core."""
    return int(os.environ.get("MULTIFLEXI_MAX_PARALLEL") or 4 * (os.cpu_count() or 1))


async def keep_leases(claimer: Claimer, surroundings: Surroundings, daemon: Daemon) -> None:
    """Renew leases, end what was lost, settle what others lost, until all jobs have ended."""
    contact = Contact()
    store = surroundings.store
    renewed = -math.inf
    while not daemon.stopping.is_set() or claimer.running:
        try:
            if not contact.observed or time.monotonic() - renewed >= RENEW_EVERY - LOOK_EVERY / 2:
                renewed = time.monotonic()
                for job_id in await renew(store, daemon, list(claimer.running)):
                    if job_id in claimer.running:
                        claimer.running[job_id][0].fence()
            contact.made()
            await settle_lost(store, daemon, list(claimer.running), observed=contact.observed, grace=surroundings.grace)
        except DATABASE_ERRORS as error:
            contact.broken()
            log.warning("leases not renewed; the database is away", error=str(error))
        ORPHANS.sweep()
        if daemon.stopping.is_set():
            await asyncio.sleep(0.1)
        else:
            await daemon.pause(LOOK_EVERY if contact.observed else RENEW_SOON)


async def work(store: EventStore, daemon: Daemon) -> None:
    """Run jobs until the daemon is to stop, then drain."""
    store.listener.start()
    recorder = Recorder(store, daemon.id)
    surroundings = Surroundings(store, recorder)
    claimer = Claimer(surroundings, daemon, [NativeExecutor()], places())
    async with asyncio.TaskGroup() as group:
        writing = group.create_task(recorder.run())
        keeping = group.create_task(keep_leases(claimer, surroundings, daemon))
        watching = group.create_task(claimer.watch())
        stop = group.create_task(daemon.stopping.wait())
        stop.add_done_callback(lambda _: claimer.wake())
        await claimer.run()
        await claimer.drain()
        for task in (keeping, watching, writing):
            task.cancel()
    await claimer.close()
    await recorder.close()


if __name__ == "__main__":
    ORPHANS.adopt()
    # Jobs leave no cycles behind; what lives long need not be looked at again and again.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    sys.exit(run("executor", work))
