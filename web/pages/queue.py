"""``/multiflexi/queue``: what waits and why, live; and ``/multiflexi/pause/WHAT/ID``: pausing and resuming."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Stream

from commands.shell import Shell
from web.access import AnyRequest, acting_as
from web.data import pauses, queue
from web.data.company_choice import Choice
from web.data.pauses import KINDS, Subject
from web.data.queue import Queue
from web.errors import N_, NotFoundError
from web.pages.live_page import live_page
from web.rendering import digest, page, safe
from web.site import Site
from web.sse import Parts
from web.view import View, named_id

TEMPLATE = "parts/queue.html"
LIVE_PARTS = ("figures", "pauses", "rows", "groups")


@get("/queue")
async def show(view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show a page of the queue."""
    shown, choice = await read(site, view)
    parts = parts_of(site, view, shown, choice)
    html = site.renderer.render(
        "queue.html",
        view,
        parts={part: safe(text) for part, text in parts.items()},
        live_url=view.url("queue/live", skip=shown.skip or None, since=digest(parts)),
        shown=shown,
        choice=choice,
        clock=view.clock(choice.time_zone),
    )
    return page(html)


@get("/queue.json")
async def show_json(view: NamedDependency[View], site: NamedDependency[Site]) -> Queue:
    """Return a page of the queue."""
    return (await read(site, view))[0]


@get("/queue/live")
async def live(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], since: FromQuery[str] = ""
) -> Stream:
    """Send the queue as it changes."""

    async def make() -> Parts:
        return parts_of(site, view, *await read(site, view))

    return live_page(request, view, site, "queue", make, since)


@get("/pause/{what:str}/{name:str}")
async def ask(
    view: NamedDependency[View], site: NamedDependency[Site], what: FromPath[str], name: FromPath[str]
) -> Response[str] | Response[Subject]:
    """Ask whether something is to be paused or resumed, and say what that means; with ``.json``, return how it is."""
    found = await subject(site, view, what, name.removesuffix(".json"))
    if name.endswith(".json"):
        return Response(found)
    return page(site.renderer.render("pause.html", view, subject=found, back=back(view, found)))


@post("/pause/{what:str}/{name:str}")
async def change(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    what: FromPath[str],
    name: FromPath[str],
) -> Redirect:
    """Pause something, or resume it, and lead back to where that shows."""
    found = await subject(site, view, what, name)
    form = await request.form()
    pause = form.get("do") == "pause"
    wish = pauses.command_of(found.what, found.id, pause, str(form.get("reason") or "") or None)
    await Shell(site.database.store).execute(wish, await acting_as(request), source="web")
    return Redirect(back(view, found), status_code=303)


async def read(site: Site, view: View) -> tuple[Queue, Choice]:
    """Return a page of the queue, and what the filter of companies offers."""
    async with site.database.reading(view.companies) as connection:
        return await queue.load(connection, view)


def parts_of(site: Site, view: View, shown: Queue, choice: Choice) -> Parts:
    """Return the live parts of the page."""
    return site.renderer.parts(TEMPLATE, view, LIVE_PARTS, shown=shown, clock=view.clock(choice.time_zone))


async def subject(site: Site, view: View, what: str, name: str) -> Subject:
    """Return what an address names.

    Raises
    ------
    NotFoundError
        There is no such thing.
    """
    missing = N_("There is nothing of that kind with the number {id}.")
    if what not in KINDS:
        raise NotFoundError(missing, id=name[:40])
    number = named_id(name, missing)
    async with site.database.reading(view.companies) as connection:
        return await pauses.subject(connection, what, number)


def back(view: View, found: Subject) -> str:
    """Return the address of the page that shows whether something is paused."""
    return view.url(f"run-template/{found.id}") if found.what == pauses.TEMPLATE else view.url("queue")


HANDLERS = (show, show_json, live, ask, change)
