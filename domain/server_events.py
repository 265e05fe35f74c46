"""Events of a server, such as that of an accounting system, which companies use: stream ``server-ID``."""

from __future__ import annotations

from typing import ClassVar

from domain.event import UNSET, Event, Unset


class ServerEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a server."""

    category: ClassVar[str] = "server"

    server_id: int


class ServerCreated(ServerEvent, frozen=True, kw_only=True):
    """A server was put down. ``kind`` is what runs there, e.g. ``AbraFlexi``."""

    uuid: str
    name: str
    url: str
    kind: str | None = None


class ServerChanged(ServerEvent, frozen=True, kw_only=True):
    """Some fields of a server were changed; those that are unset stay as they were."""

    name: str | Unset = UNSET
    url: str | Unset = UNSET
    kind: str | Unset | None = UNSET


class ServerRemoved(ServerEvent, frozen=True, kw_only=True):
    """A server is no longer used."""
