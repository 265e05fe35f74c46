"""Event stores that stay open from one command line to the next, so that a thousand of them need no thousand starts.

A command line that is run in the process of the test opens a store, on connections of its own, in an event loop of its
own, and closes both. Where it matters what the command does and not how it begins, that is most of its time.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from eventstore.store import EventStore


@contextmanager
def stores_stay_open(runner: asyncio.Runner) -> Iterator[None]:
    """Give whoever opens a store the one that was opened before for the same database, role and companies.

    Parameters
    ----------
    runner : asyncio.Runner
        Its loop takes the place of those of the command lines.
    """
    kept: dict[tuple[Any, ...], EventStore] = {}
    enter, leave = EventStore.__aenter__, EventStore.__aexit__

    async def opened(store: EventStore) -> EventStore:
        companies = store.companies if isinstance(store.companies, str) else tuple(store.companies)
        key = (store.settings, store.role, companies, store.application, bool(store._inline))
        if key not in kept:
            kept[key] = await enter(store)
        vars(store).update(vars(kept[key]))
        return store

    async def stays(_store: EventStore, *_: object) -> None:
        return

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        # As asyncio.run does, in a copy of the caller's context: it says whom a command acts for.
        return runner.run(coroutine, context=contextvars.copy_context())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "run", run)
        patch.setattr(EventStore, "__aenter__", opened)
        patch.setattr(EventStore, "__aexit__", stays)
        yield
    for store in kept.values():
        runner.run(leave(store, None, None, None))
