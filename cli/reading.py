"""Reading the read models: one connection and named queries, which is less to start than the whole event store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from cli import whom
from cli.output import Row, Rows, Zone
from domain.event import Erased
from eventstore.company_view import CompanyPool
from eventstore.connection import check_log, connect, restore_session
from eventstore.keyring import Keyring
from eventstore.settings import Settings, load
from projections.queries import query

ZONES = "SELECT c.id, c.time_zone FROM company c WHERE c.id = ANY ($1::integer[])"


class Reader:
    """A connection that answers named queries.

    Parameters
    ----------
    pool : asyncpg.Pool
        At most one connection; it shows what those may see for whom the command line acts.
    settings : Settings
        Where the database is, and the master key.
    keyring : Keyring or None
        Opens personal fields, if one is open already.
    """

    def __init__(self, pool: asyncpg.Pool | CompanyPool, settings: Settings, keyring: Keyring | None = None) -> None:
        self.pool = pool
        self.settings = settings
        self._keyring = keyring

    async def rows(self, name: str, *arguments: object) -> Rows:
        """Return what a named query answers, JSON decoded."""
        async with self.pool.acquire() as connection:
            return await rows_of(connection, query(name), *arguments)

    async def row(self, name: str, *arguments: object) -> dict[str, Any] | None:
        """Return the first row of what a named query answers."""
        found = (await self.rows(name, *arguments)).rows
        return found[0] if found else None

    async def fetch(self, statement: str, *arguments: object) -> Rows:
        """Return what a statement answers, JSON decoded."""
        async with self.pool.acquire() as connection:
            return await rows_of(connection, statement, *arguments)

    async def reveal(self, rows: Iterable[dict[str, Any]], category: str, *fields: str) -> None:
        """Put the clear text of personal fields into rows.

        Parameters
        ----------
        rows : Iterable[dict]
            Rows with an ``id``.
        category : str
            Category of the streams they come from, e.g. ``company``.
        fields : str
            Personal fields.
        """
        await self.reveal_at([(row, field, f"{category}-{row['id']}") for row in rows for field in fields])

    async def reveal_at(self, places: Iterable[tuple[dict[str, Any], str, str]]) -> None:
        """Put clear texts where envelopes are, each given as document, field and stream; what is none stays."""
        sealed = [place for place in places if is_envelope(place[0].get(place[1]))]
        if not sealed:
            return
        keyring = await self.keyring()
        clear: list[str | Erased | None] = await keyring.reveal(
            [(document[field], f"{stream}|{field}") for document, field, stream in sealed]
        )
        for (document, field, _), text in zip(sealed, clear, strict=True):
            document[field] = text

    async def keyring(self) -> Keyring:
        """Return what opens personal fields.

        Raises
        ------
        MasterKeyError
            There is no master key, or another one.
        """
        if self._keyring is None:
            self._keyring = Keyring(
                cast("asyncpg.Pool", self.pool), self.settings.master_key, self.settings.previous_master_key
            )
            await self._keyring.open()
        return self._keyring

    async def zones(self, rows: Iterable[Row], key: str = "company_id") -> Zone:
        """Return what tells the time zone of the company that a row belongs to."""
        ids = sorted({row[key] for row in rows if row.get(key) is not None})
        found = (await self.fetch(ZONES, ids)).rows if ids else []
        by_company = {row["id"]: row["time_zone"] for row in found}
        return lambda row: by_company.get(row.get(key))


def is_envelope(value: object) -> bool:
    """Tell whether a value is the ciphertext of a personal field."""
    return isinstance(value, Mapping) and "enc" in value and "sub" in value


async def rows_of(
    connection: asyncpg.Connection | PoolConnectionProxy[Any], statement: str, *arguments: object
) -> Rows:
    """Return what a statement answers on a connection, JSON decoded."""
    prepared = await connection.prepare(statement)
    attributes = prepared.get_attributes()
    names = tuple(attribute.name for attribute in attributes)
    encoded = [attribute.name for attribute in attributes if attribute.type.name in ("json", "jsonb")]
    rows = [dict(record) for record in await prepared.fetch(*arguments)]
    for row in rows:
        for name in encoded:
            if row[name] is not None:
                row[name] = msgspec.json.decode(row[name])
    return Rows(names, rows)


@asynccontextmanager
async def reading(*, whole: bool = False) -> AsyncIterator[Reader]:
    """Open the read models of the database that the settings name, as those see them for whom the command line acts.

    Parameters
    ----------
    whole : bool
        Everything is seen; the caller keeps to ``whom.COMPANIES``.

    Raises
    ------
    EventStoreError
        The database is down, has no schema, or was restored and not adopted.
    """
    settings = load()
    companies = "*" if whole else whom.COMPANIES.get()

    async def opened(*_arguments: object, **_options: object) -> asyncpg.Connection:
        return await connect(settings.url_of("app"), "app", companies, "multiflexi-cli")

    async def checked(connection: asyncpg.Connection) -> None:
        await check_log(connection)

    async with asyncpg.create_pool(min_size=1, max_size=1, connect=opened, init=checked, reset=restore_session) as pool:
        yield Reader(pool, settings)
