"""``/multiflexi/companies`` and ``/multiflexi/company/ID``: the companies there are, a new one, one with all it has."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.actor import Actor, require
from commands.shell import Shell
from domain.company import CreateCompany
from web.access import AnyRequest, acting_as
from web.data import companies, company_form, directory
from web.data.companies import CompanyList, CompanyRow, CompanyShown
from web.data.directory import Entry
from web.errors import N_
from web.forms import Wrong, key_of, sent
from web.rendering import page
from web.site import Site
from web.view import View, named_id


@get("/companies")
async def show_list(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show a page of companies."""
    listed = await read_list(view, site)
    actor = await acting_as(request)
    may = {"may_create": actor.may("company.create"), "may_manage": actor.may("customer.manage")}
    return page(site.renderer.render("companies.html", view, listed=listed, **may))


@get("/companies.json")
async def show_list_json(view: NamedDependency[View], site: NamedDependency[Site]) -> CompanyList:
    """Return a page of companies."""
    return await read_list(view, site)


@get("/companies/new")
async def ask_for_new(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the form of a new company."""
    await creating(request)
    return page(render_new(site, view, company_form.NEW, {}, await linkable(request, site)))


@post("/companies/new")
async def create(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Redirect | Response[str]:
    """Set up a company, or show the form again with what is wrong beside the fields."""
    actor = await creating(request)
    form, translate = await sent(request), site.renderer.translate(view)
    wish, errors = company_form.wish_of(form, {}, translate)
    wrong = Wrong(translate, (*company_form.FIELDS, *company_form.LINKS), errors)
    if not wrong:
        command = CreateCompany(**{"name": "", **{name: value for name, value in wish.items() if value}})
        with wrong:
            outcome = await Shell(site.database.store).execute(command, actor, key=key_of(form), source="web")
            return Redirect(view.url(f"company/{outcome.id}"), status_code=303)
    return page(render_new(site, view, form, wrong.fields, await linkable(request, site)), 422)


@get("/company/{name:str}")
async def show(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str] | Response[CompanyShown]:
    """Show a company; with ``.json`` after the id, return what is known of it."""
    shown = await read(view, site, identifier_of(name.removesuffix(".json")))
    if name.endswith(".json"):
        return Response(shown)
    actor, company = await acting_as(request), shown.company
    links = await links_of(site, company) if actor.may("customer.manage") else {}
    return page(
        site.renderer.render(
            "company.html",
            view,
            shown=shown,
            company=company,
            clock=view.clock(company.time_zone),
            links=links,
            may_see_members=actor.may("member.view", company.id),
            may_change=actor.may("company.change", company.id),
            may_configure=actor.may("template.configure", company.id),
            may_clone=actor.may("company.create") and actor.may("credential.view", company.id),
            may_remove=actor.may("company.remove", company.id),
        )
    )


async def read_list(view: View, site: Site) -> CompanyList:
    """Return a page of companies."""
    async with site.database.reading(view.companies) as connection:
        return await companies.load_list(connection, view)


async def read(view: View, site: Site, company_id: int) -> CompanyShown:
    """Return a company."""
    async with site.database.reading(view.companies) as connection:
        return await companies.load(connection, site.database.store.keyring, company_id)


async def creating(request: AnyRequest) -> Actor:
    """Return who acts, if they may set up companies."""
    actor = await acting_as(request)
    require(actor, "company.create", wish="set up companies")
    return actor


async def links_of(site: Site, company: CompanyRow) -> dict[str, Entry]:
    """Return the customer and the server of a company, those that it has."""
    numbers = {kind: getattr(company, kind) for kind in (directory.CUSTOMER, directory.SERVER)}
    async with site.database.reading("*") as connection:
        return {
            kind: await directory.load(connection, site.database.store.keyring, kind, number)
            for kind, number in numbers.items()
            if number is not None
        }


async def linkable(request: AnyRequest, site: Site) -> dict[str, list[Entry]]:
    """Return the customers and servers that a company can be given, for those who may manage them."""
    if not (await acting_as(request)).may("customer.manage"):
        return {}
    async with site.database.reading("*") as connection:
        return await directory.offered(connection, site.database.store.keyring)


def render_new(
    site: Site, view: View, form: Mapping[str, str], errors: Mapping[str, str], offered: Mapping[str, list[Entry]]
) -> str:
    """Return the page with the form of a new company."""
    typed = {name: form.get(name, "") for name in (*company_form.FIELDS, *company_form.LINKS)}
    return site.renderer.render(
        "company_new.html", view, typed=typed, errors=errors, offered=offered, key=str(uuid.uuid4())
    )


def identifier_of(name: str) -> int:
    """Return the id of a company in an address.

    Raises
    ------
    NotFoundError
        It cannot be one.
    """
    return named_id(name, N_("There is no company {id}."))


HANDLERS = (show_list, show_list_json, ask_for_new, create, show)
