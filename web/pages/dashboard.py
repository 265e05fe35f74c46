"""``/multiflexi/``: the dashboard."""

from __future__ import annotations

from collections.abc import AsyncIterator

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Stream

from web.access import AnyRequest
from web.data import dashboard
from web.data.dashboard import Dashboard
from web.rendering import digest, page, safe
from web.site import Site
from web.sse import Parts, live_parts, stream
from web.view import View

TEMPLATE = "parts/dashboard.html"


@get("/", name="dashboard")
async def show(view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the dashboard."""
    async with site.database.reading(view.companies) as connection:
        shown, choice = await dashboard.load(connection, view)
    clock = view.clock(choice.time_zone)
    parts = site.renderer.parts(TEMPLATE, view, dashboard.LIVE_PARTS, dashboard=shown, clock=clock)
    html = site.renderer.render(
        "dashboard.html",
        view,
        parts={name: safe(part) for name, part in parts.items()},
        digest=digest(parts),
        choice=choice,
        clock=clock,
        dashboard=shown,
    )
    return page(html)


@get("/dashboard.json")
async def show_json(view: NamedDependency[View], site: NamedDependency[Site]) -> Dashboard:
    """Return what the dashboard shows."""
    async with site.database.reading(view.companies) as connection:
        return (await dashboard.load(connection, view))[0]


@get("/live")
async def live(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], since: FromQuery[str] = ""
) -> Stream:
    """Send the parts of the dashboard as they change."""
    known = request.headers.get("last-event-id") or since

    async def make() -> Parts:
        async with site.database.reading(view.companies) as connection:
            shown, choice = await dashboard.load(connection, view)
        clock = view.clock(choice.time_zone)
        return site.renderer.parts(TEMPLATE, view, dashboard.LIVE_PARTS, dashboard=shown, clock=clock)

    async def events() -> AsyncIterator[bytes]:
        with site.hub.watch() as watcher:
            async for event in live_parts(watcher, known, ("dashboard", *view.key), site.snapshots, make):
                yield event

    return stream(events())


HANDLERS = (show, show_json, live)
