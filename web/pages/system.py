"""``/multiflexi/system``: how the parts of the program are, live."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Stream

from web.access import AnyRequest
from web.data import system
from web.data.system import SystemShown
from web.pages.live_page import live_page
from web.rendering import digest, page, safe
from web.site import Site
from web.sse import Parts
from web.view import View

TEMPLATE = "parts/system.html"
LIVE_PARTS = ("state", "daemons", "models", "store")


@get("/system")
async def show(view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show how the system is."""
    parts = parts_of(site, view, await read(site, view))
    html = site.renderer.render(
        "system.html",
        view,
        parts={part: safe(text) for part, text in parts.items()},
        live_url=view.url("system/live", since=digest(parts)),
    )
    return page(html)


@get("/system.json")
async def show_json(view: NamedDependency[View], site: NamedDependency[Site]) -> SystemShown:
    """Return how the system is."""
    return await read(site, view)


@get("/system/live")
async def live(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], since: FromQuery[str] = ""
) -> Stream:
    """Send how the system is as it changes."""

    async def make() -> Parts:
        return parts_of(site, view, await read(site, view))

    return live_page(request, view, site, "system", make, since)


async def read(site: Site, view: View) -> SystemShown:
    """Return how the system is."""
    async with site.database.reading(view.companies) as connection:
        return await system.load(connection)


def parts_of(site: Site, view: View, shown: SystemShown) -> Parts:
    """Return the live parts of the page."""
    return site.renderer.parts(TEMPLATE, view, LIVE_PARTS, shown=shown)


HANDLERS = (show, show_json, live)
