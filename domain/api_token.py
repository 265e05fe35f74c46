"""An API token: by it a program acts as a user, for as long and as far as the user let it.

Examples
--------
>>> from datetime import UTC, datetime
>>> noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
>>> wish = CreateToken(api_token_id=3, user_id=5, digest="0" * 64, permissions=("job.view",), companies=(7,), now=noon)
>>> [created] = decide(None, wish)
>>> token = evolve(None, created)
>>> token.companies, [type(event).__name__ for event in decide(token, RevokeToken(api_token_id=3))]
((7,), ['TokenRevoked'])
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar

import msgspec

from domain import checks
from domain.api_token_events import ApiTokenEvent, TokenChanged, TokenCreated, TokenRevoked
from domain.command import Command, changes, given, moment, set_fields, where_set
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import UNSET, Personal, Unset
from domain.permissions import EVERYTHING
from domain.user import future

_DIGEST = re.compile(r"[0-9a-f]{64}")


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """An API token as its events left it."""

    api_token_id: int
    user_id: int
    digest: str
    name: Personal | None = None
    permissions: tuple[str, ...] | None = None
    companies: tuple[int, ...] | None = None
    until: datetime | None = None
    revoked: bool = False


class ApiTokenCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of an API token."""

    category: ClassVar[str] = "api_token"

    api_token_id: int


class CreateToken(ApiTokenCommand, frozen=True, kw_only=True):
    """Let a user act by a token, which is told by its SHA-256 (hex)."""

    creates: ClassVar[bool] = True

    user_id: int
    digest: str
    name: str | None = None
    permissions: tuple[str, ...] | None = None
    companies: tuple[int, ...] | None = None
    until: datetime | None = None
    api_token_id: int = 0
    now: datetime | None = None


class ChangeToken(ApiTokenCommand, frozen=True, kw_only=True):
    """Give a token another value, name or end."""

    digest: str | Unset = UNSET
    name: str | Unset | None = UNSET
    until: datetime | Unset | None = UNSET
    now: datetime | None = None


class RevokeToken(ApiTokenCommand, frozen=True, kw_only=True):
    """Make a token void, at once."""


def decide(state: ApiToken | None, command: ApiTokenCommand) -> list[ApiTokenEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    match command:
        case CreateToken():
            return _create(state, command)
        case ChangeToken():
            return _change(_present(state, command.api_token_id), command)
        case RevokeToken():
            token = _present(state, command.api_token_id)
            return [TokenRevoked(api_token_id=token.api_token_id, user_id=token.user_id)]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of an API token.")


def evolve(state: ApiToken | None, event: ApiTokenEvent) -> ApiToken:
    """Return the token as an event leaves it."""
    match event:
        case TokenCreated():
            return ApiToken(
                api_token_id=event.api_token_id,
                user_id=event.user_id,
                digest=event.digest,
                name=event.name,
                permissions=None if event.permissions is None else tuple(event.permissions),
                companies=None if event.companies is None else tuple(event.companies),
                until=event.until,
            )
        case TokenChanged() if state is not None:
            return msgspec.structs.replace(state, **set_fields(event, ("digest", "name", "until")))
        case TokenRevoked() if state is not None:
            return msgspec.structs.replace(state, revoked=True)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _present(state: ApiToken | None, api_token_id: int) -> ApiToken:
    if state is None or state.revoked:
        raise NotFoundError(
            f"There is no token {api_token_id}. `token:list` shows those there are.",
            field="api_token_id",
            code="token_not_found",
        )
    return state


def _create(state: ApiToken | None, command: CreateToken) -> list[ApiTokenEvent]:
    if state is not None:
        raise StateError(f"Token {command.api_token_id} exists already.", code="token_exists")
    return [
        TokenCreated(
            api_token_id=given(command.api_token_id, "api_token_id"),
            user_id=given(command.user_id, "user_id"),
            digest=_digest(command.digest),
            name=checks.optional_line(command.name, "name"),
            permissions=None if command.permissions is None else _permissions(command.permissions),
            companies=None if command.companies is None else sorted(set(command.companies)),
            until=None if command.until is None else future(command.until, moment(command.now)),
            created_at=moment(command.now),
        )
    ]


def _change(state: ApiToken, command: ChangeToken) -> list[ApiTokenEvent]:
    now = moment(command.now)
    changed = changes(
        state,
        {
            "digest": where_set(command.digest, _digest),
            "name": where_set(command.name, lambda name: checks.optional_line(name, "name")),
            "until": where_set(command.until, lambda until: None if until is None else future(until, now)),
        },
    )
    return [TokenChanged(api_token_id=state.api_token_id, user_id=state.user_id, **changed)] if changed else []


def _digest(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise ValueError("The digest of a token is a SHA-256 in hex.")
    return digest


def _permissions(names: tuple[str, ...]) -> list[str]:
    wanted = {name.strip() for name in names}
    for name in sorted(wanted - EVERYTHING.keys()):
        raise ValidationError(
            f"There is no permission “{name[:60]}”. There are: {', '.join(EVERYTHING)}.",
            field="permissions",
            code="permission_unknown",
        )
    return sorted(wanted)
