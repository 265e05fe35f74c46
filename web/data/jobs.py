"""The list of jobs, a page at a time."""

from __future__ import annotations

import msgspec

from projections.queries import query as shared
from web.database import Connection
from web import words
from web.data.company_choice import Choice, company_choice
from web.data.job_row import JobRow, rows
from web.data.narrowing import one_of, template_name
from web.errors import N_, BadRequestError, NotFoundError
from web.view import View, identifier

PAGE = 50


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What the list is narrowed to.

    Attributes
    ----------
    status : str or None
        One of :data:`web.words.FILTERS`.
    template : int or None
        Id of a run template.
    before : int or None
        Only jobs with smaller ids: the next page.
    """

    status: str | None = None
    template: int | None = None
    before: int | None = None


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of jobs, newest first. ``older`` is the ``before`` of the next page, if there is one."""

    jobs: list[JobRow]
    filters: Filters
    template_name: str | None
    older: int | None


def filters_of(view: View) -> Filters:
    """Return what the parameters of a page narrow its list to.

    Raises
    ------
    BadRequestError
        A parameter is not what is expected there.
    """
    template, before = view.parameters.get("template"), view.parameters.get("before")
    return Filters(
        status=one_of(view, "status", words.FILTERS),
        template=identifier(template, "template") if template else None,
        before=identifier(before, "before") if before else None,
    )


async def load(connection: Connection, view: View) -> tuple[JobList, Choice]:
    """Read a page of jobs, and what the filter of companies offers.

    Raises
    ------
    BadRequestError
        A parameter is not what is expected there.
    NotFoundError
        There is no such run template.
    """
    filters = filters_of(view)
    choice = await company_choice(connection, view)
    name = await template_name(connection, filters.template)
    found = await connection.fetch(
        shared("job.list"), view.company_id, filters.template, filters.status, filters.before, PAGE + 1, None
    )
    jobs = rows(found[:PAGE])
    older = jobs[-1].id if len(found) > PAGE else None
    return JobList(jobs=jobs, filters=filters, template_name=name, older=older), choice
