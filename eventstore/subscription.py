"""Follow the log from a cursor on: woken by notifications, polling beneath, unimpressed by broken connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import asyncpg
import structlog

from eventstore.errors import DatabaseUnavailableError
from eventstore.keyring import Keyring
from eventstore.listener import POLL, Listener
from eventstore.log import Cursor
from eventstore.read import PAGE, Recorded, end_of_log, read_page, recorded

log = structlog.get_logger(__name__)


class Subscription:
    """An endless asynchronous iterator of batches of events, in the order of the log, none missed, none twice.

    Use as an asynchronous context manager. ``cursor`` is a place in the log before which all that is wanted has been
    handed out: store it with what a batch led to, and resume from it.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        keyring: Keyring,
        listener: Listener,
        after: Cursor,
        current_epoch: Callable[[], int],
        categories: Sequence[str] | None = None,
        company_id: int | None = None,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._listener = listener
        self._current_epoch = current_epoch
        self._categories = None if categories is None else frozenset(categories)
        self._company_id = company_id
        self._wake: asyncio.Event | None = None
        self.cursor = after

    async def __aenter__(self) -> Subscription:
        self._listener.start()
        self._wake = self._listener.register(self._categories)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._wake is not None:
            self._listener.forget(self._wake)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> list[Recorded]:
        while True:
            if batch := await self.read():
                return batch
            assert self._wake is not None, "use the subscription as an asynchronous context manager"
            await self._listener.wait(self._wake)

    async def read(self) -> list[Recorded]:
        """Return what there is after the cursor, at most one page, and move the cursor behind it."""
        try:
            return await self._read()
        except DatabaseUnavailableError as error:
            log.warning("reading the log was interrupted; going on from the cursor", error=str(error))
            await asyncio.sleep(POLL / 4)
            return []

    async def _read(self) -> list[Recorded]:
        filtered = self._categories is not None or self._company_id is not None
        # What is not wanted is passed over once, not at every poll.
        end = await end_of_log(self._pool, self._current_epoch()) if filtered else self.cursor
        rows = await read_page(
            self._pool,
            self.cursor,
            self._current_epoch(),
            categories=None if self._categories is None else sorted(self._categories),
            company_id=self._company_id,
            limit=PAGE,
        )
        batch = await recorded(rows, self._keyring)
        if batch:
            self.cursor = batch[-1].cursor
        if len(rows) < PAGE:
            self.cursor = max(self.cursor, end)
        return batch
