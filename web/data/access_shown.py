"""What lets a user in, as the page of their account lists it: sessions, API tokens, accounts elsewhere."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.event import Erased
from domain.user import User
from eventstore.keyring import Keyring
from projections.queries import query
from web.auth.sessions import Session, Sessions
from web.database import Connection

MOST_TOKENS = 500


class OwnSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session of the user; ``current`` is the one that looks at the page."""

    id: int
    method: str
    created_at: datetime
    seen_at: datetime
    address: str | None
    device: str | None
    current: bool


class OwnToken(msgspec.Struct, frozen=True, kw_only=True):
    """An API token of the user."""

    id: int
    name: str | None
    created_at: datetime
    until: datetime | None
    used_at: datetime | None
    permissions: list[str] | None
    companies: list[int] | None
    active: bool


class OwnIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """An account at an OpenID provider that signs the user in."""

    key: str
    issuer: str
    subject: str | None


async def sessions_of(sessions: Sessions, user_id: int, session: Session | None) -> list[OwnSession]:
    """Return the sessions of a user, the one that looks first."""
    found = [
        OwnSession(
            id=each.id,
            method=each.method,
            created_at=each.created_at,
            seen_at=each.seen_at,
            address=each.address,
            device=None if each.agent is None else device_of(each.agent),
            current=session is not None and each.id == session.id,
        )
        for each in await sessions.of_user(user_id)
    ]
    return sorted(found, key=lambda each: not each.current)


async def tokens_of(connection: Connection, keyring: Keyring, user_id: int) -> list[OwnToken]:
    """Return the API tokens of a user, the newest first."""
    rows = await connection.fetch(query("token.list"), MOST_TOKENS, 0, True, user_id, None)
    sealed = [
        (None if row["name"] is None else msgspec.json.decode(row["name"]), f"api_token-{row['id']}|name")
        for row in rows
    ]
    names = await keyring.reveal(sealed)
    return [
        OwnToken(
            id=row["id"],
            name=None if isinstance(name, Erased) else name,
            created_at=row["start"],
            until=row["until"],
            used_at=row["used_at"],
            permissions=row["permissions"],
            companies=row["companies"],
            active=row["active"],
        )
        for row, name in zip(rows, names, strict=True)
    ]


def identities_of(state: User) -> list[OwnIdentity]:
    """Return the accounts elsewhere that sign a user in."""
    return [
        OwnIdentity(key=key, issuer=issuer, subject=None if isinstance(subject, Erased) else str(subject))
        for key, (issuer, subject) in state.identities.items()
    ]


BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device_of(agent: str) -> str:
    """Return what people call a browser that says of itself what it is; the beginning of that if it is none of these.

    Examples
    --------
    >>> device_of("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"), device_of("curl/8.5.0")
    ('Firefox, Linux', 'curl/8.5.0')
    """
    browser = next((name for sign, name in BROWSERS if sign in agent), None)
    system = next((name for sign, name in SYSTEMS if sign in agent), None)
    return ", ".join(part for part in (browser, system) if part) or agent[:60]
