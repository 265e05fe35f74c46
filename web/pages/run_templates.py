"""``/multiflexi/run-templates`` and ``/multiflexi/run-template/ID``."""

from __future__ import annotations

import uuid

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from web.access import AnyRequest, acting_as, may_somewhere
from web.data import preview, run_templates, template_changes
from web.data.run_templates import TemplateList, TemplateShown
from web.errors import N_
from web.rendering import page
from web.site import Site
from web.view import View, named_id

NEXT = 5
"""Runs to come that are listed."""


@get("/run-templates")
async def show_list(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show a page of run templates."""
    actor = await acting_as(request)
    async with site.database.reading(view.companies) as connection:
        listed, choice = await run_templates.load_list(connection, view)
    clock = view.clock(choice.time_zone)
    return page(
        site.renderer.render(
            "run_templates.html",
            view,
            listed=listed,
            choice=choice,
            clock=clock,
            may_configure=may_somewhere(actor, "template.configure", view.company_id),
        )
    )


@get("/run-templates.json")
async def show_list_json(view: NamedDependency[View], site: NamedDependency[Site]) -> TemplateList:
    """Return a page of run templates."""
    async with site.database.reading(view.companies) as connection:
        return (await run_templates.load_list(connection, view))[0]


@get("/run-template/{name:str}")
async def show(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    saved: FromQuery[str] = "",
) -> Response[str] | Response[TemplateShown]:
    """Show a run template; with ``.json`` after its id, return it."""
    template_id = identifier_of(name.removesuffix(".json"))
    async with site.database.reading(view.companies) as connection:
        shown = await run_templates.load(connection, site.database.store.keyring, template_id)
    changes = await template_changes.load(site.database.store, template_id, shown.stream_version, set(shown.secret))
    shown = msgspec.structs.replace(shown, changes=changes, next_runs=_next_runs(site, view, shown))
    if name.endswith(".json"):
        return Response(shown)
    actor, company_id = await acting_as(request), shown.template.company_id
    html = site.renderer.render(
        "run_template.html",
        view,
        shown=shown,
        template=shown.template,
        clock=view.clock(shown.template.time_zone),
        key=str(uuid.uuid4()),
        may_configure=actor.may("template.configure", company_id),
        may_run=actor.may("job.run", company_id),
        may_see_credentials=actor.may("credential.view", company_id),
        saved=int(saved) if saved.isascii() and saved.isdigit() and len(saved) < 10 else None,
    )
    return page(html)


def _next_runs(site: Site, view: View, shown: TemplateShown) -> list[preview.Run]:
    template, settings = shown.template, shown.settings
    if not template.active or template.next_due is None:
        return []
    zone = template.time_zone or "UTC"
    begin = template.next_due - preview.BEFORE
    translate = site.renderer.translate(view)
    return preview.runs(
        template.interval, template.cron, zone, begin, translate, end_at=settings.get("end_at"), count=NEXT
    )


def identifier_of(name: str) -> int:
    """Return the id of a run template in an address.

    Raises
    ------
    NotFoundError
        It cannot be one.
    """
    return named_id(name, N_("There is no run template {id}."))


HANDLERS = (show_list, show_list_json, show)
