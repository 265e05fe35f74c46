"""``/multiflexi/tasks`` and ``/multiflexi/task/ID``: what was owed, and what became of it; both are live."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from web.access import AnyRequest
from web.data import tasks
from web.data.company_choice import Choice
from web.data.tasks import TaskList, TaskShown
from web.errors import N_
from web.pages.live_page import live_page
from web.rendering import digest, page, safe
from web.site import Site
from web.span import span
from web.sse import Parts
from web.view import View, named_id

LIST, ONE = "parts/tasks.html", "parts/task.html"
ONE_PARTS = ("head", "notices", "window", "attempts", "facts")


@get("/tasks")
async def show_list(view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show a page of tasks."""
    listed, choice = await read_list(site, view)
    parts = list_parts(site, view, listed, choice)
    filters = listed.filters
    live_url = None if filters.before else view.url("tasks/live", **filters.parameters(since=digest(parts)))
    html = site.renderer.render(
        "tasks.html",
        view,
        parts={part: safe(text) for part, text in parts.items()},
        live_url=live_url,
        listed=listed,
        choice=choice,
        clock=view.clock(choice.time_zone),
    )
    return page(html)


@get("/tasks.json")
async def show_list_json(view: NamedDependency[View], site: NamedDependency[Site]) -> TaskList:
    """Return a page of tasks."""
    return (await read_list(site, view))[0]


@get("/tasks/live")
async def live_list(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], since: FromQuery[str] = ""
) -> Stream:
    """Send the first page of tasks as it changes."""

    async def make() -> Parts:
        return list_parts(site, view, *await read_list(site, view))

    return live_page(request, view, site, "tasks", make, since)


@get("/task/{name:str}")
async def show(
    view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str] | Response[TaskShown]:
    """Show a task; with ``.json`` after its id, return it."""
    shown = await read(site, view, identifier_of(name.removesuffix(".json")))
    if name.endswith(".json"):
        return Response(shown)
    parts = parts_of(site, view, shown)
    html = site.renderer.render(
        "task.html",
        view,
        parts={part: safe(text) for part, text in parts.items()},
        live_url=None if shown.task.ended_at else view.url(f"task/{shown.task.id}/live", since=digest(parts)),
        task=shown.task,
        clock=view.clock(shown.time_zone),
    )
    return page(html)


@get("/task/{name:str}/live")
async def live(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    since: FromQuery[str] = "",
) -> Stream:
    """Send the parts of a task's page as they change."""
    task_id = identifier_of(name)
    await read(site, view, task_id)

    async def make() -> Parts:
        return parts_of(site, view, await read(site, view, task_id))

    return live_page(request, view, site, f"task {task_id}", make, since)


async def read_list(site: Site, view: View) -> tuple[TaskList, Choice]:
    """Return a page of tasks, and what the filter of companies offers."""
    async with site.database.reading(view.companies) as connection:
        return await tasks.load_list(connection, view)


def list_parts(site: Site, view: View, listed: TaskList, choice: Choice) -> Parts:
    """Return the live parts of the list."""
    return site.renderer.parts(LIST, view, ("rows",), listed=listed, clock=view.clock(choice.time_zone))


async def read(site: Site, view: View, task_id: int) -> TaskShown:
    """Return a task with its attempts."""
    async with site.database.reading(view.companies) as connection:
        return await tasks.load(connection, task_id)


def parts_of(site: Site, view: View, shown: TaskShown) -> Parts:
    """Return the live parts of the page of a task."""
    clock, task = view.clock(shown.time_zone), shown.task
    jobs = [each.job for each in shown.attempts if each.job.began]
    drawn = None
    if task.window_start is not None:
        # To the minute: what moves with every look would be sent with every look.
        now = clock.now.replace(second=0, microsecond=0)
        stretches = [(job.id, job.status, job.began, job.ended or max(job.began, now)) for job in jobs if job.began]
        drawn = span(task.window_start, task.window_end, task.deadline, now, stretches)
    return site.renderer.parts(ONE, view, ONE_PARTS, shown=shown, task=task, clock=clock, drawn=drawn)


def identifier_of(name: str) -> int:
    """Return the id of a task in an address.

    Raises
    ------
    NotFoundError
        It cannot be one.
    """
    return named_id(name, N_("There is no task {id}."))


HANDLERS = (show_list, show_list_json, live_list, show, live)
