"""What a viewer can do with a job. Forms carry a token against forgery, and each is done once."""

from __future__ import annotations

from collections.abc import Awaitable

import structlog
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.preparing import Outcome
from commands.queue import end
from commands.shell import Shell
from commands.wait import wait_for
from projections.errors import ProjectionLagError
from web.access import AnyRequest, acting_as
from web.data import job
from web.pages.job import identifier_of as job_identifier
from web.site import Site
from web.view import View

SHOWN_IN = "job_history"
SHOWN_WITHIN = 3.0
"""Seconds that an answer waits for the read model."""

log = structlog.get_logger(__name__)


@post("/job/{name:str}/cancel")
async def cancel(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect:
    """Take a job out of the queue, or have it ended if it runs, and lead back to its page."""
    job_id = job_identifier(name)
    async with site.database.reading(view.companies) as connection:
        await job.load(connection, site.database.store.keyring, job_id, view, site.renderer.translate(view))
    await shown_job(site, end(Shell(site.database.store), job_id, await acting_as(request), source="web"))
    return Redirect(view.url(f"job/{job_id}"), status_code=303)


async def shown_job(site: Site, execution: Awaitable[Outcome]) -> int:
    """Await the execution of a command, and return the id of its job once its page shows it."""
    outcome = await execution
    try:
        await wait_for(site.database.store, SHOWN_IN, outcome.cursor, timeout=SHOWN_WITHIN)
    except ProjectionLagError as error:
        log.warning("what was written is not shown yet", error=str(error))
    return outcome.id


HANDLERS = (cancel,)
