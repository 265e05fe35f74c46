"""``/multiflexi/static/``: files that browsers load."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from web.access import AnyRequest
from web.assets import FOREVER
from web.errors import N_, NotFoundError
from web.site import Site


@get("/static/{name:str}", exclude_from_csrf=True)
async def file(request: AnyRequest, site: NamedDependency[Site], name: FromPath[str]) -> Response[bytes]:
    """Return a file by its final name."""
    asset = site.assets.find(name)
    if asset is None:
        raise NotFoundError(N_("There is no file {name}."), name=name[:80])
    headers = {"cache-control": FOREVER, "vary": "accept-encoding"}
    content = asset.content
    if asset.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content = asset.gzipped
        headers["content-encoding"] = "gzip"
    return Response(content, media_type=asset.media_type, headers=headers)


HANDLERS = (file,)
