"""What users, their ways to sign in, their access to companies and their API tokens may live through."""

from __future__ import annotations

from typing import Any

from domain.api_token_events import TokenChanged, TokenCreated, TokenRevoked
from domain.event import Event
from domain.membership_events import MembershipGranted, MembershipRevoked
from domain.sign_in_events import SignedIn, SignedOut, SignInFailed
from domain.user_events import (
    IdentityLinked,
    IdentityUnlinked,
    PasskeyAdded,
    PasskeyRemoved,
    PasswordSet,
    RecoveryCodesMade,
    RecoveryCodeUsed,
    RoleGranted,
    RoleRevoked,
    TotpDisabled,
    TotpEnabled,
    UserChanged,
    UserCreated,
    UserRemoved,
)
from tests.projections.history import History, moment, pick

LOGINS = ("jane", "john", "josef")
ROLES = ("user", "admin", "super_admin")
WAYS = ("first", "second")
"""Names of passkeys and of accounts elsewhere: each signs one user in at a time."""


def create_user(now: History, a: int, b: int) -> None:
    user = 1000 - now.next_id()  # a later one may have a smaller id
    login = LOGINS[a % 3] if LOGINS[a % 3] not in now.users.values() else f"user-{user}"
    now.users[user] = login
    email = f"{login}@example.org" if b % 2 else None
    created = UserCreated(
        user_id=user, uuid=f"uuid-{user}", login=login, login_key=f"key-{login}", email=email,
        email_key=email and f"key-{email}", language="cs" if b % 3 else None,
    )  # fmt: skip
    roles = [RoleGranted(user_id=user, role=ROLES[b % 3])] if b else []
    now.happen(now.one("user", user, None, created, *roles))


def change_user(now: History, a: int, b: int) -> None:
    user = pick(now.users, a)
    changes: tuple[dict[str, Any], ...] = (
        {"enabled": bool(a % 2)},
        {"first_name": "Jana", "last_name": None},
        {"email": None, "email_key": None},
        {"language": "en", "enabled": False},
    )
    now.happen(now.one("user", user, None, UserChanged(user_id=user, **changes[b % 4])))


def swap_logins(now: History, a: int, b: int) -> None:
    first, second = pick(now.users, a), pick(now.users, b)
    if first != second:
        logins = now.users[first], now.users[second]
        for user, login in ((first, "between"), (second, logins[0]), (first, logins[1])):
            changed = UserChanged(user_id=user, login=login, login_key=f"key-{login}")
            now.happen(now.one("user", user, None, changed))
        now.users[first], now.users[second] = logins[1], logins[0]


def change_ways_in(now: History, a: int, b: int) -> None:
    user = pick(now.users, a)
    events: tuple[Event, ...] = (
        PasswordSet(user_id=user, password="hash", cause="changed", set_at=moment(b)),
        PasswordSet(user_id=user, password="hash", cause="upgraded", set_at=moment(a)),
        PasswordSet(user_id=user, password=None, cause="set", set_at=moment(b)),
        TotpEnabled(user_id=user, secret="base32", enabled_at=moment(b)),
        TotpDisabled(user_id=user),
        RecoveryCodesMade(user_id=user, digests=["d", "e"]),
        RecoveryCodeUsed(user_id=user, digest="d"),
    )
    now.happen(now.one("user", user, None, events[(a + b) % 7]))


def grant_or_revoke_role(now: History, a: int, b: int) -> None:
    """Grant a role or take it away: both may come again and again."""
    user, role = pick(now.users, a), ROLES[b % 3]
    event: Event = RoleRevoked(user_id=user, role=role)
    if (a + b) % 3:
        event = RoleGranted(user_id=user, role=role, until=moment(a) if b % 2 else None)
    now.happen(now.one("user", user, None, event))


