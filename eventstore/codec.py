"""Events to and from JSON: the registry of types, schema versions and upcasters, and the personal fields on the way.

A stored event names its type and, in its metadata, the schema version of its shape. Reading brings it up to the shape
of today by the upcasters registered for the versions between. To change a type, raise ``schema_version`` in its class
and register an upcaster from the version before; never change the stored shape of an existing version.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from domain import (
    access_events,
    access_request_events,
    api_token_events,
    application_events,
    company_events,
    credential_events,
    credential_prototype_events,
    credential_type_events,
    customer_events,
    erasure_events,
    job_events,
    membership_events,
    retention_events,
    run_template_events,
    schedule_events,
    server_events,
    sign_in_events,
    system_events,
    task_events,
    user_events,
    user_group_events,
)
from domain.event import ERASED, Event
from eventstore.errors import NewerEventError, UnknownEventTypeError

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the data of one schema version into that of the next."""

_MODULES = (
    access_events,
    access_request_events,
    api_token_events,
    application_events,
    company_events,
    credential_events,
    credential_prototype_events,
    credential_type_events,
    customer_events,
    erasure_events,
    job_events,
    membership_events,
    retention_events,
    run_template_events,
    schedule_events,
    server_events,
    sign_in_events,
    system_events,
    task_events,
    user_events,
    user_group_events,
)
"""Modules that define event types: importing one registers its types."""

ENVELOPE = frozenset({"enc", "key", "sub"})
"""Keys of what stands in place of a personal field: the ciphertext, the id of its key, the data subject."""

_encoder = msgspec.json.Encoder()
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_upcasters: dict[tuple[str, int], Upcaster] = {}


def _concrete_types(base: type[Event]) -> Iterator[type[Event]]:
    for kind in base.__subclasses__():
        if kind.__subclasses__():
            yield from _concrete_types(kind)
        else:
            yield kind


def _known_types() -> dict[str, type[Event]]:
    return {kind.__name__: kind for kind in _concrete_types(Event) if kind.category}


_types: dict[str, type[Event]] = _known_types()


def event_type(name: str) -> type[Event]:
    """Return the class of an event type.

    Raises
    ------
    UnknownEventTypeError
        This program has no such type.
    """
    kind = _types.get(name)
    if kind is None:
        _types.update(_known_types())
        kind = _types.get(name)
    if kind is None:
        raise UnknownEventTypeError(
            f"Event type {name} is not known to this program. It was written by a newer version: update MultiFlexi."
        )
    return kind


def event_types(category: str | None = None) -> list[type[Event]]:
    """Return the known event types, of one category or of all, in the order of their names."""
    _types.update(_known_types())
    return [kind for _, kind in sorted(_types.items()) if category is None or kind.category == category]


def upcast(name: str, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Register the decorated function as the step from a schema version of a type to the next."""

    def register(function: Upcaster) -> Upcaster:
        _upcasters[name, from_version] = function
        return function

    return register


def encode(event: Event) -> str:
    """Return the JSON text of an event without personal fields."""
    return _encoder.encode(event).decode()


def encode_personal(event: Event, sealed: Mapping[str, Any]) -> str:
    """Return the JSON text of an event, some of its personal fields sealed.

    Parameters
    ----------
    event : Event
        Event of a type with personal fields.
    sealed : Mapping[str, Any]
        Of each field that is sealed, what is stored in its place.
    """
    document: dict[str, Any] = msgspec.to_builtins(event)
    document.update(sealed)
    return _encoder.encode(document).decode()


def blanked(data: str, blanks: Mapping[str, msgspec.Raw]) -> bytes:
    """Return the JSON text of a stored event, some members that it has replaced, without reading what they hold.

    Parameters
    ----------
    data : str
        Stored JSON object.
    blanks : Mapping[str, msgspec.Raw]
        JSON text of what stands in the place of these members.
    """
    members = _members.decode(data)
    members.update((name, blank) for name, blank in blanks.items() if name in members)
    return _encoder.encode(members)


def decode(name: str, data: str | bytes, schema_version: int, opened: Mapping[str, Any] | None = None) -> Event:
    """Build an event from its stored JSON, in the shape of today.

    Parameters
    ----------
    name : str
        Stored type.
    data : str or bytes
        Stored JSON object.
    schema_version : int
        Stored schema version.
    opened : Mapping[str, Any] or None
        Clear text (or :data:`~domain.event.ERASED`) of the personal fields.

    Raises
    ------
    UnknownEventTypeError
        This program has no such type.
    NewerEventError
        The event was written by a newer version of the program.
    """
    kind = event_type(name)
    if schema_version == kind.schema_version and not opened:
        return msgspec.json.decode(data, type=kind)
    if schema_version > kind.schema_version:
        raise NewerEventError(
            f"Event {name} has schema version {schema_version}; this program knows up to {kind.schema_version}. "
            "It was written by a newer version: update MultiFlexi."
        )
    document: dict[str, Any] = msgspec.json.decode(data)
    if opened:
        document.update((field, msgspec.to_builtins(value)) for field, value in opened.items())
    for version in range(schema_version, kind.schema_version):
        document = _upcasters[name, version](document)
    return msgspec.convert(document, type=kind)


def sealed_fields(name: str, data: str) -> dict[str, dict[str, Any]]:
    """Return the personal fields of a stored event that are sealed, each with its envelope.

    Only what its type declares personal is looked at: text that users choose may look like an envelope. Fields that
    the type no longer has, and those of types that are not known, are told by the envelope alone; so a field that was
    once personal stays personal.
    """
    if '"enc"' not in data:
        return {}
    kind = _types.get(name)
    in_clear = set(kind.__struct_fields__) - set(kind.personal) if kind is not None else set[str]()
    document: dict[str, Any] = msgspec.json.decode(data)
    return {field: value for field, value in document.items() if field not in in_clear and _is_envelope(value)}


def _is_envelope(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == ENVELOPE and isinstance(value["key"], int)


def pack(ciphertext: bytes) -> str:
    """Return bytes as they stand in an envelope."""
    return base64.b64encode(ciphertext).decode()


def unpack(text: str) -> bytes:
    """Return the bytes that stand in an envelope."""
    return base64.b64decode(text)


__all__ = [
    "ERASED",
    "blanked",
    "decode",
    "encode",
    "encode_personal",
    "event_type",
    "event_types",
    "pack",
    "sealed_fields",
    "unpack",
    "upcast",
]
