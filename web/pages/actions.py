"""What a viewer can do: run a template, cancel a job. Forms carry a token against forgery, and each is done once."""

from __future__ import annotations

import structlog
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.shell import Shell
from commands.wait import wait_for
from domain.errors import StateError
from domain.job import CancelJob, JobCommand, RequestCancel, ScheduleJob
from projections.errors import ProjectionLagError
from web.access import AnyRequest, acting_as
from web.data import job, run_templates
from web.pages.job import identifier_of as job_identifier
from web.pages.run_templates import identifier_of as template_identifier
from web.site import Site
from web.view import View

SHOWN_IN = "job_history"
SHOWN_WITHIN = 3.0
"""Seconds that an answer waits for the read model."""

LONGEST_KEY = 200
ALREADY_RUNS = "job_running"
"""Code of the refusal to take a job out of the queue that runs already."""

log = structlog.get_logger(__name__)


@post("/run-template/{name:str}/run")
async def run(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect:
    """Put a job of a template into the queue, and lead to its page."""
    template_id = template_identifier(name)
    async with site.database.reading(view.companies) as connection:
        await run_templates.load(connection, template_id)
    form = await request.form()
    key = str(form.get("key") or "")[:LONGEST_KEY] or None
    job_id = await _execute(request, site, ScheduleJob(run_template_id=template_id), key)
    return Redirect(view.url(f"job/{job_id}"), status_code=303)


@post("/job/{name:str}/cancel")
async def cancel(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect:
    """Take a job out of the queue, or have it ended if it runs, and lead back to its page."""
    job_id = job_identifier(name)
    async with site.database.reading(view.companies) as connection:
        await job.load(connection, job_id, view, site.renderer.translate(view))
    try:
        await _execute(request, site, CancelJob(job_id=job_id), None)
    except StateError as error:
        if error.code != ALREADY_RUNS:
            raise
        await _execute(request, site, RequestCancel(job_id=job_id), None)
    return Redirect(view.url(f"job/{job_id}"), status_code=303)


async def _execute(request: AnyRequest, site: Site, command: JobCommand, key: str | None) -> int:
    """Execute a command and return the id of its job, once its page shows it."""
    store = site.database.store
    outcome = await Shell(store).execute(command, await acting_as(request), key=key, source="web")
    try:
        await wait_for(store, SHOWN_IN, outcome.cursor, timeout=SHOWN_WITHIN)
    except ProjectionLagError as error:
        log.warning("what was written is not shown yet", error=str(error))
    return outcome.id


HANDLERS = (run, cancel)
