"""The database as the web interface sees it: opened in the background, and again when it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import structlog

from eventstore.connection import Companies, companies_setting
from eventstore.errors import (
    EventStoreError,
    LogMovedError,
    MasterKeyError,
    SettingsError,
    UnsupportedDatabaseError,
)
from eventstore.settings import Settings
from eventstore.store import EventStore
from projections.registry import inline_folds
from web.errors import N_, UnavailableError

Connection = asyncpg.pool.PoolConnectionProxy
"""A connection out of the pool, on which a page is read."""

RETRY = 0.5
"""Seconds between two attempts to open the database."""

ANSWER_WITHIN = 10.0
"""Seconds that a page may take to read what it shows."""

CONNECTION_WITHIN = 4.0
"""Seconds to wait for a connection."""

ACT_FOR = "SELECT set_config('multiflexi.companies', $1, true)"

AWAY = (
    OSError,
    TimeoutError,
    EventStoreError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.UndefinedTableError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidAuthorizationSpecificationError,
)
"""What is raised while the database is down, restarts, takes no connections, has moved, or has no read models yet."""

FOR_ADMINISTRATORS = (LogMovedError, MasterKeyError, SettingsError, UnsupportedDatabaseError)
"""Errors whose message says what an administrator has to do."""

log = structlog.get_logger(__name__)


class Database:
    """The event store of the web interface, from the moment it can be opened.

    Parameters
    ----------
    settings : Settings
        Where the database is, and the master key.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.opened = asyncio.Event()
        self._store: EventStore | None = None
        self._task: asyncio.Task[None] | None = None
        self._problem: BaseException = TimeoutError()

    async def __aenter__(self) -> Database:
        self._task = asyncio.create_task(self._open(), name="open the database")
        with suppress(TimeoutError):
            async with asyncio.timeout(CONNECTION_WITHIN):
                await self.opened.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._store is not None:
            await self._store.__aexit__(None, None, None)

    @property
    def store(self) -> EventStore:
        """The open event store.

        Raises
        ------
        UnavailableError
            It could not be opened yet.
        """
        if self._store is None:
            raise unavailable(self._problem) from self._problem
        return self._store

    @asynccontextmanager
    async def reading(self, companies: Companies) -> AsyncIterator[Connection]:
        """Give a connection on which one moment of the database is read, as some companies.

        Parameters
        ----------
        companies : Companies
            ``"*"`` or the ids that row-level security lets through.

        Raises
        ------
        UnavailableError
            The database is away, or does not answer in time.
        """
        pool = self.store.pool
        try:
            async with (
                asyncio.timeout(ANSWER_WITHIN),
                pool.acquire(timeout=CONNECTION_WITHIN) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                await connection.execute(ACT_FOR, companies_setting(companies))
                yield connection
        except AWAY as error:
            log.warning("the database went away while a page was read", error=repr(error))
            raise unavailable(error) from error

    async def _open(self) -> None:
        while True:
            store = EventStore(self.settings, role="app", inline=inline_folds(), application="multiflexi-web")
            try:
                await store.__aenter__()
            except (*AWAY, asyncpg.PostgresError) as error:
                if repr(self._problem) != repr(error):
                    log.warning("the database cannot be opened; trying again", error=repr(error))
                self._problem = error
                await asyncio.sleep(RETRY)
                continue
            self._store = store
            self.opened.set()
            log.info("the database is open")
            return


def unavailable(error: BaseException) -> UnavailableError:
    """Return what to tell users when the database failed; the log has what the server said."""
    if isinstance(error, TimeoutError):
        return UnavailableError(N_("The database did not answer in time."))
    if isinstance(error, (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError)):
        return UnavailableError(N_("The read models have not been made yet. They are made when MultiFlexi starts."))
    if isinstance(error, FOR_ADMINISTRATORS):
        return UnavailableError("{reason}", reason=str(error))
    return UnavailableError(N_("The database cannot be reached."))
