"""What every command is: an immutable wish of somebody, which ``decide`` turns into events or refuses.

A command holds what its caller wishes and, left empty by callers, what only its executor knows: ids from sequences,
UUIDs, the moment, the time zone of the company. ``decide`` reads neither clock nor chance: whoever executes a command
fills those fields in (``commands.shell``), and a test gives them as it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar

import msgspec

from domain.event import UNSET, Unset

T = TypeVar("T")
V = TypeVar("V")


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all commands.

    Attributes
    ----------
    category : str
        Category of the stream that the command is about; the id of the stream is in the field ``CATEGORY_id``.
    creates : bool
        Whether the command begins a new stream, whose id is allocated when the command has none.
    secret : tuple[str, ...]
        Fields that hold secrets in clear: nothing that is kept of the command may tell them.
    """

    category: ClassVar[str] = ""
    creates: ClassVar[bool] = False
    secret: ClassVar[tuple[str, ...]] = ()

    @property
    def entity_id(self) -> int:
        """Id of the thing the command is about; 0 when it is still to be allocated."""
        value: int = getattr(self, f"{self.category}_id")
        return value


def given(value: T | None, field: str) -> T:
    """Return a value that the executor of the command must have filled in.

    Raises
    ------
    ValueError
        It was not: a fault of the program, not of the user.
    """
    if value is None or value in (0, ""):
        raise ValueError(f"The command was executed without {field}.")
    return value


def moment(value: datetime | None, field: str = "now") -> datetime:
    """Return a moment in UTC that the executor of the command must have filled in."""
    return given(value, field).astimezone(UTC)


def changes(state: object, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are set and differ from those of the state.

    Examples
    --------
    >>> class Room(msgspec.Struct):
    ...     name: str
    ...     seats: int
    >>> changes(Room("Blue", 4), {"name": UNSET, "seats": 5})
    {'seats': 5}
    """
    return {name: value for name, value in wanted.items() if value is not UNSET and value != getattr(state, name)}


def set_fields(event: msgspec.Struct, names: tuple[str, ...]) -> dict[str, Any]:
    """Return those of the named fields of an event that are set."""
    return {name: value for name in names if (value := getattr(event, name)) is not UNSET}


def where_set(value: T | Unset, check: Callable[[T], V]) -> V | Unset:
    """Return a value in the form that a check gives it, unset if it is not set.

    Examples
    --------
    >>> where_set(" Blue ", str.strip), where_set(UNSET, str.strip)
    ('Blue', UNSET)
    """
    return UNSET if isinstance(value, Unset) else check(value)
