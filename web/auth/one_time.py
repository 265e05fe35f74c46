"""What is good for one use until it expires, such as a link in a mail: a random token whose digest alone is kept."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

import msgspec

from eventstore.store import EventStore
from web.auth.sessions import Clock, digest
from web.queries import query


class Kept(msgspec.Struct, frozen=True):
    """What was kept: for which user, and what."""

    user_id: int | None
    data: dict[str, Any]


class OneTimeSecrets:
    """Keeps them in the database, so that any process finds them.

    Parameters
    ----------
    store : EventStore
        Acts for the whole installation.
    clock : Clock
        Gives the moment.
    """

    def __init__(self, store: EventStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def keep(self, purpose: str, user_id: int | None, lasts: float, **data: Any) -> str:
        """Keep something for some seconds and return the token that it is found by."""
        token = secrets.token_urlsafe(32)
        until = self._clock() + timedelta(seconds=lasts)
        text = msgspec.json.encode(data).decode()
        await self._store.pool.execute(query("sign_in.keep"), digest(token), purpose, user_id, text, until)
        return token

    async def look(self, purpose: str, token: str) -> Kept | None:
        """Return what was kept, which stays so."""
        return _kept(await self._store.pool.fetchrow(query("sign_in.look"), digest(token), purpose, self._clock()))

    async def take(self, purpose: str, token: str) -> Kept | None:
        """Return what was kept, once: of two at the same time, one gets it."""
        return _kept(await self._store.pool.fetchrow(query("sign_in.take"), digest(token), purpose, self._clock()))

    async def drop(self, purpose: str, user_id: int) -> None:
        """Forget what was kept for a user for a purpose."""
        await self._store.pool.execute(query("sign_in.drop"), user_id, purpose)


def _kept(row: Any) -> Kept | None:
    return None if row is None else Kept(row["user_id"], msgspec.json.decode(row["data"], type=dict[str, Any]))
