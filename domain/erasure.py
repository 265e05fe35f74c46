"""The erasure of a user (Article 17 of the GDPR): asked for, decided on by somebody else, and done.

Three kinds: ``soft`` keeps what the user is in (roles, groups, access to companies), under no name and disabled;
``anonymize`` gives that up, too; ``hard`` removes the user.

Examples
--------
>>> [asked] = decide(None, RequestErasure(erasure_id=3, user_id=5, requested_by=5, deletion_type="hard"))
>>> request = evolve(None, asked)
>>> [approved] = decide(request, ApproveErasure(erasure_id=3, reviewed_by=1))
>>> decide(evolve(request, approved), RejectErasure(erasure_id=3))
Traceback (most recent call last):
domain.errors.StateError: Request 3 is approved; only one that is pending can be rejected.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from domain import checks
from domain.command import Command, given, moment
from domain.erasure_events import (
    ErasedThing,
    ErasureApproved,
    ErasureCompleted,
    ErasureEvent,
    ErasureForgotten,
    ErasureRejected,
    ErasureRequested,
    ErasureStarted,
    ErasureWithdrawn,
)
from domain.errors import NotFoundError, StateError, ValidationError

SOFT, HARD, ANONYMIZE = "soft", "hard", "anonymize"
TYPES = (SOFT, HARD, ANONYMIZE)

PENDING, APPROVED, REJECTED, WITHDRAWN = "pending", "approved", "rejected", "withdrawn"
PROCESSING, COMPLETED = "processing", "completed"
STATUSES = (PENDING, APPROVED, REJECTED, WITHDRAWN, PROCESSING, COMPLETED)
CLOSED = (REJECTED, WITHDRAWN, COMPLETED)

KEPT = timedelta(days=7 * 365 + 2)
"""How long reasons and notes are kept after a request was closed."""

LONGEST = 2_000


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """A request as its events left it."""

    erasure_id: int
    user_id: int
    deletion_type: str
    requested_by: int | None = None
    status: str = PENDING
    forgotten: bool = False


class ErasureCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of an erasure."""

    category: ClassVar[str] = "erasure"

    erasure_id: int


class RequestErasure(ErasureCommand, frozen=True, kw_only=True):
    """Ask that a user be erased. The executor gives id and ``requested_by``, and the user where they ask themselves."""

    creates: ClassVar[bool] = True

    deletion_type: str = SOFT
    reason: str | None = None
    user_id: int = 0
    requested_by: int | None = None
    erasure_id: int = 0


class WithdrawErasure(ErasureCommand, frozen=True, kw_only=True):
    """Take a request back that is not being done yet."""


class ApproveErasure(ErasureCommand, frozen=True, kw_only=True):
    """Find that it is to be done."""

    notes: str | None = None
    reviewed_by: int | None = None


class RejectErasure(ErasureCommand, frozen=True, kw_only=True):
    """Find that it is not to be done."""

    reason: str | None = None
    reviewed_by: int | None = None


class StartErasure(ErasureCommand, frozen=True, kw_only=True):
    """Do what was approved; the executor says what is ``done`` with it."""

    done: tuple[ErasedThing, ...] = ()


class CompleteErasure(ErasureCommand, frozen=True, kw_only=True):
    """Put down that the user's key is destroyed."""

    sessions: int = 0
    now: datetime | None = None


class ForgetErasure(ErasureCommand, frozen=True, kw_only=True):
    """Destroy the key of reasons and notes, once the time for which they are kept is over."""

    closed_at: datetime | None = None
    now: datetime | None = None


