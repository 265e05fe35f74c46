"""The embedded database of a data folder for the length of one command, without any other part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from daemons import data_folder
from daemons.postgres import OWNER_LOGIN, EmbeddedPostgres
from daemons.prepare import prepare


@asynccontextmanager
async def own_database(folder: Path) -> AsyncIterator[None]:
    """Run the database of a data folder, made and brought up to date where need be; stop it in the end.

    Its ``connection.json`` and ``master.key`` are there meanwhile, so that ``eventstore.settings`` finds it.

    Raises
    ------
    PostgresError, DataFolderError
        It does not start, or the folder is in use.
    """
    data_folder.prepare(folder)
    lock = data_folder.Lock(folder, "multiflexi")
    lock.take()
    try:
        server = EmbeddedPostgres(folder)
        await asyncio.to_thread(server.start)
        try:
            data_folder.write_master_key(folder)
            data_folder.write_connection(folder, *server.login_urls())
            await asyncio.to_thread(prepare, server.url(OWNER_LOGIN))
            yield
        finally:
            await asyncio.to_thread(server.stop)
    finally:
        lock.release()
