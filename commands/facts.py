"""What commands must know besides the stream that they change: rules that span streams, ids, what a key was answered.

:class:`Facts` is the seam; :class:`SqlFacts` reads the inline read models, which stand as the log stands.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol, cast

import asyncpg
import msgspec

from domain.errors import NotFoundError
from domain.event import Erased
from eventstore.blind_index import BlindIndex
from eventstore.company_view import CompanyPool
from eventstore.errors import DatabaseUnavailableError
from eventstore.log import Cursor

Row = Mapping[str, Any]
UNAVAILABLE = ("08", "28", "3D", "53", "57")
"""Classes of errors of PostgreSQL that say that it cannot be used (Appendix A of its documentation)."""

_HEAD = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class Answer(msgspec.Struct, frozen=True):
    """What a command with an idempotency key was answered.

    Attributes
    ----------
    fingerprint : bytes
        Digest of the command.
    streams : dict[str, tuple[int, Cursor]]
        Streams that were appended to, with their version after it and the place of the last event.
    """

    fingerprint: bytes
    streams: dict[str, tuple[int, Cursor]]


class Facts(Protocol):
    """What a command can ask for. Rows hold the columns of the queries in ``queries.sql``; None: there is none."""

    async def allocate(self, category: str, count: int = 1) -> list[int]:
        """Return fresh ids of a category."""
        ...

    async def row(self, query: str, *arguments: object) -> Row | None:
        """Return the first row of a query."""
        ...

    async def ids(self, query: str, *arguments: object) -> list[int]:
        """Return the first column of a query that lists ids."""
        ...

    async def rows(self, query: str, *arguments: object) -> Sequence[Row]:
        """Return the rows of a query."""
        ...

    async def answer(self, key: str) -> Answer | None:
        """Return what a key was answered."""
        ...

    async def keyed(self, purpose: str, text: str) -> str:
        """Return the keyed hash by which an encrypted value is found, see :mod:`eventstore.blind_index`."""
        ...

    async def opened(self, places: list[tuple[dict[str, Any] | None, str]]) -> list[str | Erased | None]:
        """Return what encrypted values of read models say, each given with its place (``company-7|email``)."""
        ...


class SqlFacts:
    """Facts of a database.

    Parameters
    ----------
    pool : asyncpg.Pool or CompanyPool
        Connections with role, search path and companies set: ``store.pool``, or those of a ``CompanyView``.
    index : BlindIndex
        Makes keyed hashes.
    """

    def __init__(self, pool: asyncpg.Pool | CompanyPool, index: BlindIndex) -> None:
        self._pool = pool
        self._index = index

    async def allocate(self, category: str, count: int = 1) -> list[int]:
        """Return fresh ids of a category."""
        return await self.ids("allocate", f"{category}_id", count)

    async def row(self, query: str, *arguments: object) -> Row | None:
        """Return the first row of a query."""
        async with available():
            found = await self._pool.fetchrow(sql(query), *arguments)
            return None if found is None else dict(found)

    async def ids(self, query: str, *arguments: object) -> list[int]:
        """Return the first column of a query that lists ids."""
        async with available():
            return [row[0] for row in await self._pool.fetch(sql(query), *arguments)]

    async def rows(self, query: str, *arguments: object) -> Sequence[Row]:
        """Return the rows of a query."""
        async with available():
            return [cast("Row", row) for row in await self._pool.fetch(sql(query), *arguments)]

    async def keyed(self, purpose: str, text: str) -> str:
        """Return the keyed hash by which an encrypted value is found."""
        return await self._index.of(purpose, text)

    async def opened(self, places: list[tuple[dict[str, Any] | None, str]]) -> list[str | Erased | None]:
        """Return what encrypted values of read models say."""
        async with available():
            return await self._index.keyring.reveal(places)

    async def answer(self, key: str) -> Answer | None:
        """Return what a key was answered."""
        row = await self.row("idempotency_key", key)
        if row is None:
            return None
        entries: list[dict[str, Any]] = msgspec.json.decode(row["result"])
        return Answer(
            bytes(row["fingerprint"]),
            {
                entry["stream"]: (entry["version"], Cursor(entry["epoch"], int(entry["xid"]), entry["position"]))
                for entry in entries
                if entry["position"] is not None
            },
        )


async def present(facts: Facts, query: str, entity_id: int, label: str) -> Row:
    """Return the row of something that is there, by its id.

    Raises
    ------
    NotFoundError
        There is none, or it was removed.
    """
    row = await facts.row(query, entity_id)
    if row is None or row["removed"]:
        raise NotFoundError(
            f"There is no {label.replace('_', ' ')} {entity_id}. `{label.replace('_', '-')}:list` shows what there is.",
            field=f"{label}_id",
            code=f"{label}_not_found",
        )
    return row


@cache
def _queries() -> dict[str, str]:
    _, *parts = _HEAD.split(Path(__file__).with_name("queries.sql").read_text(encoding="utf-8"))
    return dict(zip(parts[::2], (text.strip() for text in parts[1::2]), strict=True))


def sql(name: str) -> str:
    """Return the SQL of a query of ``queries.sql``."""
    return _queries()[name]


@asynccontextmanager
async def available() -> AsyncIterator[None]:
    """Turn the loss of the database while something is read into an error that says what to do."""
    try:
        yield
    except (OSError, asyncpg.InterfaceError) as error:
        raise _unavailable(error) from error
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "")[:2] not in UNAVAILABLE:
            raise
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> DatabaseUnavailableError:
    return DatabaseUnavailableError(
        f"The database cannot be reached: {error}. Nothing was changed. Try again when it is back."
    )
