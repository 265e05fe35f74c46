"""``/multiflexi/run-template/ID/run`` and ``/multiflexi/job/ID/again``: running once, with values of its own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.actor import require
from commands.queue import run_again
from commands.shell import Shell
from domain.job import ScheduleJob
from projections.queries import query as shared
from web import times
from web.access import AnyRequest, acting_as
from web.data import environment_form, environments, template_edit
from web.data.template_edit import Edited
from web.data.template_form import NO_MOMENT
from web.errors import N_, NotFoundError
from web.forms import Wrong, key_of, sent
from web.pages.actions import shown_job
from web.pages.job import identifier_of as job_identifier
from web.pages.run_templates import identifier_of
from web.rendering import page
from web.site import Site
from web.view import View

PLAIN = frozenset({"_csrf_token", "key"})
"""Fields of a form that only says: now, as ever."""


class Before(msgspec.Struct, frozen=True, kw_only=True):
    """The job that is run again: its id, its name, its one-off values."""

    id: int
    environment: dict[str, str]


@get("/run-template/{name:str}/run")
async def ask(view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]) -> Response[str]:
    """Ask when and with which values of its own a template is to run once."""
    return page(render(site, view, await _template(site, view, identifier_of(name)), None))


@post("/run-template/{name:str}/run")
async def run(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect | Response[str]:
    """Put a job of a template into the queue, and lead to its page."""
    edited = await _template(site, view, identifier_of(name))
    return await _send(request, view, site, edited, None)


@get("/job/{name:str}/again")
async def ask_again(view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]) -> Response[str]:
    """Ask when and with which values a job is to be run again."""
    edited, before = await _job(site, view, job_identifier(name))
    return page(render(site, view, edited, before))


@post("/job/{name:str}/again")
async def again(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect | Response[str]:
    """Run a job again, and lead to the page of the new one."""
    edited, before = await _job(site, view, job_identifier(name))
    return await _send(request, view, site, edited, before)


async def _send(
    request: AnyRequest, view: View, site: Site, edited: Edited, before: Before | None
) -> Redirect | Response[str]:
    require(await acting_as(request), "job.run", edited.record["company_id"], wish="ScheduleJob")
    form = await sent(request)
    translate = site.renderer.translate(view)
    values = before.environment if before else {}
    if form.keys() <= PLAIN:
        # A button of another page: what is refused is told on a page of its own.
        job_id = await shown_job(site, _execute(request, site, edited, before, None, {}, form))
        return Redirect(view.url(f"job/{job_id}"), status_code=303)
    at, errors = _moment(form.get("at", ""), template_edit.clock_of(view, edited), translate)
    wanted, unfit = environment_form.changes_of(form, edited.document, values, translate)
    wrong = Wrong(translate, ("at",), errors, unfit)
    if not wrong:
        with wrong:
            job_id = await shown_job(site, _execute(request, site, edited, before, at, wanted, form))
            return Redirect(view.url(f"job/{job_id}"), status_code=303)
    return page(render(site, view, edited, before, given=form, wrong=wrong), 422)


async def _execute(
    request: AnyRequest,
    site: Site,
    edited: Edited,
    before: Before | None,
    at: datetime | None,
    wanted: dict[str, str | None],
    form: Mapping[str, str],
) -> Any:
    shell, actor = Shell(site.database.store), await acting_as(request)
    key = key_of(form)
    if before is not None:
        return await run_again(shell, before.id, actor, environment=wanted, at=at, key=key, source="web")
    given = {name: value for name, value in wanted.items() if value is not None}
    command = ScheduleJob(run_template_id=edited.id, not_before=at, environment=given)
    return await shell.execute(command, actor, key=key, source="web")


def render(
    site: Site,
    view: View,
    edited: Edited,
    before: Before | None,
    *,
    given: Mapping[str, str] | None = None,
    wrong: Wrong | None = None,
) -> str:
    """Return the page with the form."""
    environment = environment_form.form_of(
        edited.document,
        before.environment if before else {},
        view.language,
        below={**edited.company_environment, **edited.environment},
        typed=given,
        errors=wrong.variables if wrong else None,
    )
    return site.renderer.render(
        "run_form.html",
        view,
        template=edited,
        before=before,
        environment=environment,
        at=(given or {}).get("at", ""),
        key=str(uuid.uuid4()),
        errors=wrong.fields if wrong else {},
        spare=environment_form.SPARE,
        clock=template_edit.clock_of(view, edited),
    )


async def _template(site: Site, view: View, template_id: int) -> Edited:
    async with site.database.reading(view.companies) as connection:
        return await template_edit.load(connection, site.database.store.keyring, template_id)


async def _job(site: Site, view: View, job_id: int) -> tuple[Edited, Before]:
    async with site.database.reading(view.companies) as connection:
        record = await connection.fetchrow(shared("job.find"), job_id)
        if record is None:
            raise NotFoundError(N_("There is no job {id}."), id=job_id)
        edited = await template_edit.load(connection, site.database.store.keyring, record["runtemplate_id"])
        environment = await environments.opened(site.database.store.keyring, record["env"], f"job-{job_id}")
    return edited, Before(id=job_id, environment=environment)


def _moment(text: str, clock: times.Clock, translate: Any) -> tuple[datetime | None, dict[str, str]]:
    if not text.strip():
        return None, {}
    try:
        return datetime.fromisoformat(text.strip()).replace(tzinfo=clock.zone), {}
    except ValueError:
        return None, {"at": translate(NO_MOMENT)}


HANDLERS = (ask, run, ask_again, again)
