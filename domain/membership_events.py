"""Events of a membership, the access of a user to a company: stream ``membership-ID``."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain.event import Event


class MembershipEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a membership."""

    category: ClassVar[str] = "membership"

    membership_id: int
    company_id: int
    user_id: int


class MembershipGranted(MembershipEvent, frozen=True, kw_only=True):
    """A user has a role in a company, until a moment if one is given.

    ``more`` are permissions beyond those of the role, ``less`` are those of it that the user does not have.
    """

    role: str
    until: datetime | None = None
    more: list[str] = msgspec.field(default_factory=list[str])
    less: list[str] = msgspec.field(default_factory=list[str])


class MembershipRevoked(MembershipEvent, frozen=True, kw_only=True):
    """A user no longer has access to a company."""
