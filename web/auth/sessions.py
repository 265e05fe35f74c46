"""Sessions: rows in the database that a random id in a cookie stands for. Whoever has the database has no id.

A session ends when it is not used for a while, when it gets too old, when its user signs out, is disabled or gets
another password, and when it is revoked; each request asks anew.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from domain.event import Erased
from domain.sign_in_events import SignedIn, SignedOut
from eventstore.keyring import Keyring
from eventstore.log import Append, Meta
from eventstore.store import EventStore
from web.auth.settings import SignInSettings
from web.queries import query

Clock = Callable[[], datetime]

LONGEST_AGENT = 300

OPENID = "openid"
"""Method of signing in by an account at a provider."""

PROOF_LASTS = 600.0
"""Seconds for which the proof of a user without a password is good."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is good.

    Attributes
    ----------
    id, user_id : int
        The session and its user.
    login : str
        Login of the user.
    language : str or None
        Language of the user, where they chose one.
    method : str
        How they signed in.
    proved_at : datetime or None
        When they last proved here who they are; None: a provider told, which may have known them from before.
    rotated_at : datetime
        When its id was last changed.
    current : bool
        Whether the cookie holds its newest id, not the one before.
    """

    id: int
    user_id: int
    login: str
    language: str | None
    method: str
    proved_at: datetime | None
    rotated_at: datetime
    current: bool


class SessionShown(msgspec.Struct, frozen=True, kw_only=True):
    """A session in the list of its user."""

    id: int
    method: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str | None
    agent: str | None


class Sessions:
    """The sessions of an installation.

    Parameters
    ----------
    store : EventStore
        Acts for the whole installation.
    settings : SignInSettings
        How long sessions last.
    clock : Clock
        Gives the moment.
    """

    def __init__(self, store: EventStore, settings: SignInSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock

    async def open(
        self, user_id: int, method: str, *, address: str | None, agent: str | None, password_at: datetime | None = None
    ) -> str:
        """Open a session and return its id, which the cookie holds: a fresh one for each time somebody signs in.

        ``password_at`` is when the password was set that was given: if it has been changed meanwhile, the session is
        void from the beginning.
        """
        token = secrets.token_urlsafe(32)
        pool = self._store.pool
        session_id: int = await pool.fetchval(
            query("sign_in.open"),
            digest(token),
            user_id,
            method,
            self._clock(),
            self._settings.longest,
            password_at,
            method != OPENID,
        )
        owner = f"user:{user_id}"
        key = await self._store.keyring.ensure(owner)
        sealed = [
            msgspec.json.encode(self._store.keyring.seal(key, owner, place(session_id, field), text)).decode()
            if text
            else None
            for field, text in (("address", address), ("agent", agent and agent[:LONGEST_AGENT]))
        ]
        await pool.execute(query("sign_in.describe"), session_id, *sealed)
        event = SignedIn(user_id=user_id, session_id=session_id, method=method, address=address)
        await self._append(user_id, event)
        return token

    async def find(self, token: str) -> Session | None:
        """Return the session of a cookie, None if it is not good."""
        row = await self._store.pool.fetchrow(query("sign_in.find"), digest(token), self._clock(), self._settings.idle)
        if row is None:
            return None
        place_of_login = f"user-{row['user_id']}|login"
        [login] = await self._store.keyring.reveal([(msgspec.json.decode(row["login"]), place_of_login)])
        return Session(
            id=row["id"],
            user_id=row["user_id"],
            login=login if isinstance(login, str) else "",
            language=row["language"],
            method=row["method"],
            proved_at=row["proved_at"],
            rotated_at=row["rotated_at"],
            current=row["current"],
        )

    async def rotated(self, session: Session, token: str) -> str | None:
        """Give a session another id if it is time, and return it; the one before is good for half a minute more."""
        age = (self._clock() - session.rotated_at).total_seconds()
        if not session.current or age < self._settings.rotation:
            return None
        fresh = secrets.token_urlsafe(32)
        done = await self._store.pool.fetchval(
            query("sign_in.rotate"), session.id, digest(fresh), digest(token), self._clock()
        )
        return fresh if done is not None else None

    def fresh(self, session: Session) -> bool:
        """Tell whether the user of a session has proved of late who they are."""
        proved_at = session.proved_at
        return proved_at is not None and (self._clock() - proved_at).total_seconds() <= PROOF_LASTS

    async def prove(self, session: Session) -> None:
        """Note that the user has just proved who they are: the session outlives a change of their own password."""
        await self._store.pool.execute(query("sign_in.proved"), session.id, self._clock())

    async def of_user(self, user_id: int) -> list[SessionShown]:
        """Return the sessions of a user that are good, the one that was used last first."""
        rows = await self._store.pool.fetch(query("sign_in.sessions"), user_id, self._clock(), self._settings.idle)
        clear = await revealed(self._store.keyring, rows)
        return [
            SessionShown(
                id=row["id"],
                method=row["method"],
                created_at=row["created_at"],
                seen_at=row["seen_at"],
                expires_at=row["expires_at"],
                address=address,
                agent=agent,
            )
            for row, (address, agent) in zip(rows, clear, strict=True)
        ]

    async def close(
        self, user_id: int, session_id: int | None = None, *, but: int | None = None, cause: str = "revoked"
    ) -> list[int]:
        """End a session of a user, or all of them but one, at once; return which ended."""
        rows = await self._store.pool.fetch(query("sign_in.close"), user_id, session_id, but)
        ended = [row["id"] for row in rows]
        if ended:
            await self._append(user_id, SignedOut(user_id=user_id, session_ids=sorted(ended), cause=cause))
        return ended

    async def _append(self, user_id: int, event: SignedIn | SignedOut) -> None:
        meta = Meta(actor=f"user:{user_id}", source="web")
        await self._store.append(Append(stream=f"sign_in-{user_id}", events=[event]), meta=meta)


def digest(token: str) -> bytes:
    """Return the digest by which the id of a session is known; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def place(session_id: int, field: str) -> str:
    """Return what a ciphertext of a session is bound to."""
    return f"session-{session_id}|{field}"


async def revealed(keyring: Keyring, rows: list[Any]) -> list[tuple[str | None, str | None]]:
    """Return the address and the browser of sessions in clear; None where there is none or it was erased."""
    sealed = [
        (None if row[field] is None else msgspec.json.decode(row[field]), place(row["id"], field))
        for row in rows
        for field in ("address", "agent")
    ]
    clear = [None if isinstance(text, Erased) else text for text in await keyring.reveal(sealed)]
    return list(zip(clear[::2], clear[1::2], strict=True))
