"""Events of a credential: stream ``credential-ID``.

``values`` are encrypted under the company's key of credentials; an event holds all that there are after it. They go
before those that the credential shares with others of its type.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain.event import UNSET, Event, Unset
from domain.sealed import Sealed


class CredentialEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a credential."""

    category: ClassVar[str] = "credential"

    credential_id: int
    company_id: int


class CredentialCreated(CredentialEvent, frozen=True, kw_only=True):
    """A credential was made. ``rotate_every`` is in days; what is ``write_only`` is never revealed."""

    uuid: str
    name: str
    credential_type_id: int
    values: dict[str, Sealed] = msgspec.field(default_factory=dict[str, Sealed])
    valued_at: datetime | None = None
    write_only: bool = False
    expires_at: datetime | None = None
    rotate_every: int | None = None


class CredentialChanged(CredentialEvent, frozen=True, kw_only=True):
    """Some fields were changed; ``changed`` are the names of the values that were given or taken away."""

    name: str | Unset = UNSET
    credential_type_id: int | Unset = UNSET
    values: dict[str, Sealed] | Unset = UNSET
    valued_at: datetime | Unset = UNSET
    write_only: bool | Unset = UNSET
    expires_at: datetime | Unset | None = UNSET
    rotate_every: int | Unset | None = UNSET
    changed: list[str] = msgspec.field(default_factory=list[str])


class CredentialReencrypted(CredentialEvent, frozen=True, kw_only=True):
    """The same values, encrypted under a newer key."""

    values: dict[str, Sealed]


class CredentialRevealed(CredentialEvent, frozen=True, kw_only=True):
    """Somebody was shown values in clear: which ones, to whom, and why they wanted to see them."""

    fields: list[str]
    revealed_to: str
    revealed_at: datetime
    reason: str | None = None


class CredentialChecked(CredentialEvent, frozen=True, kw_only=True):
    """It was tried whether the credential works.

    ``outcome`` is ``available``, ``degraded``, ``unavailable``, ``misconfigured`` or ``unknown``; ``kind`` is how it
    was tried; ``duration`` is in seconds.
    """

    outcome: str
    kind: str
    message: str
    duration: float
    checked_at: datetime


class CredentialRemoved(CredentialEvent, frozen=True, kw_only=True):
    """It is gone; its values stay in the log as ciphertext."""
