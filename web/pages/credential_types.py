"""``/multiflexi/credential-types`` and ``/multiflexi/credential-type/ID``: made of a prototype, changed, removed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.actor import Actor
from commands.shell import Shell
from domain.credential_type import ChangeCredentialType, CreateCredentialType, RemoveCredentialType
from web.access import AnyRequest, acting_as, may_somewhere, need
from web.data import credential_types, credentials
from web.data.company_choice import CompanyChoice, company_choice
from web.data.credential_types import TypeList
from web.errors import N_
from web.forms import Wrong, key_of, sent
from web.pages.company_field import company_missing
from web.rendering import page
from web.site import Site
from web.view import View, named_id

CHANGE = "credential.change"
WISH = "change credential types"
OWN = "type"
"""Where the values that a form of a type holds come from."""


@get("/credential-types")
async def show_list(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show a page of credential types."""
    actor = await acting_as(request)
    async with site.database.reading(view.companies) as connection:
        listed = await credential_types.load_list(connection, view)
        choice = await company_choice(connection, view)
    changeable = {each.company_id for each in listed.types if actor.may(CHANGE, each.company_id)}
    may_change = may_somewhere(actor, CHANGE, view.company_id)
    shown = {"listed": listed, "choice": choice, "changeable": changeable, "may_change": may_change}
    return page(site.renderer.render("credential_type_list.html", view, **shown))


@get("/credential-types.json")
async def show_list_json(view: NamedDependency[View], site: NamedDependency[Site]) -> TypeList:
    """Return a page of credential types."""
    async with site.database.reading(view.companies) as connection:
        return await credential_types.load_list(connection, view)


