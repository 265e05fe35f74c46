"""``/multiflexi/run-template/ID/credentials``: which credentials its jobs get, and what another one would hide."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.actor import require
from commands.facts import SqlFacts
from commands.shell import Shell
from domain.run_template import AssignCredential, UnassignCredential
from eventstore.blind_index import BlindIndex
from web.access import AnyRequest, acting_as
from web.data import template_credentials
from web.data.template_credentials import HIDES, TemplateCredentials
from web.forms import Wrong, sent
from web.pages.run_templates import identifier_of
from web.rendering import page
from web.site import Site
from web.view import View, identifier


@get("/run-template/{name:str}/credentials")
async def show(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Show the credentials of a run template, and those of its company with what each would hide."""
    return page(await render(request, site, view, await read(request, site, view, name), {}))


@get("/run-template/{name:str}/credentials.json")
async def show_json(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> TemplateCredentials:
    """Return the same as JSON."""
    return await read(request, site, view, name)


@post("/run-template/{name:str}/credentials/{what:str}")
async def change(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    what: FromPath[str],
) -> Redirect | Response[str]:
    """Let jobs of a run template get the values of a credential (``assign``), or no longer (``unassign``)."""
    number, form = identifier_of(name), await sent(request)
    credential = identifier(form.get("credential_id") or "-", "credential")
    kind = AssignCredential if what == "assign" else UnassignCredential
    wish = kind(run_template_id=number, credential_id=credential)
    wrong = Wrong(site.renderer.translate(view))
    with wrong:
        await Shell(site.database.store).execute(wish, await acting_as(request), source="web")
        return Redirect(view.url(f"run-template/{number}/credentials"), status_code=303)
    return page(await render(request, site, view, await read(request, site, view, name), wrong.fields), 422)


async def read(request: AnyRequest, site: Site, view: View, name: str) -> TemplateCredentials:
    """Return what the page shows, if its user may see credentials of that company."""
    store = site.database.store
    facts = SqlFacts(store.pool, BlindIndex(store.keyring))
    async with site.database.reading(view.companies) as connection:
        found = await template_credentials.load(connection, facts, identifier_of(name))
    require(await acting_as(request), "credential.view", found.company_id, wish="see the credentials of a run template")
    return found


async def render(
    request: AnyRequest, site: Site, view: View, shown: TemplateCredentials, errors: dict[str, str]
) -> str:
    """Return the page."""
    may_assign = (await acting_as(request)).may("credential.assign", shown.company_id)
    return site.renderer.render(
        "template_credentials.html", view, shown=shown, errors=errors, hides=HIDES, may_assign=may_assign
    )


HANDLERS = (show, show_json, change)
