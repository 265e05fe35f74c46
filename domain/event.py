"""What every event is: an immutable record of something that happened, with a type name and a schema version.

A type name is the name of its class, and a stored type never changes: a new shape is a new schema version with an
upcaster (``eventstore.upcast``). Fields named in ``personal`` are personal data: they are encrypted under the key of a
data subject before they are stored, and read as :data:`ERASED` once that key is destroyed.

Examples
--------
>>> class RoomOpened(Event, kw_only=True, frozen=True):
...     room_id: int
...     name: Personal
...     personal: ClassVar[Mapping[str, str]] = {"name": "room:{room_id}"}
>>> opened = RoomOpened(room_id=7, name="Blue")
>>> opened.subject_of("name")
'room:7'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec


class Erased(msgspec.Struct, frozen=True):
    """What a personal field reads as when the key of its data subject has been destroyed."""

    erased: bool = True


ERASED = Erased()

Personal = str | Erased
"""Text of a person: a name, a mail address, a login. Never stored in clear."""

UNSET = msgspec.UNSET
Unset = msgspec.UnsetType


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of all events.

    Attributes
    ----------
    schema_version : int
        Version of the shape of this type, stored in the metadata of each event.
    personal : Mapping[str, str]
        Personal fields, each with the data subject it speaks of as a format string over the event's fields.
    category : str
        Category of the streams that hold this type: the part of the stream name before the first ``-``.
    """

    schema_version: ClassVar[int] = 1
    personal: ClassVar[Mapping[str, str]] = {}
    category: ClassVar[str] = ""

    def subject_of(self, field: str) -> str:
        """Return the data subject that a personal field speaks of, e.g. ``company:7``."""
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__struct_fields__}
        return self.personal[field].format(**values)
