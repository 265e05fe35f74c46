"""``/multiflexi/run-template/ID/trial``: what a job would be started with, and nothing started."""

from __future__ import annotations

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from commands import trial
from commands.actor import require
from domain.errors import ValidationError
from web import refusals
from web.access import AnyRequest, acting_as
from web.data import environment_form, template_edit, template_trial
from web.data.template_trial import SOURCES, TrialShown
from web.forms import Wrong, sent
from web.pages import run_form
from web.pages.run_templates import identifier_of
from web.rendering import page
from web.site import Site
from web.view import View


@get("/run-template/{name:str}/trial")
async def show(view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]) -> Response[str]:
    """Show what a job of a run template would be started with."""
    return page(render(site, view, await read(site, view, name)))


@get("/run-template/{name:str}/trial.json")
async def show_json(view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]) -> TrialShown:
    """Return the same as JSON."""
    return await read(site, view, name)


@post("/run-template/{name:str}/trial")
async def show_with_values(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Show the same with the values of the form that runs a template once; what is wrong stands beside its fields."""
    template_id = identifier_of(name)
    form, translate = await sent(request), site.renderer.translate(view)
    async with site.database.reading(view.companies) as connection:
        edited = await template_edit.load(connection, site.database.store.keyring, template_id)
    require(await acting_as(request), "job.run", edited.record["company_id"], wish="try a run template")
    wanted, unfit = environment_form.changes_of(form, edited.document, {}, translate)
    if unfit:
        wrong = Wrong(translate, variables=unfit)
        return page(run_form.render(site, view, edited, None, given=form, wrong=wrong), 422)
    given = {key: value for key, value in wanted.items() if value is not None}
    return page(render(site, view, await read(site, view, name, given), own=sorted(given)))


async def read(site: Site, view: View, name: str, one_off: dict[str, str] | None = None) -> TrialShown:
    """Return what the page shows."""
    async with site.database.reading(view.companies) as connection:
        return await template_trial.load(connection, site.database.store.keyring, identifier_of(name), one_off)


def render(site: Site, view: View, shown: TrialShown, own: list[str] | None = None) -> str:
    """Return the page; ``own`` are the variables that were given for this trial alone."""
    translate = site.renderer.translate(view)
    problem = refusals.told(ValidationError(shown.problem), translate) if shown.problem else None
    return site.renderer.render(
        "template_trial.html",
        view,
        shown=shown,
        trial=shown.trial,
        problem=problem,
        own=own or [],
        own_folder=trial.FOLDER,
        sources=SOURCES,
        clock=view.clock(shown.zone),
    )


HANDLERS = (show, show_json, show_with_values)
