"""``/multiflexi/jobs``: the list of jobs; its first page is live."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Stream

from web.access import AnyRequest
from web.data import jobs
from web.data.company_choice import Choice
from web.data.jobs import JobList
from web.pages.live_page import live_page
from web.rendering import digest, page, safe
from web.site import Site
from web.sse import Parts
from web.view import View

TEMPLATE = "parts/jobs.html"
LIVE_PARTS = ("rows",)


async def read(site: Site, view: View) -> tuple[JobList, Choice]:
    """Return a page of jobs, and what the filter of companies offers."""
    async with site.database.reading(view.companies) as connection:
        return await jobs.load(connection, view)


def parts_of(site: Site, view: View, listed: JobList, choice: Choice) -> Parts:
    """Return the live parts of the page."""
    return site.renderer.parts(TEMPLATE, view, LIVE_PARTS, listed=listed, clock=view.clock(choice.time_zone))


@get("/jobs")
async def show(view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show a page of jobs."""
    listed, choice = await read(site, view)
    parts = parts_of(site, view, listed, choice)
    live_url = None
    if listed.filters.before is None:
        filters = {"status": listed.filters.status, "template": listed.filters.template}
        live_url = view.url("jobs/live", **filters, since=digest(parts))
    html = site.renderer.render(
        "jobs.html",
        view,
        parts={part: safe(text) for part, text in parts.items()},
        live_url=live_url,
        listed=listed,
        choice=choice,
        clock=view.clock(choice.time_zone),
    )
    return page(html)


@get("/jobs.json")
async def show_json(view: NamedDependency[View], site: NamedDependency[Site]) -> JobList:
    """Return a page of jobs."""
    return (await read(site, view))[0]


@get("/jobs/live")
async def live(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], since: FromQuery[str] = ""
) -> Stream:
    """Send the first page of jobs as it changes."""
    jobs.filters_of(view)  # what is wrong with a parameter is told before the stream begins

    async def make() -> Parts:
        return parts_of(site, view, *await read(site, view))

    return live_page(request, view, site, "jobs", make, since)


HANDLERS = (show, show_json, live)
