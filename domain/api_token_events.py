"""Events of an API token: stream ``api_token-ID``. The token itself is nowhere, only its SHA-256."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from domain.event import UNSET, Event, Personal, Unset


class ApiTokenEvent(Event, frozen=True, kw_only=True):
    """Base of the events of an API token."""

    category: ClassVar[str] = "api_token"

    api_token_id: int
    user_id: int


class TokenCreated(ApiTokenEvent, frozen=True, kw_only=True):
    """A user can act by a token, until a moment; None in ``permissions`` or ``companies``: all that the user has."""

    personal: ClassVar[Mapping[str, str]] = {"name": "user:{user_id}"}

    digest: str
    name: Personal | None = None
    permissions: list[str] | None = None
    companies: list[int] | None = None
    until: datetime | None = None
    created_at: datetime


class TokenChanged(ApiTokenEvent, frozen=True, kw_only=True):
    """A token has another value, name or end."""

    personal: ClassVar[Mapping[str, str]] = {"name": "user:{user_id}"}

    digest: str | Unset = UNSET
    name: Personal | Unset | None = UNSET
    until: datetime | Unset | None = UNSET


class TokenRevoked(ApiTokenEvent, frozen=True, kw_only=True):
    """A token is void."""
