"""Events of the erasure of a user (Article 17 of the GDPR): stream ``erasure-ID``.

Who the user was does not stand in them. Reasons and notes are encrypted under a key of the request, which outlives that
of the user: they prove for some years that the erasure was right.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

import msgspec

from domain.event import Event, Personal

_REQUEST = "erasure:{erasure_id}"


class ErasedThing(msgspec.Struct, frozen=True):
    """Something of the user that was changed on the way: ``table_name``, its id (0: several), and what was done."""

    table_name: str
    record_id: int
    action: str


class ErasureEvent(Event, frozen=True, kw_only=True):
    """Base of the events of an erasure; ``user_id`` is who is to be erased."""

    category: ClassVar[str] = "erasure"

    erasure_id: int
    user_id: int


class ErasureRequested(ErasureEvent, frozen=True, kw_only=True):
    """Somebody asked that a user be erased; ``requested_by`` None: the owner of the machine."""

    personal: ClassVar[Mapping[str, str]] = {"reason": _REQUEST}

    deletion_type: str
    reason: Personal | None = None
    requested_by: int | None = None


class ErasureWithdrawn(ErasureEvent, frozen=True, kw_only=True):
    """Who asked for it no longer wishes it."""


class ErasureApproved(ErasureEvent, frozen=True, kw_only=True):
    """Somebody else found that it is to be done."""

    personal: ClassVar[Mapping[str, str]] = {"notes": _REQUEST}

    notes: Personal | None = None
    reviewed_by: int | None = None


class ErasureRejected(ErasureEvent, frozen=True, kw_only=True):
    """It is not to be done."""

    personal: ClassVar[Mapping[str, str]] = {"notes": _REQUEST}

    notes: Personal | None = None
    reviewed_by: int | None = None


class ErasureStarted(ErasureEvent, frozen=True, kw_only=True):
    """The user can act no more, and what ties them to others was given up; their key is destroyed next."""

    done: list[ErasedThing]


class ErasureCompleted(ErasureEvent, frozen=True, kw_only=True):
    """The user's key is destroyed: nobody can read any more who they were. ``sessions`` ended with it."""

    sessions: int
    completed_at: datetime


class ErasureForgotten(ErasureEvent, frozen=True, kw_only=True):
    """The time is over for which reasons and notes are kept: their key was destroyed."""

    forgotten_at: datetime
