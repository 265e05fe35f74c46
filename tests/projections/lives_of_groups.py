"""What groups of users, their access to companies and requests for access may live through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from domain.access_request_events import AccessRequested, RequestApproved, RequestRefused, RequestWithdrawn
from domain.event import Event
from domain.membership_events import MembershipGranted, MembershipRevoked
from domain.user_group_events import (
    GroupChanged,
    GroupCreated,
    GroupMemberAdded,
    GroupMemberRemoved,
    GroupRemoved,
)
from tests.projections.history import History, moment, pick

ROLES = ("viewer", "manager", "admin")


def create_group(now: History, a: int, b: int) -> None:
    group = now.next_id()
    now.groups[group] = set()
    created = GroupCreated(user_group_id=group, name=f"Group {group}", description="Some" if b % 2 else None)
    events: list[Event] = [created]
    if now.users and a % 2:
        user = pick(now.users, a)
        now.groups[group].add(user)
        events.append(GroupMemberAdded(user_group_id=group, user_id=user))
    now.happen(now.one("user_group", group, None, *events))


def change_group(now: History, a: int, b: int) -> None:
    group = pick(now.groups, a)
    name = f"Name {now.next_id()}"
    changes: tuple[dict[str, Any], ...] = ({"name": name}, {"description": None}, {"description": "Other"})
    now.happen(now.one("user_group", group, None, GroupChanged(user_group_id=group, **changes[b % 3])))


def swap_groups(now: History, a: int, b: int) -> None:
    """Let a group take the name of another that goes with it, or gave it up before."""
    first, second = pick(now.groups, a), pick(now.groups, b)
    if first == second:
        return
    for group, name in ((first, "Between"), (second, f"Name {now.next_id()}"), (first, f"Last {now.next_id()}")):
        now.happen(now.one("user_group", group, None, GroupChanged(user_group_id=group, name=name)))


def remove_group(now: History, a: int, _: int) -> None:
    group = pick(now.groups, a)
    del now.groups[group]
    now.happen(now.one("user_group", group, None, GroupRemoved(user_group_id=group)))


def join_or_leave(now: History, a: int, b: int) -> None:
    group, user = pick(now.groups, a), pick(now.users, b)
    event: Event
    if user in now.groups[group] and a % 2:
        now.groups[group].discard(user)
        event = GroupMemberRemoved(user_group_id=group, user_id=user)
    else:
        now.groups[group].add(user)
        event = GroupMemberAdded(user_group_id=group, user_id=user, until=moment(b) if b % 2 else None)
    now.happen(now.one("user_group", group, None, event))


def let_group_in_or_out(now: History, a: int, b: int) -> None:
    """Let a group into a company or out of it: both may come again and again."""
    company, group = pick(now.companies, a), pick(now.groups, b)
    known = now.let_in.get((group, company))
    number = now.let_in[(group, company)] = now.next_id() if known is None else known
    about: dict[str, Any] = {"membership_id": number, "company_id": company, "user_group_id": group}
    event: Event = MembershipGranted(**about, role=ROLES[a % 3], until=moment(a) if a % 2 else None)
    if known is not None and (a + b) % 2:
        event = MembershipRevoked(**about)
    now.happen(now.one("membership", number, company, event))


def ask_for_access(now: History, a: int, b: int) -> None:
    company, user, request = pick(now.companies, a), pick(now.users, b), now.next_id()
    if (company, user) in now.requests.values():
        return
    now.requests[request] = (company, user)
    reason = "For the audit" if b % 2 else None
    asked = AccessRequested(
        access_request_id=request, company_id=company, user_id=user, role=ROLES[b % 3], until=moment(a), reason=reason
    )
    now.happen(now.one("access_request", request, company, asked))


def answer_request(now: History, a: int, b: int) -> None:
    request = pick(now.requests, a)
    company, user = now.requests.pop(request)
    answers: tuple[Callable[[], Event], ...] = (
        lambda: RequestWithdrawn(access_request_id=request, company_id=company, user_id=user),
        lambda: RequestApproved(access_request_id=request, company_id=company, user_id=user, role="viewer"),
        lambda: RequestRefused(access_request_id=request, company_id=company, user_id=user, reason="No"),
    )
    now.happen(now.one("access_request", request, company, answers[b % 3]()))