def decide(state: Erasure | None, command: ErasureCommand) -> list[ErasureEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    if isinstance(command, RequestErasure):
        return [_requested(state, command)]
    request = _present(state, command.erasure_id)
    if (decided := _DECIDE.get(type(command))) is None:
        raise TypeError(f"{type(command).__name__} is no command of an erasure.")
    return decided(request, command)


def evolve(state: Erasure | None, event: ErasureEvent) -> Erasure:
    """Return the request as an event leaves it."""
    if isinstance(event, ErasureRequested):
        return Erasure(
            erasure_id=event.erasure_id,
            user_id=event.user_id,
            deletion_type=event.deletion_type,
            requested_by=event.requested_by,
        )
    if state is None:
        raise TypeError(f"{type(event).__name__} cannot follow here.")
    if isinstance(event, ErasureForgotten):
        return msgspec.structs.replace(state, forgotten=True)
    return msgspec.structs.replace(state, status=_STATUS[type(event)])


def text(words: str | None) -> str | None:
    """Return a reason or notes in their stored form.

    Raises
    ------
    ValidationError
        They are too long.
    """
    cleaned = None if words is None else checks.text(words.strip(), "reason")
    if cleaned is not None and len(cleaned) > LONGEST:
        raise ValidationError(f"A reason has at most {LONGEST} characters.", field="reason")
    return cleaned or None


def _requested(state: Erasure | None, command: RequestErasure) -> ErasureRequested:
    number = given(command.erasure_id, "erasure_id")
    if state is not None:
        raise StateError(f"Request {number} exists already.", field="erasure_id", code="erasure_exists")
    return ErasureRequested(
        erasure_id=number,
        user_id=given(command.user_id, "user_id"),
        deletion_type=checks.one_of(command.deletion_type, "deletion_type", TYPES),
        reason=text(command.reason),
        requested_by=command.requested_by,
    )


def _present(state: Erasure | None, number: int) -> Erasure:
    if state is None:
        raise NotFoundError(
            f"There is no request {number}. `user-erasure:list` shows those there are.",
            field="erasure_id",
            code="erasure_not_found",
        )
    return state


def _check(request: Erasure, verb: str, *statuses: str) -> None:
    if request.status not in statuses:
        raise StateError(
            f"Request {request.erasure_id} is {request.status}; only one that is {statuses[0]} can {verb}.",
            field="erasure_id",
            code="erasure_status",
        )


def _withdraw(request: Erasure, _: WithdrawErasure) -> list[ErasureEvent]:
    _check(request, "be withdrawn", PENDING, APPROVED)
    return [ErasureWithdrawn(erasure_id=request.erasure_id, user_id=request.user_id)]


def _approve(request: Erasure, command: ApproveErasure) -> list[ErasureEvent]:
    _check(request, "be approved", PENDING)
    notes = text(command.notes)
    about = {"erasure_id": request.erasure_id, "user_id": request.user_id}
    return [ErasureApproved(**about, notes=notes, reviewed_by=command.reviewed_by)]


def _reject(request: Erasure, command: RejectErasure) -> list[ErasureEvent]:
    _check(request, "be rejected", PENDING)
    notes = text(command.reason)
    about = {"erasure_id": request.erasure_id, "user_id": request.user_id}
    return [ErasureRejected(**about, notes=notes, reviewed_by=command.reviewed_by)]


def _start(request: Erasure, command: StartErasure) -> list[ErasureEvent]:
    _check(request, "be processed", APPROVED, PROCESSING, COMPLETED)
    if request.status != APPROVED:
        return []
    return [ErasureStarted(erasure_id=request.erasure_id, user_id=request.user_id, done=list(command.done))]


def _complete(request: Erasure, command: CompleteErasure) -> list[ErasureEvent]:
    _check(request, "be completed", PROCESSING, COMPLETED)
    if request.status != PROCESSING:
        return []
    about = {"erasure_id": request.erasure_id, "user_id": request.user_id}
    return [ErasureCompleted(**about, sessions=command.sessions, completed_at=moment(command.now))]


def _forget(request: Erasure, command: ForgetErasure) -> list[ErasureEvent]:
    _check(request, "be forgotten", *CLOSED)
    now = moment(command.now)
    if now - moment(command.closed_at, "closed_at") < KEPT:
        raise StateError(
            f"Request {request.erasure_id} is kept for seven years after it was closed.", code="erasure_kept"
        )
    if request.forgotten:
        return []
    return [ErasureForgotten(erasure_id=request.erasure_id, user_id=request.user_id, forgotten_at=now)]


_DECIDE: dict[type[ErasureCommand], Callable[[Erasure, Any], list[ErasureEvent]]] = {
    WithdrawErasure: _withdraw,
    ApproveErasure: _approve,
    RejectErasure: _reject,
    StartErasure: _start,
    CompleteErasure: _complete,
    ForgetErasure: _forget,
}
_STATUS: dict[type[ErasureEvent], str] = {
    ErasureWithdrawn: WITHDRAWN,
    ErasureApproved: APPROVED,
    ErasureRejected: REJECTED,
    ErasureStarted: PROCESSING,
    ErasureCompleted: COMPLETED,
}
