"""Events of an application definition: stream ``application-ID``. It belongs to the installation, not to a company."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from domain.event import UNSET, Event, Unset


class ApplicationEvent(Event, frozen=True, kw_only=True):
    """Base of the events of an application."""

    category: ClassVar[str] = "application"

    application_id: int


class ApplicationImported(ApplicationEvent, frozen=True, kw_only=True):
    """A definition was imported for the first time. ``definition`` is the JSON document as imported.

    ``order`` is the order of its members (:mod:`domain.member_order`).
    """

    uuid: str
    name: str
    version: str
    executable: str
    definition: dict[str, Any]
    digest: str
    order: dict[str, list[str]] = msgspec.field(default_factory=dict[str, list[str]])
    enabled: bool = True
    max_parallel: int | None = None
    paused: bool = False
    pause_reason: str | None = None


class ApplicationUpdated(ApplicationEvent, frozen=True, kw_only=True):
    """Another version of the definition replaced the one before, or the application was switched on or off."""

    name: str | Unset = UNSET
    version: str | Unset = UNSET
    executable: str | Unset = UNSET
    definition: dict[str, Any] | Unset = UNSET
    digest: str | Unset = UNSET
    order: dict[str, list[str]] | Unset = UNSET
    enabled: bool | Unset = UNSET
    max_parallel: int | Unset | None = UNSET
    paused: bool | Unset = UNSET
    pause_reason: str | Unset | None = UNSET


class ApplicationIconChanged(ApplicationEvent, frozen=True, kw_only=True):
    """The application was given an icon: ``content`` is the file, checked and cleaned, in base64."""

    media_type: str
    digest: str
    content: str


class ApplicationIconCleared(ApplicationEvent, frozen=True, kw_only=True):
    """The application has no icon any more."""


class ApplicationRemoved(ApplicationEvent, frozen=True, kw_only=True):
    """The definition was taken out of the catalogue."""
