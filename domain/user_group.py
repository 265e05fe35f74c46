"""A group of users: what a group may do in a company, each of its members may.

Examples
--------
>>> [created] = decide(None, CreateGroup(user_group_id=3, name="Accountants"))
>>> group = evolve(None, created)
>>> [added] = decide(group, AddGroupMember(user_group_id=3, user_id=5))
>>> group = evolve(group, added)
>>> sorted(group.members), decide(group, AddGroupMember(user_group_id=3, user_id=5))
([5], [])
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain import checks
from domain.command import Command, changes, given, moment, set_fields, where_set
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import UNSET, Unset
from domain.user import future
from domain.user_group_events import (
    GroupChanged,
    GroupCreated,
    GroupMemberAdded,
    GroupMemberRemoved,
    GroupRemoved,
    UserGroupEvent,
)

LONGEST_NAME = 100
LONGEST_DESCRIPTION = 2_000


class UserGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group as its events left it; ``members``: until when each user is in it, None: for good."""

    user_group_id: int
    name: str
    description: str | None = None
    members: dict[int, datetime | None] = {}
    removed: bool = False


class UserGroupCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a group."""

    category: ClassVar[str] = "user_group"

    user_group_id: int


class CreateGroup(UserGroupCommand, frozen=True, kw_only=True):
    """Make a group. The executor gives ``user_group_id``."""

    creates: ClassVar[bool] = True

    name: str
    description: str | None = None
    user_group_id: int = 0


class ChangeGroup(UserGroupCommand, frozen=True, kw_only=True):
    """Change some fields of a group; None empties one, unset leaves it as it is."""

    name: str | Unset = UNSET
    description: str | Unset | None = UNSET


class RemoveGroup(UserGroupCommand, frozen=True, kw_only=True):
    """Let a group go, and what its members can do by it."""


class AddGroupMember(UserGroupCommand, frozen=True, kw_only=True):
    """Put a user into a group, until a moment if one is given."""

    user_id: int
    until: datetime | None = None
    now: datetime | None = None


class RemoveGroupMember(UserGroupCommand, frozen=True, kw_only=True):
    """Take a user out of a group."""

    user_id: int


def decide(state: UserGroup | None, command: UserGroupCommand) -> list[UserGroupEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    if isinstance(command, CreateGroup):
        return _create(state, command)
    group = _present(state, command.user_group_id)
    match command:
        case ChangeGroup():
            changed = changes(
                group,
                {
                    "name": where_set(command.name, _name),
                    "description": where_set(command.description, _description),
                },
            )
            return [GroupChanged(user_group_id=group.user_group_id, **changed)] if changed else []
        case RemoveGroup():
            return [GroupRemoved(user_group_id=group.user_group_id)]
        case AddGroupMember():
            return _add(group, command)
        case RemoveGroupMember():
            if command.user_id not in group.members:
                raise NotFoundError(
                    f"User {command.user_id} is not in group {group.user_group_id}.",
                    field="user_id",
                    code="group_member_not_found",
                )
            return [GroupMemberRemoved(user_group_id=group.user_group_id, user_id=command.user_id)]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a group.")


def evolve(state: UserGroup | None, event: UserGroupEvent) -> UserGroup:
    """Return the group as an event leaves it."""
    match event:
        case GroupCreated():
            return UserGroup(user_group_id=event.user_group_id, name=event.name, description=event.description)
        case GroupChanged() if state is not None:
            return msgspec.structs.replace(state, **set_fields(event, ("name", "description")))
        case GroupRemoved() if state is not None:
            return msgspec.structs.replace(state, removed=True, members={})
        case GroupMemberAdded() if state is not None:
            return msgspec.structs.replace(state, members={**state.members, event.user_id: event.until})
        case GroupMemberRemoved() if state is not None:
            rest = {user_id: until for user_id, until in state.members.items() if user_id != event.user_id}
            return msgspec.structs.replace(state, members=rest)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _present(state: UserGroup | None, user_group_id: int) -> UserGroup:
    if state is None or state.removed:
        raise NotFoundError(
            f"There is no group {user_group_id}. `user-group:list` shows those there are.",
            field="user_group_id",
            code="user_group_not_found",
        )
    return state


def _create(state: UserGroup | None, command: CreateGroup) -> list[UserGroupEvent]:
    user_group_id = given(command.user_group_id, "user_group_id")
    if state is not None:
        raise StateError(f"Group {user_group_id} exists already.", field="user_group_id", code="user_group_exists")
    return [
        GroupCreated(
            user_group_id=user_group_id, name=_name(command.name), description=_description(command.description)
        )
    ]


def _add(group: UserGroup, command: AddGroupMember) -> list[UserGroupEvent]:
    user_id = given(command.user_id, "user_id")
    until = None if command.until is None else future(command.until, moment(command.now))
    if user_id in group.members and group.members[user_id] == until:
        return []
    return [GroupMemberAdded(user_group_id=group.user_group_id, user_id=user_id, until=until)]


def _name(name: str) -> str:
    cleaned = checks.optional_line(name, "name")
    if cleaned is None or len(cleaned) > LONGEST_NAME:
        raise ValidationError(
            f"The name of a group has 1 to {LONGEST_NAME} characters.", field="name", code="name_invalid"
        )
    return cleaned


def _description(text: str | None) -> str | None:
    cleaned = None if text is None else checks.text(text.strip(), "description")
    if cleaned is not None and len(cleaned) > LONGEST_DESCRIPTION:
        raise ValidationError(
            f"The description of a group has at most {LONGEST_DESCRIPTION} characters.", field="description"
        )
    return cleaned or None
