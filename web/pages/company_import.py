"""``/multiflexi/companies/import``: many companies from a CSV file, checked as a whole before anything is written."""

from __future__ import annotations

from collections import Counter
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency

from commands.company_import import Done, carry_out
from commands.company_plan import Plan, plan
from commands.shell import Shell
from domain.company_sheet import read
from domain.errors import ValidationError
from domain.sheet_rows import Problem
from web import refusals
from web.access import AnyRequest
from web.errors import N_
from web.pages.companies import creating
from web.rendering import page
from web.site import Site
from web.view import View

SHOWN = 200
"""Problems and lines that are shown."""

ENCODINGS = ("utf-8", "cp1250")


@get("/companies/import")
async def ask(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the form."""
    await creating(request)
    return page(render(site, view))


@post("/companies/import")
async def import_sheet(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Check a sheet and show what would be made; with ``do=import``, make it."""
    actor = await creating(request)
    form = await request.form()
    update = bool(form.get("update"))
    text, problem = await text_of(form, site, view)
    if problem is not None:
        return page(render(site, view, planned=Plan((), (problem,)), update=update), 422)
    shell = Shell(site.database.store)
    planned = await plan(shell, actor, read(text), update=update)
    if planned.problems or form.get("do") != "import":
        return page(render(site, view, text=text, planned=planned, update=update), 422 if planned.problems else 200)
    done = await carry_out(shell, actor, planned, lambda _done, _all: None, source="web")
    return page(render(site, view, planned=planned, done=done, update=update))


async def text_of(form: Any, site: Site, view: View) -> tuple[str, Problem | None]:
    """Return the sheet of a form: of the file that was chosen, else what was typed; or why it cannot be read."""
    file = form.get("file")
    if not (isinstance(file, UploadFile) and file.filename):
        return str(form.get("text") or "").replace("\r\n", "\n"), None
    encoding = str(form.get("encoding"))
    data = await file.read()
    try:
        return data.decode(encoding if encoding in ENCODINGS else ENCODINGS[0]).replace("\r\n", "\n"), None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        told = site.renderer.translate(view)(
            N_("The file is of another encoding. Save it as UTF-8, or choose another.")
        )
        return "", Problem(line, None, told)


def render(
    site: Site,
    view: View,
    *,
    text: str = "",
    planned: Plan | None = None,
    done: list[Done] | None = None,
    update: bool = False,
) -> str:
    """Return the page."""
    made: Counter[str] = Counter()
    translate = site.renderer.translate(view)
    if done is not None:
        made.update(part for each in done for part in each.made)
    elif planned is not None:
        made.update(part for client in planned.clients for part in client.missing)
    return site.renderer.render(
        "company_import.html",
        view,
        text=text,
        planned=planned,
        problems=[
            {
                "line": each.line,
                "column": each.column,
                "message": refusals.told(ValidationError(each.message), translate),
            }
            for each in (planned.problems if planned else ())
        ],
        done=done,
        made=made,
        most=SHOWN,
        encodings=ENCODINGS,
        unchanged=sum(1 for one in planned.clients if not one.missing and not one.update.changes) if planned else 0,
        changing=[client for client in planned.clients if client.update.changes] if planned else [],
        differing=[client for client in planned.clients if client.differs] if planned else [],
        update=update,
    )


HANDLERS = (ask, import_sheet)
