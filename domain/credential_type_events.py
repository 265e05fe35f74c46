"""Events of a credential type, a company's instance of a prototype: stream ``credential_type-ID``.

``values`` are those that all credentials of the type share, each encrypted under the company's key of credentials;
an event holds all that there are after it.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain.event import UNSET, Event, Unset
from domain.sealed import Sealed


class CredentialTypeEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a credential type."""

    category: ClassVar[str] = "credential_type"

    credential_type_id: int
    company_id: int


class CredentialTypeCreated(CredentialTypeEvent, frozen=True, kw_only=True):
    """A company began to use a prototype."""

    uuid: str
    name: str
    credential_prototype_id: int
    values: dict[str, Sealed] = msgspec.field(default_factory=dict[str, Sealed])
    valued_at: datetime | None = None


class CredentialTypeChanged(CredentialTypeEvent, frozen=True, kw_only=True):
    """Some fields were changed; ``changed`` are the names of the values that were given or taken away."""

    name: str | Unset = UNSET
    values: dict[str, Sealed] | Unset = UNSET
    valued_at: datetime | Unset = UNSET
    changed: list[str] = msgspec.field(default_factory=list[str])


class CredentialTypeReencrypted(CredentialTypeEvent, frozen=True, kw_only=True):
    """The same values, encrypted under a newer key."""

    values: dict[str, Sealed]


class CredentialTypeRemoved(CredentialTypeEvent, frozen=True, kw_only=True):
    """The company no longer uses it."""
