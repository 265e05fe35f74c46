"""The stream of a live page whose parts all viewers of the same share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from litestar.response import Stream

from web.access import AnyRequest
from web.site import Site
from web.sse import Parts, live_parts, stream
from web.view import View


def live_page(
    request: AnyRequest, view: View, site: Site, name: str, make: Callable[[], Awaitable[Parts]], since: str
) -> Stream:
    """Send the parts of a page as they change.

    Parameters
    ----------
    name : str
        Of the page; with its parameters and the viewer's ways it names what is shown.
    make : Callable[[], Awaitable[Parts]]
        Makes the parts as they are now.
    since : str
        Digest of the parts that the page was made with.
    """
    known = request.headers.get("last-event-id") or since
    narrowed = tuple(sorted((key, value) for key, value in view.parameters.items() if key != "since"))

    async def events() -> AsyncIterator[bytes]:
        with site.hub.watch() as watcher:
            async for event in live_parts(watcher, known, (name, narrowed, *view.key), site.snapshots, make):
                yield event

    return stream(events())
