"""``/multiflexi/applications`` and ``/multiflexi/application/ID``: the catalogue, and definitions taken into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.actor import require
from commands.applications import export_text
from commands.catalogue import assess, take, warnings_of
from commands.facts import SqlFacts
from commands.icons import set_icon
from commands.shell import Shell
from domain import icon
from domain.company import AssignApplication, UnassignApplication
from domain.definition import fields
from domain.errors import ValidationError
from domain.findings import DocumentError, Finding, child
from eventstore.blind_index import BlindIndex
from eventstore.company_view import CompanyPool
from web import documents
from web.access import AnyRequest, acting_as
from web.data import applications
from web.data.applications import ApplicationList, ApplicationShown
from web.data.company_choice import company_choice
from web.errors import N_, NotFoundError
from web.forms import Wrong, sent
from web.rendering import page
from web.site import Site
from web.view import View, identifier, named_id

NO_ICON = N_("Choose the file of a picture.")
CHANGE = "application.change"
KEPT = "private, max-age=31536000, immutable"
ALONE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""An icon that is opened by itself may do nothing but be looked at."""


@get("/applications")
async def show_list(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show a page of applications."""
    async with site.database.reading(view.companies) as connection:
        listed, choice = await applications.load_list(connection, view)
    allowed = (await acting_as(request)).may(CHANGE)
    return page(site.renderer.render("applications.html", view, listed=listed, choice=choice, may_change=allowed))


@get("/applications.json")
async def show_list_json(view: NamedDependency[View], site: NamedDependency[Site]) -> ApplicationList:
    """Return a page of applications."""
    async with site.database.reading(view.companies) as connection:
        return (await applications.load_list(connection, view))[0]


@get("/applications/import")
async def ask_for_source(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Response[str]:
    """Show the form that a definition is given by."""
    require(await acting_as(request), CHANGE, wish="import applications")
    return page(render_import(site, view))


@post("/applications/import")
async def import_definition(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Response[str] | Redirect:
    """Show what a definition would change, or import it once that was seen."""
    actor = await acting_as(request)
    require(actor, CHANGE, wish="import applications")
    form, source = await request.form(), b""
    wrong = Wrong(site.renderer.translate(view), documents.FIELDS)
    findings: Sequence[Finding] = ()
    with wrong:
        try:
            source = await documents.source_of(form)
            store = site.database.store
            facts = SqlFacts(CompanyPool(store.pool, view.companies), BlindIndex(store.keyring))
            if form.get("confirmed"):
                outcome, _ = await take(Shell(store), facts, source, actor, by="web")
                return Redirect(view.url(f"application/{outcome.id}"), status_code=303)
            assessed = await assess(facts, source)
            warnings = warnings_of(assessed, source)
            places = {name: child("/environment", name) for name in fields(assessed.read.document)}
            lines = documents.lines_of(source, places)
            more = {"warnings": warnings, "lines": lines}
            return page(render_import(site, view, assessed=assessed, source=source.decode(), **more))
        except DocumentError as error:
            findings = error.findings
    typed = documents.typed_of(form, source)
    return page(render_import(site, view, typed=typed, errors=wrong.fields, findings=findings), 422)


@get("/application/{name:str}")
async def show(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str] | Response[ApplicationShown]:
    """Show an application; with ``.json`` after its id, return it."""
    application_id = identifier_of(name.removesuffix(".json"))
    async with site.database.reading(view.companies) as connection:
        shown = await applications.load(connection, application_id, view)
    if name.endswith(".json"):
        return Response(shown)
    return page(await render(request, site, view, shown))


@get("/application/{name:str}/definition")
async def download(site: NamedDependency[Site], name: FromPath[str]) -> Response[bytes]:
    """Return the definition as it was imported, as a file."""
    application_id = identifier_of(name)
    text = await export_text(Shell(site.database.store), application_id)
    headers = {"Content-Disposition": f'attachment; filename="application-{application_id}.multiflexi.app.json"'}
    return Response(text.encode(), media_type="application/json", headers=headers)


@get("/application/{name:str}/icon/{digest:str}")
async def picture(site: NamedDependency[Site], name: FromPath[str], digest: FromPath[str]) -> Response[bytes]:
    """Return the icon of an application; its address has the digest of what is there, so it may be kept for ever."""
    application_id = identifier_of(name)
    async with site.database.reading("*") as connection:
        found = await applications.load_icon(connection, application_id)
    if found is None or found.digest != digest:
        raise NotFoundError(N_("There is no application {id}."), id=application_id)
    headers = {
        "cache-control": KEPT,
        "content-disposition": "inline",
        "content-security-policy": ALONE,
        "etag": f'"{found.digest}"',
    }
    return Response(found.content, media_type=found.media_type, headers=headers)


@post("/application/{name:str}/icon")
async def change_icon(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect | Response[str]:
    """Give an application another icon, or take it away where that is asked for."""
    application_id = identifier_of(name)
    actor = await acting_as(request)
    require(actor, CHANGE, wish="change applications")
    form = await request.form()
    file = form.get("icon")
    data = await file.read(icon.LARGEST + 1) if isinstance(file, UploadFile) and file.filename else None
    wrong = Wrong(site.renderer.translate(view), ("image",))
    with wrong:
        if data is None and not form.get("remove"):
            raise ValidationError(NO_ICON, field="image")
        await set_icon(Shell(site.database.store), application_id, data, actor, "web")
        return Redirect(view.url(f"application/{application_id}"), status_code=303)
    async with site.database.reading(view.companies) as connection:
        shown = await applications.load(connection, application_id, view)
    return page(await render(request, site, view, shown, wrong.fields), 422)


@post("/application/{name:str}/{what:str}")
async def change(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    what: FromPath[str],
) -> Redirect | Response[str]:
    """Give a company the application (``assign``), or take it away (``unassign``)."""
    application_id = identifier_of(name)
    wishes = {"assign": AssignApplication, "unassign": UnassignApplication}
    if what not in wishes:
        raise NotFoundError(N_("There is nothing of that kind with the number {id}."), id=what[:40])
    company_id = identifier((await sent(request)).get("company_id") or "-", "company")
    wish = wishes[what](company_id=company_id, application_id=application_id)
    wrong = Wrong(site.renderer.translate(view))
    with wrong:
        await Shell(site.database.store).execute(wish, await acting_as(request), source="web")
        return Redirect(view.url(f"application/{application_id}"), status_code=303)
    async with site.database.reading(view.companies) as connection:
        shown = await applications.load(connection, application_id, view)
    return page(await render(request, site, view, shown, wrong.fields), 422)


def render_import(site: Site, view: View, **more: Any) -> str:
    """Return the page that definitions are imported on."""
    context: dict[str, Any] = {
        "typed": {"source": "", "address": ""},
        "errors": {},
        "findings": (),
        "assessed": None,
        "source": "",
        "warnings": (),
        "lines": {},
    }
    return site.renderer.render("application_import.html", view, **{**context, **more})


async def render(
    request: AnyRequest, site: Site, view: View, shown: ApplicationShown, errors: Mapping[str, str] | None = None
) -> str:
    """Return the page of an application."""
    actor = await acting_as(request)
    async with site.database.reading(view.companies) as connection:
        choice = await company_choice(connection, view)
    there = {each.company_id for each in shown.companies}
    offered = [each for each in choice.companies if each.id not in there and actor.may("company.change", each.id)]
    return site.renderer.render(
        "application.html",
        view,
        shown=shown,
        application=shown.application,
        offered=offered,
        may_change=actor.may(CHANGE),
        may_take={each.company_id for each in shown.companies if actor.may("company.change", each.company_id)},
        errors=errors or {},
    )


def identifier_of(name: str) -> int:
    """Return the id of an application in an address.

    Raises
    ------
    NotFoundError
        It cannot be one.
    """
    return named_id(name, N_("There is no application {id}."))


HANDLERS = (show_list, show_list_json, ask_for_source, import_definition, show, download, picture, change_icon, change)
