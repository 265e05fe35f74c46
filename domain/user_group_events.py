"""Events of a group of users: stream ``user_group-ID``. What its members may do in a company, a membership tells."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from domain.event import UNSET, Event, Unset


class UserGroupEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a group."""

    category: ClassVar[str] = "user_group"

    user_group_id: int


class GroupCreated(UserGroupEvent, frozen=True, kw_only=True):
    """A group was made."""

    name: str
    description: str | None = None


class GroupChanged(UserGroupEvent, frozen=True, kw_only=True):
    """Some fields of a group were changed; those that are unset stay as they were."""

    name: str | Unset = UNSET
    description: str | Unset | None = UNSET


class GroupRemoved(UserGroupEvent, frozen=True, kw_only=True):
    """A group is gone, and what its members could do by it."""


class GroupMemberAdded(UserGroupEvent, frozen=True, kw_only=True):
    """A user is in a group, until a moment if one is given."""

    user_id: int
    until: datetime | None = None


class GroupMemberRemoved(UserGroupEvent, frozen=True, kw_only=True):
    """A user is no longer in a group."""

    user_id: int
