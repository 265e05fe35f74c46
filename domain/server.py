"""A server that companies use, such as that of an accounting system. What signs in to it is a credential, never here.

Examples
--------
>>> [created] = decide(None, CreateServer(name="Accounts", url="https://accounts.example:5434/", server_id=2,
...     uuid="775ed801-2489-4981-bc14-d8a01cba1938"))
>>> decide(evolve(None, created), ChangeServer(server_id=2, url="https://jane:secret@accounts.example/"))
Traceback (most recent call last):
domain.errors.ValidationError: The address holds a password, and addresses are not secret. Put it into a credential.
"""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec

from domain import checks
from domain.command import Command, changes, given, set_fields, where_set
from domain.credential_values import password_in
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import UNSET, Unset
from domain.server_events import ServerChanged, ServerCreated, ServerEvent, ServerRemoved

_FIELDS = ("name", "url", "kind")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/]+\S*")


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server as its events left it."""

    server_id: int
    uuid: str
    name: str
    url: str
    kind: str | None = None
    removed: bool = False


class ServerCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a server."""

    category: ClassVar[str] = "server"

    server_id: int


class CreateServer(ServerCommand, frozen=True, kw_only=True):
    """Put a server down. The executor gives ``server_id`` and ``uuid``."""

    creates: ClassVar[bool] = True

    name: str
    url: str
    kind: str | None = None
    server_id: int = 0
    uuid: str = ""


class ChangeServer(ServerCommand, frozen=True, kw_only=True):
    """Change some fields of a server; None empties one, unset leaves it as it is."""

    name: str | Unset = UNSET
    url: str | Unset = UNSET
    kind: str | Unset | None = UNSET


class RemoveServer(ServerCommand, frozen=True, kw_only=True):
    """Forget a server; it is refused while companies use it."""


def decide(state: Server | None, command: ServerCommand) -> list[ServerEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    if isinstance(command, CreateServer):
        return [_created(state, command)]
    if state is None or state.removed:
        raise NotFoundError(
            f"There is no server {command.server_id}. `server:list` shows those there are.",
            field="server_id",
            code="server_not_found",
        )
    match command:
        case ChangeServer():
            wanted = {
                "name": where_set(command.name, lambda name: checks.line(name, "name")),
                "url": where_set(command.url, _url),
                "kind": where_set(command.kind, _kind),
            }
            changed = changes(state, wanted)
            return [ServerChanged(server_id=state.server_id, **changed)] if changed else []
        case RemoveServer():
            return [ServerRemoved(server_id=state.server_id)]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a server.")


def evolve(state: Server | None, event: ServerEvent) -> Server:
    """Return the server as an event leaves it."""
    match event:
        case ServerCreated():
            return Server(server_id=event.server_id, uuid=event.uuid, **set_fields(event, _FIELDS))
        case ServerChanged() if state is not None:
            return msgspec.structs.replace(state, **set_fields(event, _FIELDS))
        case ServerRemoved() if state is not None:
            return msgspec.structs.replace(state, removed=True)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _created(state: Server | None, command: CreateServer) -> ServerCreated:
    if state is not None:
        raise StateError(f"Server {command.server_id} exists already.", code="server_exists")
    return ServerCreated(
        server_id=given(command.server_id, "server_id"),
        uuid=checks.uuid_text(given(command.uuid, "uuid")),
        name=checks.line(command.name, "name"),
        url=_url(command.url),
        kind=_kind(command.kind),
    )


def _url(url: str) -> str:
    cleaned = checks.line(url, "url", longest=2_000)
    if not _URL.fullmatch(cleaned):
        raise ValidationError("This is no address. Give one such as https://accounts.example:5434/.", field="url")
    if password_in(cleaned) is not None:
        raise ValidationError(
            "The address holds a password, and addresses are not secret. Put it into a credential.", field="url"
        )
    return cleaned


def _kind(kind: str | None) -> str | None:
    return checks.optional_line(kind, "kind", longest=64)
