"""A stored sample of each event type and schema version: what lies in users' databases and must be read for ever.

``TYPE.vN.json`` holds ``data`` as it is stored, personal fields sealed, the ``stream`` that it stood in, and the
``event`` that it reads as. ``python -m tests.eventstore.samples`` writes those that are missing; one that exists is
never written again. To change the shape of an event that is in use, raise its ``schema_version``, register an upcaster,
and write a sample of the new version.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.event import Erased, Event
from eventstore import codec
from eventstore.keyring import DataKey, Keyring
from tests.testbed.events import DAY, hints_of, product_types

FOLDER = Path(__file__).resolve().parent
KEY = bytes(range(32))
"""Key of all data subjects of the samples."""


class Sample(msgspec.Struct):
    """An event as stored, and what it reads as: its fields as JSON values."""

    type: str
    schema_version: int
    stream: str
    data: dict[str, Any]
    event: dict[str, Any]


class SampleKeyring(Keyring):
    """A keyring without a database, that has the one key of the samples."""

    def __init__(self) -> None:
        self._by_id = {1: DataKey(1, AESGCM(KEY), float("inf"))}

    def envelope(self, owner: str, stream: str, field: str, clear: str) -> dict[str, Any]:
        """Return the envelope of a personal field."""
        return self.seal(self._by_id[1], owner, f"{stream}|{field}", clear)  # type: ignore[arg-type]


def path_of(kind: type[Event], version: int | None = None) -> Path:
    """Return where the sample of a version of a type is, today's unless told."""
    return FOLDER / f"{kind.__name__}.v{version or kind.schema_version}.json"


def samples() -> Iterator[Sample]:
    """Return all samples there are."""
    for path in sorted(FOLDER.glob("*.json")):
        yield msgspec.json.decode(path.read_bytes(), type=Sample)


def value_of(kind: Any, name: str) -> Any:
    """Return a value for a field: of the first type that it may have, the field's name where that is text."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return value_of(next(one for one in arguments if one not in (type(None), msgspec.UnsetType, Erased)), name)
    if origin is list:
        return [value_of(arguments[0], name)]
    if origin is dict:
        return {f"key of {name}": value_of(arguments[1], name)}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{field: value_of(hint, field) for field, hint in hints_of(kind).items()})
    return {int: len(name), float: len(name) + 0.5, str: f"some {name}", bool: True, datetime: DAY, Any: {"a": [1]}}[
        kind
    ]


def sample_of(kind: type[Event]) -> Sample:
    """Make a sample of today's version of a type, with a value in each field."""
    event = kind(**{field: value_of(hint, field) for field, hint in hints_of(kind).items()})
    personal: dict[str, str] = {field: getattr(event, field) for field in kind.personal}
    stream = f"{kind.category}-1"
    keyring = SampleKeyring()
    sealed = {
        field: keyring.envelope(event.subject_of(field), stream, field, clear) for field, clear in personal.items()
    }
    data = msgspec.json.decode(codec.encode_personal(event, sealed) if personal else codec.encode(event))
    return Sample(kind.__name__, kind.schema_version, stream, data, msgspec.to_builtins(event))


def write_missing() -> list[Path]:
    """Write the samples that are missing; return where they are."""
    missing = [kind for kind in product_types() if not path_of(kind).exists()]
    for kind in missing:
        text = msgspec.json.format(msgspec.json.encode(sample_of(kind), order="sorted"), indent=2)
        path_of(kind).write_bytes(text + b"\n")
    return [path_of(kind) for kind in missing]
