"""Events of a request for access to a company: stream ``access_request-ID``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from domain.event import Event, Personal

_USER = {"reason": "user:{user_id}"}


class AccessRequestEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a request; ``user_id`` is who asked."""

    category: ClassVar[str] = "access_request"

    access_request_id: int
    company_id: int
    user_id: int


class AccessRequested(AccessRequestEvent, frozen=True, kw_only=True):
    """A user asked for a role in a company, until a moment if one is given."""

    personal: ClassVar[Mapping[str, str]] = _USER

    role: str
    until: datetime | None = None
    reason: Personal | None = None


class RequestWithdrawn(AccessRequestEvent, frozen=True, kw_only=True):
    """Who asked for access no longer wishes it."""


class RequestApproved(AccessRequestEvent, frozen=True, kw_only=True):
    """The access was granted, by a membership that began with it."""

    role: str
    until: datetime | None = None


class RequestRefused(AccessRequestEvent, frozen=True, kw_only=True):
    """The access was not granted."""

    personal: ClassVar[Mapping[str, str]] = _USER

    reason: Personal | None = None