@get("/credential-types/new")
async def ask_for_new(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the prototypes there are, or with ``prototype`` the form of a new type of one."""
    companies = await choices(request, view, site)
    if "prototype" not in view.parameters:
        async with site.database.reading(view.companies) as connection:
            offered = await credential_types.prototypes(connection, view.language)
        return page(site.renderer.render("credential_type_new.html", view, offered=offered))
    record = await read_prototype(view, site, view.parameters["prototype"])
    only = companies[0].id if len(companies) == 1 else ""
    form = {"name": record["name"], "company_id": str(view.company_id or only)}
    return page(await render_form(site, view, record, form, {}, companies))


@post("/credential-types/new")
async def create(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Redirect | Response[str]:
    """Make a credential type, or show the form again with what is wrong beside the fields."""
    companies, form, translate = await choices(request, view, site), await sent(request), site.renderer.translate(view)
    company = form.get("company_id", "")
    record = await read_prototype(view, site, form.get("prototype", ""))
    wrong = Wrong(translate, shown_of(record))
    if missing := await company_missing(request, company, companies, CHANGE, wish=WISH):
        wrong.fields["company_id"] = translate(missing)
    if not wrong:
        changed = await credentials.changes_of(site.database.store.keyring, record, form, OWN)
        wish = CreateCredentialType(
            company_id=int(company),
            credential_prototype_id=record["prototype_id"],
            name=form.get("name", ""),
            values={name: value for name, value in changed.items() if value},
        )
        with wrong:
            outcome = await Shell(site.database.store).execute(
                wish, await acting_as(request), key=key_of(form), source="web"
            )
            return Redirect(view.url("credential-types") + f"#type-{outcome.id}", status_code=303)
    return page(await render_form(site, view, record, form, wrong.fields, companies), 422)


@get("/credential-type/{name:str}/edit")
async def edit(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Show the form of a credential type."""
    record = await changing(request, view, site, name)
    return page(await render_form(site, view, record, {"name": record["name"]}, {}))


@post("/credential-type/{name:str}/edit")
async def save(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect | Response[str]:
    """Save the form, or show it again with what is wrong beside the fields."""
    record, form = await changing(request, view, site, name), await sent(request)
    number = record["credential_type_id"]
    values = await credentials.changes_of(site.database.store.keyring, record, form, OWN)
    wish = ChangeCredentialType(credential_type_id=number, name=form.get("name", ""), values=values)
    wrong = Wrong(site.renderer.translate(view), shown_of(record))
    with wrong:
        await Shell(site.database.store).execute(wish, await acting_as(request), source="web")
        return Redirect(view.url("credential-types") + f"#type-{number}", status_code=303)
    return page(await render_form(site, view, record, form, wrong.fields), 422)


@get("/credential-type/{name:str}/remove")
async def ask_to_remove(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Show what uses a credential type, and ask whether it is to go."""
    return page(await render_question(site, view, await changing(request, view, site, name), {}))


@post("/credential-type/{name:str}/remove")
async def remove(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect | Response[str]:
    """Remove a credential type, or tell why it stays."""
    record = await changing(request, view, site, name)
    wish = RemoveCredentialType(credential_type_id=record["credential_type_id"])
    wrong = Wrong(site.renderer.translate(view))
    with wrong:
        await Shell(site.database.store).execute(wish, await acting_as(request), source="web")
        return Redirect(view.url("credential-types"), status_code=303)
    return page(await render_question(site, view, record, wrong.fields), 422)


def shown_of(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the fields that the form of a credential type shows."""
    return ("name", "company_id", *credentials.fields_of(record))


async def choices(request: AnyRequest, view: View, site: Site) -> list[CompanyChoice]:
    """Return the companies that a type can be made for; whoever may make none is refused."""
    actor: Actor = await acting_as(request)
    async with site.database.reading(view.companies) as connection:
        choice = await company_choice(connection, view)
    offered = [one for one in choice.companies if actor.may(CHANGE, one.id)]
    if not offered:
        await need(request, CHANGE, view.company_id, wish=WISH)
    return offered


async def changing(request: AnyRequest, view: View, site: Site, name: str) -> dict[str, Any]:
    """Return a credential type by the id in an address, for those who may change it."""
    number = named_id(name, N_("There is no credential type {id}."))
    async with site.database.reading(view.companies) as connection:
        record = await credentials.type_of(connection, number)
    await need(request, CHANGE, record["company_id"], wish=WISH)
    return record


async def read_prototype(view: View, site: Site, name: str) -> dict[str, Any]:
    """Return a prototype by its id, as a type of it without values."""
    number = named_id(name, N_("There is no credential prototype {id}."))
    async with site.database.reading(view.companies) as connection:
        return await credential_types.prototype_of(connection, number, view.language)


async def render_form(
    site: Site,
    view: View,
    record: Mapping[str, Any],
    form: Mapping[str, str],
    errors: Mapping[str, str],
    companies: list[CompanyChoice] | None = None,
) -> str:
    """Return the page with the form of a credential type; ``companies`` are those that a new one can be of."""
    typed = {name: form.get(name, "") for name in ("name", "company_id")}
    values = await credentials.form_of(
        site.database.store.keyring,
        record,
        view.language,
        typed=form if any(name.startswith("env.") for name in form) else None,
        errors=errors,
        own=OWN,
    )
    named = credentials.fields_of(record)
    told = {name: text for name, text in errors.items() if name not in named}
    if errors and not told:
        told = {"": site.renderer.translate(view)(N_("Some values do not fit; it is told beside them."))}
    more = {"typed": typed, "errors": told, "values": values, "companies": companies, "key": str(uuid.uuid4())}
    return site.renderer.render("credential_type_edit.html", view, record=record, **more)


async def render_question(site: Site, view: View, record: Mapping[str, Any], errors: Mapping[str, str]) -> str:
    """Return the page that asks whether a credential type is to go."""
    async with site.database.reading(view.companies) as connection:
        users = await credential_types.users_of(connection, record)
    return site.renderer.render("credential_type_remove.html", view, record=record, users=users, errors=errors)


HANDLERS = (show_list, show_list_json, ask_for_new, create, edit, save, ask_to_remove, remove)
