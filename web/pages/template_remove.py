"""``/multiflexi/run-template/ID/remove``: what goes with a run template is told before it is taken away."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.actor import require
from commands.shell import Shell
from domain.run_template import RemoveRunTemplate
from web.access import AnyRequest, acting_as
from web.data.template_edit import Edited
from web.pages.template_edit import read
from web.rendering import page
from web.site import Site
from web.view import View


@get("/run-template/{name:str}/remove")
async def ask(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Ask whether a run template is to be removed, and tell what that means."""
    edited = await removable(request, view, site, name)
    return page(site.renderer.render("template_remove.html", view, template=edited))


@post("/run-template/{name:str}/remove")
async def remove(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect:
    """Remove a run template, and lead to the others."""
    edited = await removable(request, view, site, name)
    wish = RemoveRunTemplate(run_template_id=edited.id)
    await Shell(site.database.store).execute(wish, await acting_as(request), source="web")
    return Redirect(view.url("run-templates"), status_code=303)


async def removable(request: AnyRequest, view: View, site: Site, name: str) -> Edited:
    """Return a run template, for those who may take it away."""
    edited = await read(site, view, name)
    require(await acting_as(request), "template.configure", edited.record["company_id"], wish="remove a run template")
    return edited


HANDLERS = (ask, remove)