def add_or_remove_passkey(now: History, a: int, b: int) -> None:
    name = WAYS[b % 2]
    held_by = now.passkeys.pop(name, None)
    if held_by is not None:
        now.happen(now.one("user", held_by, None, PasskeyRemoved(user_id=held_by, credential_id=name)))
    if held_by is None or a % 2:
        user = now.passkeys[name] = pick(now.users, a)
        added = PasskeyAdded(
            user_id=user, credential_id=name, public_key="cose", name="Telephone", transports=["usb"],
            added_at=moment(b),
        )  # fmt: skip
        now.happen(now.one("user", user, None, added))


def link_or_unlink_identity(now: History, a: int, b: int) -> None:
    key, issuer = WAYS[b % 2], "https://id.example.org"
    held_by = now.identities.pop(key, None)
    if held_by is not None:
        unlinked = IdentityUnlinked(user_id=held_by, issuer=issuer, subject_key=key)
        now.happen(now.one("user", held_by, None, unlinked))
    if held_by is None or a % 2:
        user = now.identities[key] = pick(now.users, a)
        linked = IdentityLinked(user_id=user, issuer=issuer, subject="sub", subject_key=key, linked_at=moment(b))
        now.happen(now.one("user", user, None, linked))


def remove_user(now: History, a: int, _: int) -> None:
    """Let a user go, with their memberships; their passkeys and accounts elsewhere are free again."""
    user = pick(now.users, a)
    del now.users[user]
    for held in (now.passkeys, now.identities):
        for name in [name for name, holder in held.items() if holder == user]:
            del held[name]
    gone = [number for (holder, _company), number in now.memberships.items() if holder == user]
    revoked = [
        now.one(
            "membership", number, company, MembershipRevoked(membership_id=number, company_id=company, user_id=user)
        )
        for (holder, company), number in now.memberships.items()
        if number in gone and holder == user
    ]
    now.memberships = {each: number for each, number in now.memberships.items() if number not in gone}
    now.happen(now.one("user", user, None, UserRemoved(user_id=user)), *revoked)


def grant_or_revoke_membership(now: History, a: int, b: int) -> None:
    """Let a user into a company or out of it: both may come again and again."""
    user, company = pick(now.users, a), pick(now.companies, b)
    known = now.memberships.get((user, company))
    number = now.memberships[(user, company)] = now.next_id() if known is None else known
    about: dict[str, Any] = {"membership_id": number, "company_id": company, "user_id": user}
    event: Event = MembershipGranted(**about, role="manager", more=["audit.view"][: b % 2], until=moment(a))
    if known is not None and (a + b) % 2:
        event = MembershipRevoked(**about)
    now.happen(now.one("membership", number, company, event))


def create_token(now: History, a: int, b: int) -> None:
    user, number = pick(now.users, a), now.next_id()
    now.tokens[number] = user
    created = TokenCreated(
        api_token_id=number, user_id=user, digest=f"digest-{number}", name="Nightly" if b % 2 else None,
        permissions=["job.view"] if b % 3 else None, companies=[1] if a % 2 else None, created_at=moment(b),
    )  # fmt: skip
    now.happen(now.one("api_token", number, None, created))


def change_or_revoke_token(now: History, a: int, b: int) -> None:
    number = pick(now.tokens, a)
    user = now.tokens[number]
    event: Event = TokenChanged(api_token_id=number, user_id=user, until=moment(b), digest=f"other-{number}-{b}")
    if b % 2:
        del now.tokens[number]
        event = TokenRevoked(api_token_id=number, user_id=user)
    now.happen(now.one("api_token", number, None, event))


def sign_in_or_out(now: History, a: int, b: int) -> None:
    user = pick(now.users, a)
    events: tuple[Event, ...] = (
        SignedIn(user_id=user, session_id=b, method="passkey", address="192.0.2.7"),
        SignInFailed(user_id=user, reason="password", address="192.0.2.7"),
        SignedOut(user_id=user, session_ids=[b], cause="revoked"),
    )
    now.happen(now.one("sign_in", user, None, events[b % 3]))
