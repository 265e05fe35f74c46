"""Words of the log: where an event stands, what is appended, what is read back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from domain.event import Event

ANY = -1
"""Expected version: whatever the stream is at."""

NO_STREAM = 0
"""Expected version: the stream does not exist."""

CONFIGURATION, JOB, OUTPUT = 1, 2, 3
"""Classes of events, each in partitions of its own."""

CLASS_OF_CATEGORY = {"job": JOB, "task": JOB, "schedule": JOB, "output": OUTPUT}
"""Class of the streams of a category; every other category is configuration."""

STREAM_NAME = re.compile(r"[a-z_]+-[A-Za-z0-9_.:]+(?:-[A-Za-z0-9_.:]+)*\Z")
"""A stream's name: its category, ``-``, and an id."""

MAX_STREAM_NAME = 200
MAX_DATA = 16 * 1024 * 1024
"""Largest JSON document of an event, in bytes."""

MAX_PAYLOAD = 16 * 1024 * 1024
"""Largest payload of an event, in bytes."""


class Cursor(NamedTuple):
    """Place in the order of the whole log. Cursors compare as the log is ordered."""

    epoch: int
    xid: int
    position: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.xid}.{self.position}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Read a cursor as :meth:`__str__` writes it.

        Examples
        --------
        >>> Cursor.parse("1.742.16")
        Cursor(epoch=1, xid=742, position=16)
        """
        epoch, xid, position = text.split(".")
        return cls(int(epoch), int(xid), int(position))


START = Cursor(0, 0, 0)
"""Before the first event."""


class Meta(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who caused an event, by what way, and what it belongs to.

    Attributes
    ----------
    actor : str
        ``system``, ``user:1`` or ``daemon:scheduler``.
    source : str
        ``cli``, ``web``, ``api``, ``scheduler``, ``executor`` …
    correlation : str or None
        Identifier shared by all events of one undertaking.
    causation : str or None
        Cursor of the event that led to this one.
    traceparent : str or None
        W3C Trace Context header.
    """

    actor: str = "system"
    source: str = "system"
    correlation: str | None = None
    causation: str | None = None
    traceparent: str | None = None


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """Events for one stream, and the version it must have.

    No events make a guard: the append goes ahead only if the stream is at the expected version. ``payloads`` holds the
    raw bytes of each event that has some, in the order of the events; ``payload_digests`` the SHA-256 of each,
    where whoever makes them has computed it already.
    """

    stream: str
    company_id: int | None = None
    events: Sequence[Event] = ()
    expected: int = ANY
    payloads: Sequence[bytes | None] | None = None
    payload_digests: Sequence[bytes | None] | None = None


class Appended(NamedTuple):
    """What an append did.

    The stream's version now, the place of its last event, and whether an earlier call had done it.
    """

    stream: str
    version: int
    cursor: Cursor
    replayed: bool = False


def category_of(stream: str) -> str:
    """Return the category of a stream.

    Examples
    --------
    >>> category_of("run_template-42")
    'run_template'
    """
    return stream.partition("-")[0]


def class_of(stream: str) -> int:
    """Return the class of the events of a stream."""
    return CLASS_OF_CATEGORY.get(category_of(stream), CONFIGURATION)


class StoredEvent(NamedTuple):
    """An event as the database gives it back; ``data`` and ``meta`` are JSON text."""

    epoch: int
    xid: int
    position: int
    stream: str
    version: int
    type: str
    company_id: int | None
    time: datetime
    data: str
    meta: str
    payload: bytes | None
    hash: bytes
