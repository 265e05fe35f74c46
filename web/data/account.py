"""The account of the user who looks at it, as their events left it."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import datetime

import msgspec

from domain import user
from domain.user import User
from domain.user_events import UserEvent
from eventstore.store import EventStore
from web.data.access_shown import OwnIdentity, OwnSession, OwnToken, identities_of
from web.errors import N_, NotFoundError

GOOD_FOR = 900
"""Seconds that a step of setting something up is good for."""


class PasskeyShown(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey of the user."""

    id: str
    name: str
    added_at: datetime


class AccountShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of the own account shows."""

    id: int
    login: str
    has_password: bool
    second_factor: bool
    recovery_codes: int
    passkeys: list[PasskeyShown]
    sessions: list[OwnSession]
    tokens: list[OwnToken]
    identities: list[OwnIdentity]


async def load(store: EventStore, user_id: int) -> User:
    """Read the user from the log, so that what was just changed is seen.

    Raises
    ------
    NotFoundError
        There is no such user any more.
    """
    state: User | None = None
    async for recorded in store.read_stream(f"user-{user_id}"):
        if isinstance(recorded.event, UserEvent):
            state = user.evolve(state, recorded.event)
    if state is None or state.removed:
        raise NotFoundError(N_("There is no user {id}."), id=user_id)
    return state


def shown(state: User, sessions: list[OwnSession], tokens: list[OwnToken]) -> AccountShown:
    """Return what the page shows of a user."""
    return AccountShown(
        id=state.user_id,
        login=str(state.login),
        has_password=state.password is not None,
        second_factor=state.totp is not None,
        recovery_codes=len(state.recovery),
        passkeys=[
            PasskeyShown(id=each.credential_id, name=str(each.name), added_at=each.added_at)
            for each in state.passkeys.values()
        ],
        sessions=sessions,
        tokens=tokens,
        identities=identities_of(state),
    )


def sealed(secret: str, purpose: str, user_id: int, value: str, now: float | None = None) -> str:
    """Return a value that the browser keeps for a step and cannot change: with its end and a mark over all of it.

    Parameters
    ----------
    secret : str
        That of the forms.
    purpose : str
        What it is for; it is good for nothing else.

    Examples
    --------
    >>> token = sealed("s", "totp", 5, "ABC")
    >>> opened("s", "totp", 5, token), opened("s", "passkey", 5, token), opened("s", "totp", 6, token)
    ('ABC', None, None)
    """
    end = int((time.time() if now is None else now) + GOOD_FOR)
    return f"{value}.{end}.{_mark(secret, purpose, user_id, value, end)}"


def opened(secret: str, purpose: str, user_id: int, token: str, now: float | None = None) -> str | None:
    """Return the value of a token, None if it is of another user or purpose, altered, or too old."""
    value, _, rest = token.partition(".")
    end, _, mark = rest.partition(".")
    if not (end.isascii() and end.isdigit() and len(end) < 15):
        return None
    good = hmac.compare_digest(mark.encode(), _mark(secret, purpose, user_id, value, int(end)).encode())
    return value if good and int(end) >= (time.time() if now is None else now) else None


def _mark(secret: str, purpose: str, user_id: int, value: str, end: int) -> str:
    text = f"{purpose}|{user_id}|{value}|{end}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
