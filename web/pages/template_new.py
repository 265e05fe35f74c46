"""``/multiflexi/run-templates/new``: a run template; ``/multiflexi/company/ID/populate``: one of each application."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.actor import Actor, require
from commands.copies import populate
from commands.shell import Shell
from domain.run_template import CreateRunTemplate
from web.access import AnyRequest, acting_as, need
from web.data import template_form, template_new
from web.data.template_new import Offered, Populated
from web.errors import N_
from web.forms import Wrong, key_of, sent
from web.pages.companies import identifier_of
from web.pages.company_field import company_missing
from web.pages.template_edit import OPTIONS
from web.rendering import page
from web.site import Site
from web.view import View

CONFIGURE = "template.configure"
SET = ("interval", "cron", "executor")
"""Fields that are asked for when many are made."""

NO_APPLICATION = N_("Choose an application.")


@get("/run-templates/new")
async def ask(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the form of a new run template."""
    offered = await choices(request, view, site)
    form = {"company_id": str(view.company_id or ""), "application_id": view.parameters.get("app", "")}
    return page(render_new(site, view, offered, form, {}))


@post("/run-templates/new")
async def create(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Redirect | Response[str]:
    """Make a run template, switched off, and lead to the form of all it has."""
    offered, form, translate = await choices(request, view, site), await sent(request), site.renderer.translate(view)
    company, application = form.get("company_id", ""), form.get("application_id", "")
    wrong = Wrong(translate, ("name", "company_id", "application_id"))
    if missing := await company_missing(request, company, offered.companies, CONFIGURE, wish="make run templates"):
        wrong.fields["company_id"] = translate(missing)
    names = {str(one.id): one.name for one in offered.applications}
    if application not in names:
        wrong.fields["application_id"] = translate(NO_APPLICATION)
    if not wrong:
        name = form.get("name", "").strip() or names[application]
        wish = CreateRunTemplate(
            company_id=int(company), application_id=int(application), name=name, active=False, interval="n"
        )
        with wrong:
            outcome = await Shell(site.database.store).execute(
                wish, await acting_as(request), key=key_of(form), source="web"
            )
            return Redirect(view.url(f"run-template/{outcome.id}/edit"), status_code=303)
    return page(render_new(site, view, offered, form, wrong.fields), 422)


@get("/company/{name:str}/populate")
async def ask_to_populate(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Show which applications of a company would get a run template, and ask how they are to be."""
    shown = await read(request, view, site, name)
    return page(render(site, view, shown, {"interval": "n", "executor": "Native"}, {}))


@post("/company/{name:str}/populate")
async def make_all(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Make a run template of each application of a company that has none, all or none of them."""
    shown, form, translate = await read(request, view, site, name), await sent(request), site.renderer.translate(view)
    fields, errors = template_form.wish_of(
        {field: form.get(field, "") for field in SET}, dict.fromkeys(SET, ""), view.clock(shown.time_zone), translate
    )
    wrong = Wrong(translate, SET, errors)
    if not wrong:
        actor: Actor = await acting_as(request)
        fields["active"] = bool(form.get("active"))
        with wrong:
            made = await populate(Shell(site.database.store), actor, shown.company_id, fields, source="web")
            numbers = {application: outcome.id for application, outcome in made}
            return page(render(site, view, await read(request, view, site, name), form, {}, made=numbers))
    return page(render(site, view, shown, form, wrong.fields), 422)


async def choices(request: AnyRequest, view: View, site: Site) -> Offered:
    """Return the companies and applications to choose from; whoever may make none is refused."""
    actor = await acting_as(request)
    async with site.database.reading(view.companies) as connection:
        offered = await template_new.offered(connection, view, lambda one: actor.may(CONFIGURE, one))
    if not offered.companies:
        await need(request, CONFIGURE, view.company_id, wish="make run templates")
    return offered


async def read(request: AnyRequest, view: View, site: Site, name: str) -> Populated:
    """Return the applications of a company, for those who may make run templates there."""
    async with site.database.reading(view.companies) as connection:
        shown = await template_new.populated(connection, identifier_of(name))
    require(await acting_as(request), CONFIGURE, shown.company_id, wish="make run templates")
    return shown


def render_new(site: Site, view: View, offered: Offered, form: Mapping[str, str], errors: Mapping[str, str]) -> str:
    """Return the page with the form of a new run template."""
    typed = {name: form.get(name, "") for name in ("name", "company_id", "application_id")}
    return site.renderer.render(
        "template_new.html", view, offered=offered, typed=typed, errors=errors, key=str(uuid.uuid4())
    )


def render(
    site: Site,
    view: View,
    shown: Populated,
    form: Mapping[str, str],
    errors: Mapping[str, str],
    made: Mapping[int, int] | None = None,
) -> str:
    """Return the page of a company's applications; ``made`` are the run templates that were made of them."""
    typed: dict[str, Any] = {name: form.get(name, "") for name in (*SET, "active")}
    return site.renderer.render(
        "populate.html", view, shown=shown, typed=typed, errors=errors, made=made, options=OPTIONS
    )


HANDLERS = (ask, create, ask_to_populate, make_all)
