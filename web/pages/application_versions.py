"""``/multiflexi/application/ID/compare``: two definitions that an application has had, side by side."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from web.access import AnyRequest, acting_as
from web.data import application_versions
from web.data.application_versions import Compared
from web.pages.applications import CHANGE, identifier_of
from web.rendering import page
from web.site import Site
from web.view import View


@get("/application/{name:str}/compare")
async def show(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Show two definitions side by side."""
    shown = await read(view, site, name)
    allowed = (await acting_as(request)).may(CHANGE)
    return page(site.renderer.render("application_compare.html", view, shown=shown, may_change=allowed))


@get("/application/{name:str}/compare.json")
async def show_json(view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]) -> Compared:
    """Return the same as JSON."""
    return await read(view, site, name)


async def read(view: View, site: Site, name: str) -> Compared:
    """Return what the page shows."""
    async with site.database.reading(view.companies) as connection:
        return await application_versions.load(connection, identifier_of(name), view)


HANDLERS = (show, show_json)
