"""Events of a credential prototype: stream ``credential_prototype-ID``. It belongs to the installation."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from domain.event import UNSET, Event, Unset


class CredentialPrototypeEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a credential prototype."""

    category: ClassVar[str] = "credential_prototype"

    credential_prototype_id: int


class CredentialPrototypeImported(CredentialPrototypeEvent, frozen=True, kw_only=True):
    """A prototype was imported for the first time. ``definition`` is the JSON document as imported.

    ``order`` is the order of its members (:mod:`domain.member_order`).
    """

    uuid: str
    code: str
    name: str
    version: str
    definition: dict[str, Any]
    digest: str
    order: dict[str, list[str]] = msgspec.field(default_factory=dict[str, list[str]])


class CredentialPrototypeUpdated(CredentialPrototypeEvent, frozen=True, kw_only=True):
    """Another version of the document replaced the one before. ``dropped`` are the fields that it no longer has."""

    code: str | Unset = UNSET
    name: str | Unset = UNSET
    version: str | Unset = UNSET
    definition: dict[str, Any]
    digest: str
    order: dict[str, list[str]] = msgspec.field(default_factory=dict[str, list[str]])
    dropped: list[str]


class CredentialPrototypeRemoved(CredentialPrototypeEvent, frozen=True, kw_only=True):
    """The prototype was taken out of the catalogue."""
