"""``/multiflexi/company/ID/clone``: a company set up like another one, after what is taken over was told."""

from __future__ import annotations

from collections.abc import Mapping

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from commands.actor import require
from commands.company_clone import Cloned, clone
from commands.shell import Shell
from domain.company import CreateCompany
from web.access import AnyRequest, acting_as
from web.data.companies import CompanyShown
from web.forms import Wrong, sent
from web.pages.companies import creating, identifier_of, read
from web.rendering import page
from web.site import Site
from web.view import View

FIELDS = ("name", "code")
SEEN = ("company.view", "template.view", "credential.view")
"""What one must see of a company to set up another one like it."""


@get("/company/{name:str}/clone")
async def ask(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Tell what a new company would have of this one, and ask for its name."""
    shown = await like(request, view, site, name)
    return page(render(site, view, shown, {}, {}))


@post("/company/{name:str}/clone")
async def set_up(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Set up a company like this one, and tell what was made and what is left to do."""
    shown, form = await like(request, view, site, name), await sent(request)
    wish = CreateCompany(name=form.get("name", "").strip(), code=form.get("code", "").strip() or None)
    wrong = Wrong(site.renderer.translate(view), FIELDS)
    with wrong:
        made = await clone(Shell(site.database.store), await acting_as(request), shown.company.id, wish, via="web")
        return page(render(site, view, shown, form, {}, made=made))
    return page(render(site, view, shown, form, wrong.fields), 422)


async def like(request: AnyRequest, view: View, site: Site, name: str) -> CompanyShown:
    """Return the company that another one is to be like, for those who may set up companies and see all of this one."""
    actor = await creating(request)
    shown = await read(view, site, identifier_of(name))
    for permission in SEEN:
        require(actor, permission, shown.company.id, wish="clone a company")
    return shown


def render(
    site: Site,
    view: View,
    shown: CompanyShown,
    form: Mapping[str, str],
    errors: Mapping[str, str],
    made: Cloned | None = None,
) -> str:
    """Return the page: the form, or what was made."""
    typed = {name: form.get(name, "") for name in FIELDS}
    return site.renderer.render(
        "company_clone.html", view, shown=shown, company=shown.company, typed=typed, errors=errors, made=made
    )


HANDLERS = (ask, set_up)
