"""An application of the catalogue: a definition that was imported, and whether it may be used.

Examples
--------
>>> document = {"name": "Probe", "description": "Checks", "executable": "probe", "environment": {}, "uuid": "p-1"}
>>> [imported] = decide(None, ImportApplication(definition=document, application_id=3))
>>> application = evolve(None, imported)
>>> decide(application, ImportApplication(definition=document, application_id=3))
[]
>>> [updated] = decide(application, ImportApplication(definition=document | {"version": "2"}, application_id=3))
>>> updated.version
'2'
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, ClassVar

import msgspec

from domain import checks, definition, icon
from domain.application_events import (
    ApplicationEvent,
    ApplicationIconChanged,
    ApplicationIconCleared,
    ApplicationImported,
    ApplicationRemoved,
    ApplicationUpdated,
)
from domain.command import Command, changes, given, set_fields, where_set
from domain.definition import Definition
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import UNSET, Unset

_FIELDS = (
    "name",
    "version",
    "executable",
    "definition",
    "digest",
    "order",
    "enabled",
    "max_parallel",
    "paused",
    "pause_reason",
)


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """An application as its events left it; ``icon`` is the digest of its icon."""

    application_id: int
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
    icon: str | None = None
    removed: bool = False


class ApplicationCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of an application."""

    category: ClassVar[str] = "application"

    application_id: int


class ImportApplication(ApplicationCommand, frozen=True, kw_only=True):
    """Take a definition into the catalogue, or another version of one that is there.

    The executor looks up ``application_id`` by the UUID of the definition, or allocates one. Importing what is there
    already changes nothing. ``read`` is what the definition was read as, by whoever has read it already: reading is
    most of what an import takes.
    """

    creates: ClassVar[bool] = True

    definition: dict[str, Any]
    application_id: int = 0
    read: Definition | None = None


class ChangeApplication(ApplicationCommand, frozen=True, kw_only=True):
    """Change how an application is used; unset leaves a field as it is.

    ``max_parallel`` is how many of its jobs run at once (None: any number); while it is ``paused``, none starts,
    for a ``pause_reason`` that is forgotten when it is resumed.
    """

    enabled: bool | Unset = UNSET
    max_parallel: int | Unset | None = UNSET
    paused: bool | Unset = UNSET
    pause_reason: str | Unset | None = UNSET


class EnableApplication(ApplicationCommand, frozen=True, kw_only=True):
    """Let an application be used again."""


class DisableApplication(ApplicationCommand, frozen=True, kw_only=True):
    """Keep an application from being used: no job of it is started."""


class SetApplicationIcon(ApplicationCommand, frozen=True, kw_only=True):
    """Give an application an icon, a file in base64, or take it away (None)."""

    content: str | None


class RemoveApplication(ApplicationCommand, frozen=True, kw_only=True):
    """Take an application out of the catalogue.

    With ``cascade`` the run templates that use it go with it; without, it is refused while there are any.
    """

    cascade: bool = False


def decide(state: Application | None, command: ApplicationCommand) -> list[ApplicationEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused; a ``DocumentError`` names every place of a definition that is wrong.
    """
    match command:
        case ImportApplication():
            return _import(state, command)
        case ChangeApplication():
            return _change(_present(state, command.application_id), command)
        case EnableApplication():
            return _change(_present(state, command.application_id), ChangeApplication(application_id=0, enabled=True))
        case DisableApplication():
            return _change(_present(state, command.application_id), ChangeApplication(application_id=0, enabled=False))
        case SetApplicationIcon():
            return _set_icon(_present(state, command.application_id), command.content)
        case RemoveApplication():
            return [ApplicationRemoved(application_id=_present(state, command.application_id).application_id)]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of an application.")


def evolve(state: Application | None, event: ApplicationEvent) -> Application:
    """Return the application as an event leaves it."""
    match event:
        case ApplicationImported():
            return Application(application_id=event.application_id, uuid=event.uuid, **set_fields(event, _FIELDS))
        case ApplicationUpdated() if state is not None:
            return msgspec.structs.replace(state, **set_fields(event, _FIELDS))
        case ApplicationIconChanged() if state is not None:
            return msgspec.structs.replace(state, icon=event.digest)
        case ApplicationIconCleared() if state is not None:
            return msgspec.structs.replace(state, icon=None)
        case ApplicationRemoved() if state is not None:
            return msgspec.structs.replace(state, removed=True)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _present(state: Application | None, application_id: int) -> Application:
    if state is None or state.removed:
        raise NotFoundError(
            f"There is no application {application_id}. `application:list` shows those there are.",
            field="application_id",
            code="application_not_found",
        )
    return state


def _import(state: Application | None, command: ImportApplication) -> list[ApplicationEvent]:
    application_id = given(command.application_id, "application_id")
    read = command.read or definition.read(command.definition)
    if state is None:
        imported = ApplicationImported(
            application_id=application_id,
            uuid=read.uuid,
            name=read.name,
            version=read.version,
            executable=read.executable,
            definition=read.document,
            digest=read.digest,
            order=read.order,
        )
        return [imported, *_icon_within(read.document, application_id, None)]
    present = _present(state, application_id)
    if present.uuid != read.uuid:
        raise StateError(
            f"Application {application_id} has the UUID {present.uuid}, the definition {read.uuid}: it is another one.",
            field="uuid",
            code="application_uuid_differs",
        )
    if present.digest == read.digest:
        return []
    wanted: dict[str, Any] = {
        "name": read.name,
        "version": read.version,
        "executable": read.executable,
        "definition": read.document,
        "digest": read.digest,
        "order": read.order,
    }
    # What belongs to a definition goes with it, whether it differs or not: each version is read from its event alone.
    whole = {name: wanted[name] for name in ("version", "definition", "digest", "order")}
    updated = ApplicationUpdated(application_id=application_id, **{**changes(present, wanted), **whole})
    return [updated, *_icon_within(read.document, application_id, present.icon)]


def _icon_within(document: dict[str, Any], application_id: int, before: str | None) -> list[ApplicationEvent]:
    """Return the event for the icon that a definition itself holds; one that cannot be used was warned of."""
    try:
        found = icon.within(document)
    except ValidationError:
        return []
    return [] if found is None else _changed_icon(application_id, found, before)


def _set_icon(state: Application, content: str | None) -> list[ApplicationEvent]:
    if content is None:
        return [ApplicationIconCleared(application_id=state.application_id)] if state.icon else []
    try:
        data = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise ValidationError("The icon is no base64.", field="image", code="icon_invalid") from None
    return _changed_icon(state.application_id, icon.read(data), state.icon)


def _changed_icon(application_id: int, found: icon.Icon, before: str | None) -> list[ApplicationEvent]:
    if found.digest == before:
        return []
    return [
        ApplicationIconChanged(
            application_id=application_id,
            media_type=found.media_type,
            digest=found.digest,
            content=base64.b64encode(found.data).decode(),
        )
    ]


def _change(state: Application, command: ChangeApplication) -> list[ApplicationEvent]:
    wanted = {
        "enabled": command.enabled,
        "max_parallel": where_set(command.max_parallel, checks.most_at_once),
        "paused": command.paused,
        "pause_reason": checks.reason_of(command.paused, command.pause_reason, "pause_reason"),
    }
    changed = changes(state, wanted)
    return [ApplicationUpdated(application_id=state.application_id, **changed)] if changed else []
