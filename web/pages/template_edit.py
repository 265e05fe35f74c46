"""``/multiflexi/run-template/ID/edit``: the form of a run template, with its next runs as it is typed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.actor import require
from commands.copies import clone
from commands.shell import Shell
from domain import run_template_fields as allowed
from domain.errors import DomainError
from domain.run_template import ChangeRunTemplate
from domain.schedule import INTERVALS
from web import refusals, times
from web.access import AnyRequest, acting_as
from web.data import environment_form, preview, template_edit, template_form
from web.data.preview import Run
from web.data.template_edit import Edited
from web.forms import Wrong, key_of, sent
from web.pages.run_templates import identifier_of
from web.rendering import HTML, page
from web.site import Site
from web.view import View

HIDDEN_TOO = "hidden_too"
"""Field that says of which values somebody knows that credentials hide them."""

OPTIONS = {
    "interval": tuple(INTERVALS),
    "missed_policy": allowed.MISSED_POLICIES,
    "overlap_policy": allowed.OVERLAP_POLICIES,
    "when_lost": allowed.WHEN_LOST,
    "executor": allowed.EXECUTORS,
    "retry_backoff": allowed.BACKOFFS,
}


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The next runs of a schedule, or why it cannot be read."""

    runs: list[Run] = []
    zone: str
    field: str | None = None
    error: str | None = None


@get("/run-template/{name:str}/edit")
async def show(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Show the form."""
    edited = await read(site, view, name)
    typed = await template_edit.typed_of(site, edited, template_edit.clock_of(view, edited))
    given = await template_edit.given_by(site, await acting_as(request), edited)
    return page(render(site, view, edited, typed, given=given))


@get("/run-template/{name:str}/preview")
async def look_ahead(view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]) -> Response[str]:
    """Return the next runs of the schedule that the parameters give, as a part of the page."""
    edited = await read(site, view, name)
    found = ahead(site, view, edited, view.parameters)
    clock = template_edit.clock_of(view, edited)
    parts = site.renderer.parts("parts/preview.html", view, ("runs",), preview=found, clock=clock)
    return Response(parts["runs"], media_type=HTML)


@get("/run-template/{name:str}/preview.json")
async def look_ahead_json(view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]) -> Preview:
    """Return the same as JSON."""
    return ahead(site, view, await read(site, view, name), view.parameters)


@post("/run-template/{name:str}/edit")
async def save(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect | Response[str]:
    """Save the form, or show it again with what is wrong beside the fields."""
    edited = await read(site, view, name)
    require(await acting_as(request), "template.configure", edited.record["company_id"], wish="ChangeRunTemplate")
    clock = template_edit.clock_of(view, edited)
    form = await sent(request)
    before = await template_edit.typed_of(site, edited, clock)
    translate = site.renderer.translate(view)
    wish, errors = template_form.wish_of(form, before, clock, translate)
    variables, unfit = environment_form.changes_of(form, edited.document, edited.environment, translate)
    changed_meanwhile = form.get("version") != str(edited.record["stream_version"])
    given = await template_edit.given_by(site, await acting_as(request), edited)
    hidden = {name: given[name] for name, value in variables.items() if value is not None and name in given}
    unseen = bool(hidden) and form.get(HIDDEN_TOO) != ",".join(sorted(hidden))
    wrong = Wrong(translate, (*before, "limits"), errors, unfit)
    if not (wrong or changed_meanwhile or unseen):
        command = ChangeRunTemplate(run_template_id=edited.id, set_environment=variables, **wish)
        with wrong:
            outcome = await Shell(site.database.store).execute(command, await acting_as(request), source="web")
            saved = outcome.version if outcome.events else None
            return Redirect(view.url(f"run-template/{edited.id}", saved=saved or "0"), status_code=303)
    typed = {key: form.get(key, "") for key in before}
    html = render(
        site,
        view,
        edited,
        typed,
        sent=form,
        given=given,
        hidden=hidden,
        errors=wrong.fields,
        wrong=wrong.variables,
        changed_meanwhile=changed_meanwhile,
    )
    return page(html, 409 if changed_meanwhile and not wrong else 422)


@post("/run-template/{name:str}/copy")
async def copy(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect:
    """Copy a run template with its values and credentials, and lead to the form of the copy, which is switched off."""
    edited, key = await read(site, view, name), key_of(await sent(request))
    outcome = await clone(Shell(site.database.store), await acting_as(request), edited.id, key=key, source="web")
    return Redirect(view.url(f"run-template/{outcome.id}/edit"), status_code=303)


async def read(site: Site, view: View, name: str) -> Edited:
    """Return a run template for its form."""
    async with site.database.reading(view.companies) as connection:
        return await template_edit.load(connection, site.database.store.keyring, identifier_of(name))


def render(
    site: Site,
    view: View,
    edited: Edited,
    typed: Mapping[str, str],
    *,
    sent: Mapping[str, str] | None = None,
    given: Mapping[str, str] | None = None,
    **more: Any,
) -> str:
    """Return the page with the form."""
    wrong: Mapping[str, str] = more.get("wrong") or {}
    environment = environment_form.form_of(
        edited.document,
        edited.environment,
        view.language,
        below=edited.company_environment,
        given_by=given,
        typed=sent,
        errors=wrong,
    )
    return site.renderer.render(
        "template_edit.html",
        view,
        template=edited,
        typed=typed,
        errors=more.get("errors") or {},
        wrong=wrong,
        hidden=more.get("hidden") or {},
        environment=environment,
        preview=ahead(site, view, edited, typed),
        options=OPTIONS,
        changed_meanwhile=more.get("changed_meanwhile", False),
        spare=environment_form.SPARE,
        limits=allowed.LIMITS,
        sizes=template_form.SIZES,
        clock=template_edit.clock_of(view, edited),
    )


def ahead(site: Site, view: View, edited: Edited, typed: Mapping[str, str]) -> Preview:
    """Return the next runs of a schedule as it is typed."""
    zone = typed.get("time_zone", "").strip() or edited.company_zone
    translate = site.renderer.translate(view)
    clock = template_edit.clock_of(view, edited)
    try:
        runs = preview.runs(
            typed.get("interval", "n"),
            typed.get("cron"),
            zone,
            clock.now,
            translate,
            start_at=_moment(typed.get("start_at"), clock),
            end_at=_moment(typed.get("end_at"), clock),
        )
    except DomainError as error:
        return Preview(zone=zone, field=error.field, error=refusals.told(error, translate))
    return Preview(runs=runs, zone=zone)


def _moment(text: str | None, clock: times.Clock) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=clock.zone) if text else None
    except ValueError:
        return None


HANDLERS = (show, look_ahead, look_ahead_json, save, copy)
