"""``/multiflexi/job/ID/artifact/NUMBER``: a file that a job left: looked at, and sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import nullcontext

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from eventstore.artifacts import ArtifactMissingError, read_artifact
from web.access import AnyRequest, need
from web.data import artifacts
from web.data.artifacts import ArtifactShown
from web.data.job import JobShown
from web.errors import N_, GoneError, NotFoundError
from web.pages.job import identifier_of, read
from web.rendering import page
from web.site import Site
from web.view import View

LARGE = 8 * artifacts.MIB
AT_ONCE = 3
"""Large contents, of up to 256 MiB, that are held in memory at once; further ones wait."""

PIECE = 64 * 1024
ALONE = "default-src 'none'; sandbox"
"""Policy of what jobs wrote: it may do nothing at all."""

_room = asyncio.Semaphore(AT_ONCE)


@get("/job/{name:str}/artifact/{number:str}")
async def show(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    number: FromPath[str],
) -> Response[str] | Response[ArtifactShown]:
    """Show a file of a job; with ``.json`` after its number, return what is known of it."""
    shown, artifact = await _find(request, site, view, name, number.removesuffix(".json"))
    if number.endswith(".json"):
        return Response(artifact)
    text, cut, image = None, False, False
    if artifact.shows:
        data = await _content(site, shown, artifact)
        if artifact.kind == "text":
            text, cut = await asyncio.to_thread(artifacts.shown_text, artifact, data)
        else:
            image = artifacts.is_image(artifact, data)
    html = site.renderer.render(
        "artifact.html",
        view,
        job=shown.job,
        artifact=artifact,
        removal=shown.removals.get("artifacts"),
        text=text,
        cut=cut,
        image=image,
        clock=view.clock(shown.time_zone),
    )
    return page(html)


@get("/job/{name:str}/artifact/{number:str}/image")
async def picture(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    number: FromPath[str],
) -> Response[bytes]:
    """Return an image for the page that shows it."""
    shown, artifact = await _find(request, site, view, name, number)
    data = await _content(site, shown, artifact) if artifact.kind == "image" and artifact.shows else b""
    if not artifacts.is_image(artifact, data):
        raise NotFoundError(N_("The file {name} is no image that can be shown."), name=artifact.name)
    headers = {"content-security-policy": ALONE, "content-disposition": "inline"}
    return Response(data, media_type=artifact.bare_type, headers=headers)


@get("/job/{name:str}/artifact/{number:str}/download")
async def download(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    number: FromPath[str],
) -> Stream:
    """Send a file, to be saved."""
    shown, artifact = await _find(request, site, view, name, number)
    if artifact.removed:
        raise _gone(artifact)

    async def pieces() -> AsyncIterator[bytes]:
        async with _room if artifact.size > LARGE else nullcontext():
            data = memoryview(await _content(site, shown, artifact))
            for begin in range(0, len(data), PIECE):
                yield bytes(data[begin : begin + PIECE])

    headers = {
        "content-disposition": artifacts.disposition(artifact.name),
        "content-length": str(artifact.size),
        "content-security-policy": ALONE,
        "etag": f'"{artifact.digest}"',
    }
    return Stream(pieces(), media_type=artifact.sent_type, headers=headers)


async def _find(request: AnyRequest, site: Site, view: View, name: str, number: str) -> tuple[JobShown, ArtifactShown]:
    shown = await read(site, view, identifier_of(name), request.user)
    await need(request, "output.view", shown.job.company_id, wish=f"see a file of job {shown.job.id}")
    found = next((each for each in shown.artifacts if str(each.number) == number), None)
    if found is None:
        raise NotFoundError(N_("Job {id} left no file {number}."), id=shown.job.id, number=number[:20])
    return shown, found


async def _content(site: Site, shown: JobShown, artifact: ArtifactShown) -> bytes:
    if artifact.removed:
        raise _gone(artifact)
    try:
        return await read_artifact(site.database.store, shown.job.company_id, artifact.digest)
    except ArtifactMissingError:
        raise _gone(artifact) from None


def _gone(artifact: ArtifactShown) -> GoneError:
    return GoneError(
        N_("The file {name} was removed, as the time for which the company keeps it is over."), name=artifact.name
    )


HANDLERS = (show, picture, download)
