"""Events of signing in: stream ``sign_in-USER``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from domain.event import Event, Personal


class SignInEvent(Event, frozen=True, kw_only=True):
    """Base of the events of signing in."""

    category: ClassVar[str] = "sign_in"

    user_id: int


class SignedIn(SignInEvent, frozen=True, kw_only=True):
    """A user signed in by ``password``, ``password+code``, ``password+recovery``, ``passkey`` or ``openid``."""

    personal: ClassVar[Mapping[str, str]] = {"address": "user:{user_id}"}

    session_id: int
    method: str
    address: Personal | None = None


class SignInFailed(SignInEvent, frozen=True, kw_only=True):
    """Somebody tried to sign in as a user; ``reason`` is ``password``, ``code``, ``passkey`` or ``locked``."""

    personal: ClassVar[Mapping[str, str]] = {"address": "user:{user_id}"}

    reason: str
    address: Personal | None = None


class SignedOut(SignInEvent, frozen=True, kw_only=True):
    """Sessions of a user ended before their time; ``cause`` is ``sign-out``, ``revoked`` or ``password``."""

    session_ids: list[int]
    cause: str
