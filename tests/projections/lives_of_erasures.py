"""What requests for the erasure of users may live through."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

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
from domain.event import Event
from tests.projections.history import History, pick

TYPES = ("soft", "hard", "anonymize")
THEN = datetime(2026, 1, 5, tzinfo=UTC)


def ask_for_erasure(now: History, a: int, b: int) -> None:
    user, request = pick(now.users, a), now.next_id()
    if user in (one for one, _ in now.erasures.values()):
        return
    now.erasures[request] = (user, "pending")
    reason = "Asked by letter" if b % 2 else None
    asked = ErasureRequested(
        erasure_id=request,
        user_id=user,
        deletion_type=TYPES[b % 3],
        reason=reason,
        requested_by=user if a % 2 else None,
    )
    events: list[Event] = [asked]
    if a % 3 == 0:  # and decided on in the same breath
        now.erasures[request] = (user, "approved")
        events.append(ErasureApproved(erasure_id=request, user_id=user, notes="Right", reviewed_by=1))
    now.happen(now.one("erasure", request, None, *events))


def go_on_with_erasure(now: History, a: int, b: int) -> None:
    request = pick(now.erasures, a)
    user, status = now.erasures[request]
    about: dict[str, Any] = {"erasure_id": request, "user_id": user}
    event: ErasureEvent
    match status, b % 3:
        case "pending", 0:
            event, after = ErasureRejected(**about, notes="No", reviewed_by=2), ""
        case "pending", _:
            event, after = ErasureApproved(**about, reviewed_by=None), "approved"
        case "approved", 0:
            event, after = ErasureWithdrawn(**about), ""
        case "approved", _:
            event, after = ErasureStarted(**about, done=[ErasedThing("membership", 3, "revoked")]), "processing"
        case _:
            event, after = ErasureCompleted(**about, sessions=b, completed_at=THEN), ""
    now.happen(now.one("erasure", request, None, event))
    now.erasures[request] = (user, after)
    if not after:
        del now.erasures[request]
        if a % 2:
            now.happen(now.one("erasure", request, None, ErasureForgotten(**about, forgotten_at=THEN)))
