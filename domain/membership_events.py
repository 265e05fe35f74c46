"""Events of a membership, the access of a user or of a group of users to a company: stream ``membership-ID``."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain.event import Event


class MembershipEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a membership: that of a user, or that of a group."""

    category: ClassVar[str] = "membership"

    membership_id: int
    company_id: int
    user_id: int | None = None
    user_group_id: int | None = None


class MembershipGranted(MembershipEvent, frozen=True, kw_only=True):
    """A user, or each user of a group, has a role in a company, until a moment if one is given.

    ``more`` are permissions beyond those of the role, ``less`` are those of it that the user does not have.
    """

    role: str
    until: datetime | None = None
    more: list[str] = msgspec.field(default_factory=list[str])
    less: list[str] = msgspec.field(default_factory=list[str])


class MembershipRevoked(MembershipEvent, frozen=True, kw_only=True):
    """A user, or a group, no longer has access to a company."""
