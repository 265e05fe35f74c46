"""Server-sent events (HTML Living Standard, 9.2): how they are written, and streams of the parts of a page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
from litestar.response import Stream

from web.database import RETRY
from web.errors import UnavailableError
from web.live import Snapshots, Watcher
from web.rendering import digest

HEARTBEAT = 15.0
"""Seconds after which a comment is sent, so that neither proxies nor clients take the stream for dead."""

RECONNECT_AFTER = 1000
"""Milliseconds after which a browser connects again."""

HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}

Parts = dict[str, str]


def message(data: object, *, event: str | None = None, identity: str | None = None) -> bytes:
    r"""Return an event with JSON data.

    Examples
    --------
    >>> message({"a": 1}, event="parts", identity="7")
    b'id: 7\nevent: parts\ndata: {"a":1}\n\n'
    """
    head = (f"id: {identity}\n" if identity is not None else "") + (f"event: {event}\n" if event else "")
    return b"%sdata: %s\n\n" % (head.encode(), msgspec.json.encode(data))


COMMENT = b": alive\n\n"
OPENING = f"retry: {RECONNECT_AFTER}\n\n".encode()


def stream(events: AsyncIterator[bytes]) -> Stream:
    """Return events as an answer that lasts."""
    return Stream(events, media_type="text/event-stream", headers=HEADERS)


class Sent:
    """What one client has been sent, so that it is sent only what differs.

    Parameters
    ----------
    known : str
        Digest of the parts that the client has, empty if it has none.
    """

    def __init__(self, known: str = "") -> None:
        self.known = known
        self._parts: Parts = {}

    def update(self, parts: Parts, place: str = "") -> bytes | None:
        """Return the event that brings the client up to date, or None if it is.

        Parameters
        ----------
        parts : Parts
            The parts as they are now.
        place : str
            What the id of the event says beside their digest.
        """
        identity = digest(parts)
        if identity == self.known:
            self._parts = parts
            return None
        changed = {
            name: html
            for name, html in parts.items()
            if name not in self._parts or digest({name: html}) != digest({name: self._parts[name]})
        }
        self.known, self._parts = identity, parts
        return message(changed, event="parts", identity=identity + place)


async def live_parts(
    watcher: Watcher,
    known: str,
    key: object,
    snapshots: Snapshots,
    make: Callable[[], Awaitable[Parts]],
) -> AsyncIterator[bytes]:
    """Yield what changes in a page, for ever.

    Parameters
    ----------
    watcher : Watcher
        Tells when to look.
    known : str
        Digest of what the client has.
    key : object
        What the client has in common with those that see the same.
    snapshots : Snapshots
        What has been made for the others.
    make : Callable[[], Awaitable[Parts]]
        Makes the parts of the page as they are now.
    """
    yield OPENING
    sent = Sent(known)
    away = False
    while not watcher.ended:
        try:
            update = sent.update(await snapshots.get(key, watcher.version, make))
        except UnavailableError:
            yield COMMENT if away else message({"away": True}, event="database")
            away = True
            await watcher.wait(RETRY)
            continue
        if away:
            yield message({"away": False}, event="database")
        away = False
        if update:
            yield update
        elif not watcher.ended:
            yield COMMENT
        await watcher.wait(HEARTBEAT)
