"""``/multiflexi/job/ID``: one job with its output, live."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from commands.actor import Actor
from eventstore.output import read_output
from web.access import AnyRequest, need
from web.data import artifacts, job, output_window
from web.data.job import CHANNELS, JobShown
from web.data.output_window import Window
from web.errors import N_, GoneError, NotFoundError
from web.output.lines import Place
from web.pages.job_live import JobStream
from web.rendering import digest, page, safe
from web.site import Site
from web.sse import Sent, stream
from web.view import View, named_id

TEMPLATE = "parts/job.html"
LIVE_PARTS = ("head", "notices", "facts", "timeline", "output_state", "downloads", "files")


async def read(site: Site, view: View, job_id: int, actor: Actor) -> JobShown:
    """Return a job with its timeline, and with its files for those who may see what jobs wrote."""
    async with site.database.reading(view.companies) as connection:
        shown = await job.load(connection, site.database.store.keyring, job_id, view, site.renderer.translate(view))
    happened, end = await job.life(site.database.store, job_id)
    visible = actor.may("output.view", shown.job.company_id)
    shown = msgspec.structs.replace(shown, timeline=happened, output_visible=visible)
    if end is None or not end.artifacts or not visible:
        return shown
    async with site.database.reading(view.companies) as connection:
        files = await artifacts.files_of(connection, end, removed="artifacts" in shown.removals)
    return msgspec.structs.replace(shown, artifacts=files, artifacts_left_out=end.artifacts_left_out)


def parts_of(site: Site, view: View, shown: JobShown, nothing_there: bool, erased: bool) -> dict[str, str]:
    """Return the live parts of the page.

    Parameters
    ----------
    nothing_there : bool
        Whether there is no output that can be read.
    erased : bool
        Whether some of its output was removed.
    """
    return site.renderer.parts(
        TEMPLATE,
        view,
        LIVE_PARTS,
        shown=shown,
        job=shown.job,
        clock=view.clock(shown.time_zone),
        nothing_there=nothing_there,
        erased=erased,
    )


@get("/job/{name:str}")
async def show(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str] | Response[JobShown]:
    """Show a job; with ``.json`` after its id, return it."""
    job_id = identifier_of(name.removesuffix(".json"))
    shown = await read(site, view, job_id, request.user)
    if name.endswith(".json"):
        return Response(shown)
    window = await output_window.load(site.database.store, shown) if shown.output_visible else output_window.NOTHING
    clock = view.clock(shown.time_zone)
    parts = parts_of(site, view, shown, not window.lines, window.erased)
    html = site.renderer.render(
        "job.html",
        view,
        parts={part: safe(text) for part, text in parts.items()},
        live_url=_live_url(view, shown, window, digest(parts)),
        shown=shown,
        job=shown.job,
        window=window,
        clock=clock,
    )
    return page(html)


@get("/job/{name:str}/live")
async def live(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    since: FromQuery[str] = "",
) -> Stream:
    """Send the parts of the page as they change, and the lines of the output as they come."""
    job_id = identifier_of(name)
    shown = await read(site, view, job_id, request.user)
    known, _, place = (request.headers.get("last-event-id") or since).partition("/")
    clock = view.clock(shown.time_zone)

    async def events() -> AsyncIterator[bytes]:
        with site.hub.watch(job_id) as watcher:
            streamed = JobStream(
                site.database.store,
                job_id,
                watcher=watcher,
                clock=clock,
                read=partial(read, site, view, job_id, request.user),
                parts=partial(parts_of, site, view),
                sent=Sent(known),
                place=Place.parse(place),
            )
            async for event in streamed.events():
                yield event

    return stream(events())


@get("/job/{name:str}/output/{file:str}")
async def download(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    file: FromPath[str],
) -> Stream:
    """Return what a job wrote to one channel, byte for byte, from the log."""
    job_id = identifier_of(name)
    channel = file.removesuffix(".txt")
    if channel not in CHANNELS or not file.endswith(".txt"):
        raise NotFoundError(N_("A job has no output {name}; there are stdout.txt and stderr.txt."), name=file[:40])
    async with site.database.reading(view.companies) as connection:
        shown = await job.load(connection, site.database.store.keyring, job_id, view, site.renderer.translate(view))
    await need(request, "output.view", shown.job.company_id, wish=f"see the output of job {job_id}")
    pieces = _pieces(site, job_id, channel)
    first = await anext(pieces, b"")
    if not first and any(each.name == channel and each.bytes for each in shown.channels) and shown.finished:
        raise GoneError(N_("The output was removed, as the time for which the company keeps it is over."))

    async def content() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    disposition = f'attachment; filename="job-{job_id}-{channel}.txt"'
    return Stream(content(), media_type="text/plain", headers={"content-disposition": disposition})


async def _pieces(site: Site, job_id: int, channel: str) -> AsyncIterator[bytes]:
    async for chunk in read_output(site.database.store, job_id):
        if chunk.channel == channel and chunk.data:
            yield chunk.data


def identifier_of(name: str) -> int:
    """Return the id of a job in an address.

    Raises
    ------
    NotFoundError
        It cannot be one.
    """
    return named_id(name, N_("There is no job {id}."))


def _live_url(view: View, shown: JobShown, window: Window, known: str) -> str | None:
    if shown.finished:
        return None
    return view.url(f"job/{shown.job.id}/live", since=f"{known}/{window.place}")


HANDLERS = (show, live, download)
