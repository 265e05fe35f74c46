"""``/multiflexi/company/ID/edit``, and what asks before a company is suspended, archived, restored or removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.actor import require
from commands.shell import Shell
from domain.command import Command
from domain.company import ChangeCompany, RemoveCompany, RestoreCompany, SuspendCompany
from web.access import AnyRequest, acting_as
from web.data import companies, company_form, environment_form
from web.data.companies import CompanyRow, CompanyShown, Sealed
from web.errors import N_, NotFoundError
from web.forms import Wrong, sent
from web.pages.companies import identifier_of, linkable, read
from web.rendering import page
from web.site import Site
from web.view import View

SUSPEND, ARCHIVE, RESTORE, REMOVE = "suspend", "archive", "restore", "remove"
STATES = (SUSPEND, ARCHIVE, RESTORE, REMOVE)


@get("/company/{name:str}/edit")
async def show(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Show the form."""
    company, sealed = await changing(request, view, site, name)
    offered = await linkable(request, site)
    return page(render(site, view, company, sealed, company_form.typed_of(company, sealed), offered=offered))


@post("/company/{name:str}/edit")
async def save(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect | Response[str]:
    """Save the form, or show it again with what is wrong beside the fields."""
    company, sealed = await changing(request, view, site, name)
    form, translate = await sent(request), site.renderer.translate(view)
    wish, errors = company_form.wish_of(form, company_form.typed_of(company, sealed), translate)
    variables, unfit = environment_form.changes_of(form, {}, sealed.environment, translate)
    wrong = Wrong(translate, (*company_form.FIELDS, *company_form.LINKS), errors, unfit)
    changed_meanwhile = form.get("version") != str(company.version)
    if not (wrong or changed_meanwhile):
        command = ChangeCompany(company_id=company.id, set_environment=variables, **wish)
        with wrong:
            await Shell(site.database.store).execute(command, await acting_as(request), source="web")
            return Redirect(view.url(f"company/{company.id}"), status_code=303)
    typed = {field: form.get(field, "") for field in (*company_form.FIELDS, *company_form.LINKS)}
    html = render(
        site,
        view,
        company,
        sealed,
        typed,
        sent=form,
        errors=wrong.fields,
        wrong=wrong.variables,
        changed_meanwhile=changed_meanwhile,
        offered=await linkable(request, site),
    )
    return page(html, 409 if changed_meanwhile and not wrong else 422)


@get("/company/{name:str}/{what:str}")
async def ask(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    what: FromPath[str],
) -> Response[str]:
    """Tell what depends on a company, and ask before it is suspended, archived, restored or removed."""
    known(what)
    shown = await read(view, site, identifier_of(name))
    require(await acting_as(request), permission_for(what), shown.company.id, wish=f"{what} a company")
    return page(render_question(site, view, shown, what, {}))


@post("/company/{name:str}/{what:str}")
async def carry_out(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    what: FromPath[str],
) -> Redirect | Response[str]:
    """Suspend, archive, restore or remove a company."""
    known(what)
    shown = await read(view, site, identifier_of(name))
    require(await acting_as(request), permission_for(what), shown.company.id, wish=f"{what} a company")
    form, translate = await sent(request), site.renderer.translate(view)
    wrong = Wrong(translate, ("code",) if what == REMOVE else ("reason",))
    if what == REMOVE and form.get("code", "").strip() != shown.company.code:
        told = translate(N_("Type the code of the company, to be sure that it is the one you mean."))
        return page(render_question(site, view, shown, what, {"code": told}, form), 422)
    with wrong:
        wish = wish_of(what, shown.company.id, form.get("reason", "").strip() or None)
        await Shell(site.database.store).execute(wish, await acting_as(request), source="web")
        # A page narrowed to a company that is gone would not be found.
        back = view.url("companies", company=None) if what == REMOVE else view.url(f"company/{shown.company.id}")
        return Redirect(back, status_code=303)
    return page(render_question(site, view, shown, what, wrong.fields, form), 422)


def permission_for(what: str) -> str:
    """Return the permission that something that can be done with a company asks for."""
    return "company.remove" if what == REMOVE else "company.change"


def wish_of(what: str, company_id: int, reason: str | None) -> Command:
    """Return the command that a question is about."""
    match what:
        case "restore":
            return RestoreCompany(company_id=company_id)
        case "remove":
            return RemoveCompany(company_id=company_id, cascade=True)
        case _:
            return SuspendCompany(company_id=company_id, reason=reason, archived=what == ARCHIVE)


def known(what: str) -> None:
    """Refuse what cannot be done with a company.

    Raises
    ------
    NotFoundError
        There is no such page.
    """
    if what not in STATES:
        raise NotFoundError(N_("There is nothing of that kind with the number {id}."), id=what[:40])


async def changing(request: AnyRequest, view: View, site: Site, name: str) -> tuple[CompanyRow, Sealed]:
    """Return a company in clear, for those who may change it."""
    async with site.database.reading(view.companies) as connection:
        found = await companies.load_clear(connection, site.database.store.keyring, identifier_of(name))
    require(await acting_as(request), "company.change", found[0].id, wish="change a company")
    return found


def render(site: Site, view: View, company: CompanyRow, sealed: Sealed, typed: Mapping[str, str], **more: Any) -> str:
    """Return the page with the form."""
    wrong: Mapping[str, str] = more.get("wrong") or {}
    environment = environment_form.form_of({}, sealed.environment, view.language, typed=more.get("sent"), errors=wrong)
    return site.renderer.render(
        "company_edit.html",
        view,
        company=company,
        typed=typed,
        errors=more.get("errors") or {},
        wrong=wrong,
        environment=environment,
        spare=environment_form.SPARE,
        changed_meanwhile=more.get("changed_meanwhile", False),
        offered=more.get("offered") or {},
    )


def render_question(
    site: Site,
    view: View,
    shown: CompanyShown,
    what: str,
    errors: Mapping[str, str],
    form: Mapping[str, str] | None = None,
) -> str:
    """Return the page that asks before something is done with a company."""
    typed = {name: (form or {}).get(name, "") for name in ("reason", "code")}
    return site.renderer.render(
        "company_question.html", view, shown=shown, company=shown.company, what=what, typed=typed, errors=errors
    )


HANDLERS = (show, save, ask, carry_out)
