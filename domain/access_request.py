"""A request for access: a user asks for a role in a company, and somebody who manages its members decides.

Examples
--------
>>> asked = RequestAccess(access_request_id=3, user_id=5, company_id=7, role="viewer", reason="For the audit")
>>> [requested] = decide(None, asked)
>>> request = evolve(None, requested)
>>> [approved] = decide(request, ApproveRequest(access_request_id=3))
>>> decide(evolve(request, approved), RefuseRequest(access_request_id=3))
Traceback (most recent call last):
domain.errors.StateError: Request 3 was approved already.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain import checks
from domain.access_request_events import (
    AccessRequested,
    AccessRequestEvent,
    RequestApproved,
    RequestRefused,
    RequestWithdrawn,
)
from domain.command import Command, given, moment
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import UNSET, Unset
from domain.membership import company_role
from domain.user import future

OPEN, APPROVED, REFUSED, WITHDRAWN = "open", "approved", "refused", "withdrawn"
STATES = (OPEN, APPROVED, REFUSED, WITHDRAWN)

LONGEST_REASON = 2_000


class AccessRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as its events left it."""

    access_request_id: int
    company_id: int
    user_id: int
    role: str
    until: datetime | None = None
    state: str = OPEN


class AccessRequestCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a request."""

    category: ClassVar[str] = "access_request"

    access_request_id: int


class RequestAccess(AccessRequestCommand, frozen=True, kw_only=True):
    """Ask for a role in a company. The executor gives the id, and ``user_id`` where users ask for themselves."""

    creates: ClassVar[bool] = True

    company_id: int
    role: str = "viewer"
    until: datetime | None = None
    reason: str | None = None
    user_id: int = 0
    access_request_id: int = 0
    now: datetime | None = None


class WithdrawRequest(AccessRequestCommand, frozen=True, kw_only=True):
    """Take back what one has asked for."""


class ApproveRequest(AccessRequestCommand, frozen=True, kw_only=True):
    """Grant what was asked for, until another moment if one is given; a membership follows from it."""

    until: datetime | Unset | None = UNSET
    now: datetime | None = None


class RefuseRequest(AccessRequestCommand, frozen=True, kw_only=True):
    """Refuse what was asked for."""

    reason: str | None = None


def decide(state: AccessRequest | None, command: AccessRequestCommand) -> list[AccessRequestEvent]:
    """Return the events that a command leads to.

    Raises
    ------
    DomainError
        The command is refused.
    """
    if isinstance(command, RequestAccess):
        return [_requested(state, command)]
    if not isinstance(command, (WithdrawRequest, ApproveRequest, RefuseRequest)):
        raise TypeError(f"{type(command).__name__} is no command of a request for access.")
    request = _open(state, command.access_request_id)
    ids = {
        "access_request_id": request.access_request_id,
        "company_id": request.company_id,
        "user_id": request.user_id,
    }
    match command:
        case WithdrawRequest():
            return [RequestWithdrawn(**ids)]
        case ApproveRequest():
            until = request.until if command.until is UNSET else command.until
            ends = None if until is None else future(until, moment(command.now))
            return [RequestApproved(**ids, role=request.role, until=ends)]
        case RefuseRequest():
            return [RequestRefused(**ids, reason=_reason(command.reason))]


def evolve(state: AccessRequest | None, event: AccessRequestEvent) -> AccessRequest:
    """Return the request as an event leaves it."""
    match event:
        case AccessRequested():
            return AccessRequest(
                access_request_id=event.access_request_id,
                company_id=event.company_id,
                user_id=event.user_id,
                role=event.role,
                until=event.until,
            )
        case RequestWithdrawn() if state is not None:
            return msgspec.structs.replace(state, state=WITHDRAWN)
        case RequestApproved() if state is not None:
            return msgspec.structs.replace(state, state=APPROVED, until=event.until)
        case RequestRefused() if state is not None:
            return msgspec.structs.replace(state, state=REFUSED)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _requested(state: AccessRequest | None, command: RequestAccess) -> AccessRequested:
    number = given(command.access_request_id, "access_request_id")
    if state is not None:
        raise StateError(f"Request {number} exists already.", field="access_request_id", code="request_exists")
    return AccessRequested(
        access_request_id=number,
        company_id=given(command.company_id, "company_id"),
        user_id=given(command.user_id, "user_id"),
        role=company_role(command.role),
        until=None if command.until is None else future(command.until, moment(command.now)),
        reason=_reason(command.reason),
    )


def _open(state: AccessRequest | None, number: int) -> AccessRequest:
    if state is None:
        raise NotFoundError(
            f"There is no request {number}. `access-request:list` shows those there are.",
            field="access_request_id",
            code="access_request_not_found",
        )
    if state.state != OPEN:
        raise StateError(
            f"Request {number} was {state.state} already.", field="access_request_id", code="request_closed"
        )
    return state


def _reason(text: str | None) -> str | None:
    cleaned = None if text is None else checks.text(text.strip(), "reason")
    if cleaned is not None and len(cleaned) > LONGEST_REASON:
        raise ValidationError(f"A reason has at most {LONGEST_REASON} characters.", field="reason")
    return cleaned or None
