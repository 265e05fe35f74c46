"""The embedded PostgreSQL as a supervised part."""

from __future__ import annotations

import asyncio

from daemons.data_folder import DataFolderError
from daemons.postgres import EmbeddedPostgres, PostgresError
from daemons.supervisor import PartError

_POLL = 0.25
_GRACE = 20.0


class PostgresPart:
    """Starts, watches and stops a server.

    Parameters
    ----------
    server : EmbeddedPostgres
        The server.
    """

    name = "postgresql"

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self._starting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the server, or take over the one that a killed supervisor left.

        Raises
        ------
        PartError
            It does not start.
        """
        self._starting = asyncio.create_task(asyncio.to_thread(self.server.start))
        try:
            # The thread cannot be interrupted; `stop` waits for it.
            await asyncio.shield(self._starting)
        except (PostgresError, DataFolderError) as error:
            raise PartError(str(error)) from None

    async def wait(self) -> str:
        """Wait until the server is gone."""
        while self.server.is_running():  # it may not be our child, so nothing tells us but asking
            await asyncio.sleep(_POLL)
        return "ended"

    async def stop(self, force: asyncio.Event) -> None:
        """Stop the server; when forced, without waiting for what is open."""
        if self._starting is not None:
            await asyncio.wait({self._starting})
        stopping = asyncio.create_task(asyncio.to_thread(self.server.stop, timeout=_GRACE))
        forced = asyncio.create_task(force.wait())
        await asyncio.wait({stopping, forced}, return_when=asyncio.FIRST_COMPLETED)
        forced.cancel()
        if not stopping.done():
            self.server.abort()
        await stopping
