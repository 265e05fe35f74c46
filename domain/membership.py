"""A membership: what a user, or each user of a group, may do in a company, and until when.

There is one for each user or group and company, granted anew at will.

Examples
--------
>>> wish = GrantMembership(membership_id=3, user_id=5, company_id=7, role="viewer", less=("output.view",))
>>> [granted] = decide(None, wish)
>>> membership = evolve(None, granted)
>>> decide(membership, wish), [type(event).__name__ for event in decide(membership, RevokeMembership(membership_id=3))]
([], ['MembershipRevoked'])
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

import msgspec

from domain import checks
from domain.command import Command, given, moment
from domain.errors import NotFoundError, ValidationError
from domain.membership_events import MembershipEvent, MembershipGranted, MembershipRevoked
from domain.permissions import COMPANY_ROLES, OF_COMPANY
from domain.user import future


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """A membership as its events left it."""

    membership_id: int
    company_id: int
    user_id: int | None = None
    user_group_id: int | None = None
    role: str
    until: datetime | None = None
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    revoked: bool = False


class MembershipCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a membership."""

    category: ClassVar[str] = "membership"

    membership_id: int


class GrantMembership(MembershipCommand, frozen=True, kw_only=True):
    """Give a user or a group a role in a company, in place of the one they have there.

    The executor finds ``membership_id``.

    ``founding`` marks the grant to who sets the company up, which is not there before.
    """

    creates: ClassVar[bool] = True

    company_id: int
    user_id: int | None = None
    user_group_id: int | None = None
    role: str = "viewer"
    until: datetime | None = None
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    founding: bool = False
    membership_id: int = 0
    now: datetime | None = None


class RevokeMembership(MembershipCommand, frozen=True, kw_only=True):
    """Take the access of a user or a group to a company away. Named by its id, or by user or group and company."""

    membership_id: int = 0
    user_id: int | None = None
    user_group_id: int | None = None
    company_id: int = 0


def decide(state: Membership | None, command: MembershipCommand) -> list[MembershipEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    match command:
        case GrantMembership():
            return _grant(state, command)
        case RevokeMembership():
            if state is None or state.revoked:
                raise NotFoundError(
                    "There is no such access to this company.", field="user_id", code="membership_not_found"
                )
            return [
                MembershipRevoked(
                    membership_id=state.membership_id,
                    company_id=state.company_id,
                    user_id=state.user_id,
                    user_group_id=state.user_group_id,
                )
            ]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a membership.")


def evolve(state: Membership | None, event: MembershipEvent) -> Membership:
    """Return the membership as an event leaves it."""
    match event:
        case MembershipGranted():
            return Membership(
                membership_id=event.membership_id,
                company_id=event.company_id,
                user_id=event.user_id,
                user_group_id=event.user_group_id,
                role=event.role,
                until=event.until,
                more=tuple(event.more),
                less=tuple(event.less),
            )
        case MembershipRevoked() if state is not None:
            return msgspec.structs.replace(state, revoked=True)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _grant(state: Membership | None, command: GrantMembership) -> list[MembershipEvent]:
    if (command.user_id is None) == (command.user_group_id is None):
        raise ValidationError(
            "Who is to have access? Name a user or a group.", field="user_id", code="membership_of_whom"
        )
    granted = MembershipGranted(
        membership_id=given(command.membership_id, "membership_id"),
        company_id=given(command.company_id, "company_id"),
        user_id=command.user_id,
        user_group_id=command.user_group_id,
        role=company_role(command.role),
        until=None if command.until is None else future(command.until, moment(command.now)),
        more=permission_names(command.more),
        less=permission_names(command.less),
    )
    return [] if state is not None and evolve(None, granted) == state else [granted]


def company_role(role: str) -> str:
    """Return a role in a company in its own spelling.

    Raises
    ------
    ValidationError
        There is none of that name.
    """
    return checks.one_of(role, "role", COMPANY_ROLES)


def permission_names(names: Iterable[str]) -> list[str]:
    """Return permissions that can be held in a company, in their order, each once.

    Raises
    ------
    ValidationError
        One of them cannot.
    """
    wanted = {name.strip() for name in names}
    for name in sorted(wanted - OF_COMPANY.keys()):
        raise ValidationError(
            f"There is no permission “{name[:60]}” in a company. There are: {', '.join(OF_COMPANY)}.",
            field="permissions",
            code="permission_unknown",
        )
    return sorted(wanted)
