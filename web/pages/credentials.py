"""``/multiflexi/credentials`` and ``/multiflexi/credential/ID``: masked, revealed on the record, changed, tried."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.credential_checking import try_credential
from commands.credential_showing import reveal
from commands.shell import Shell
from domain.credential import ChangeCredential, CreateCredential, RemoveCredential
from integrations.checks import check
from web.access import AnyRequest, acting_as, may_somewhere
from web.data import credentials
from web.data.company_choice import company_choice
from web.data.credentials import CredentialList, CredentialShown
from web.data.template_form import NO_MOMENT
from web.errors import N_, NotFoundError
from web.forms import Wrong, key_of, sent
from web.rendering import page
from web.site import Site
from web.view import View, named_id

CHANGE = "credential.change"
DETAILS = ("name", "write_only", "expires_at", "rotate_every")
"""Fields of a form besides the values."""

CHECK_WITHIN = 8.0
"""Seconds after which a check is given up: somebody waits for the page."""

NO_DAYS = N_("Give a number of days, or leave it empty.")


@get("/credentials")
async def show_list(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show a page of credentials."""
    may_change = may_somewhere(await acting_as(request), CHANGE, view.company_id)
    async with site.database.reading(view.companies) as connection:
        listed = await credentials.load_list(connection, view)
        choice = await company_choice(connection, view)
    clock = view.clock(choice.time_zone)
    shown = {"listed": listed, "choice": choice, "clock": clock, "statuses": credentials.STATUS}
    return page(site.renderer.render("credentials.html", view, **shown, may_change=may_change))


@get("/credentials.json")
async def show_list_json(view: NamedDependency[View], site: NamedDependency[Site]) -> CredentialList:
    """Return a page of credentials."""
    async with site.database.reading(view.companies) as connection:
        return await credentials.load_list(connection, view)


@get("/credentials/new")
async def ask_for_new(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the types there are, or with ``type`` the form of a new credential of one."""
    if "type" not in view.parameters:
        async with site.database.reading(view.companies) as connection:
            offered = await credentials.types(connection, view)
        may_change = may_somewhere(await acting_as(request), CHANGE, view.company_id)
        return page(site.renderer.render("credential_types.html", view, offered=offered, may_change=may_change))
    record = await read_type(view, site, view.parameters["type"])
    return page(await render_form(site, view, record, {}, {}))


@post("/credentials/new")
async def create(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Redirect | Response[str]:
    """Make a credential, or show the form again with what is wrong beside the fields."""
    form = await sent(request)
    record = await read_type(view, site, form.get("type", ""))
    keyring = site.database.store.keyring
    details, errors = details_of(form, view, site)
    wrong = Wrong(site.renderer.translate(view), (*DETAILS, *credentials.fields_of(record)), errors)
    if not wrong:
        values = {name: value for name, value in (await credentials.changes_of(keyring, record, form)).items() if value}
        wish = CreateCredential(credential_type_id=record["credential_type_id"], values=values, **details)
        with wrong:
            outcome = await Shell(site.database.store).execute(
                wish, await acting_as(request), key=key_of(form), source="web"
            )
            return Redirect(view.url(f"credential/{outcome.id}"), status_code=303)
    return page(await render_form(site, view, record, form, wrong.fields), 422)


@get("/credential/{name:str}")
async def show(
    view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str] | Response[CredentialShown]:
    """Show a credential with its secrets masked; with ``.json`` after the id, return it."""
    record = await read(view, site, name.removesuffix(".json"))
    if name.endswith(".json"):
        return Response(await credentials.page_of(site.database.store.keyring, record, view.language))
    return page(await render(site, view, record))


@get("/credential/{name:str}/edit")
async def edit(view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]) -> Response[str]:
    """Show the form of a credential."""
    record = await read(view, site, name)
    return page(await render_form(site, view, record, typed_of(record, view), {}))


@post("/credential/{name:str}/edit")
async def save(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect | Response[str]:
    """Save the form, or show it again with what is wrong beside the fields."""
    record, form = await read(view, site, name), await sent(request)
    details, errors = details_of(form, view, site)
    wrong = Wrong(site.renderer.translate(view), (*DETAILS, *credentials.fields_of(record)), errors)
    if not wrong:
        if not details["write_only"]:
            del details["write_only"]
        values = await credentials.changes_of(site.database.store.keyring, record, form)
        wish = ChangeCredential(credential_id=record["id"], values=values, **details)
        with wrong:
            await Shell(site.database.store).execute(wish, await acting_as(request), source="web")
            return Redirect(view.url(f"credential/{record['id']}"), status_code=303)
    return page(await render_form(site, view, record, form, wrong.fields), 422)


@post("/credential/{name:str}/{what:str}")
async def act(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    what: FromPath[str],
) -> Redirect | Response[str]:
    """Do something with a credential: ``reveal`` its values on the record, ``test`` it, ``remove`` it."""
    record, form, actor = await read(view, site, name), await sent(request), await acting_as(request)
    shell, number = Shell(site.database.store), record["id"]
    wrong = Wrong(site.renderer.translate(view), ("reason",) if what == "reveal" else ())
    with wrong:
        match what:
            case "reveal":
                values = await reveal(shell, actor, number, form.get("reason", "").strip() or None)
                return page(await render(site, view, await read(view, site, name), revealed=values))
            case "test":
                await try_credential(shell, actor, number, partial(check, timeout=CHECK_WITHIN), source="web")
            case "remove":
                await shell.execute(RemoveCredential(credential_id=number), actor, source="web")
                return Redirect(view.url("credentials"), status_code=303)
            case _:
                raise NotFoundError(N_("There is nothing of that kind with the number {id}."), id=what[:40])
        return Redirect(view.url(f"credential/{number}"), status_code=303)
    return page(await render(site, view, record, errors=wrong.fields, reason=form.get("reason", "")), 422)


def details_of(form: Mapping[str, str], view: View, site: Site) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the fields of a form besides the values, and what is wrong with them."""
    translate = site.renderer.translate(view)
    errors: dict[str, str] = {}
    moment, days = form.get("expires_at", "").strip(), form.get("rotate_every", "").strip()
    expires = None
    try:
        expires = datetime.fromisoformat(moment).replace(tzinfo=view.clock().zone) if moment else None
    except ValueError:
        errors["expires_at"] = translate(NO_MOMENT)
    if days and not (days.isascii() and days.isdigit() and len(days) < 6):
        errors["rotate_every"] = translate(NO_DAYS)
    return {
        "name": form.get("name", ""),
        "write_only": form.get("write_only") == "yes",
        "expires_at": expires,
        "rotate_every": int(days) if days and not errors else None,
    }, errors


def typed_of(record: Mapping[str, Any], view: View) -> dict[str, str]:
    """Return what stands in the fields besides the values."""
    expires = record["expires_at"]
    return {
        "name": record["name"],
        "write_only": "yes" if record["write_only"] else "",
        "expires_at": view.clock().local(expires).strftime("%Y-%m-%dT%H:%M") if expires else "",
        "rotate_every": str(record["rotate_every"] or ""),
    }


async def read(view: View, site: Site, name: str) -> dict[str, Any]:
    """Return a credential by the id in an address."""
    number = identifier_of(name)
    async with site.database.reading(view.companies) as connection:
        return await credentials.record_of(connection, number)


async def read_type(view: View, site: Site, name: str) -> dict[str, Any]:
    """Return a credential type by its id."""
    number = identifier_of(name)
    async with site.database.reading(view.companies) as connection:
        return await credentials.type_of(connection, number)


async def render(
    site: Site,
    view: View,
    record: Mapping[str, Any],
    *,
    revealed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    reason: str = "",
) -> str:
    """Return the page of a credential; ``reason`` is what was typed to see its values."""
    shown = await credentials.page_of(site.database.store.keyring, record, view.language, revealed)
    return site.renderer.render(
        "credential.html",
        view,
        shown=shown,
        revealed=revealed is not None,
        outcomes=credentials.OUTCOMES,
        errors=errors or {},
        reason=reason,
    )


async def render_form(
    site: Site, view: View, record: Mapping[str, Any], form: Mapping[str, str], errors: Mapping[str, str]
) -> str:
    """Return the page with the form of a credential."""
    typed = {name: form.get(name, "") for name in DETAILS}
    values = await credentials.form_of(
        site.database.store.keyring,
        record,
        view.language,
        typed=form if any(name.startswith("env.") for name in form) else None,
        errors=errors,
    )
    named = credentials.fields_of(record)
    told = {name: text for name, text in errors.items() if name not in named}
    if errors and not told:
        told = {"": site.renderer.translate(view)(N_("Some values do not fit; it is told beside them."))}
    return site.renderer.render(
        "credential_edit.html",
        view,
        record=record,
        typed=typed,
        errors=told,
        values=values,
        key=str(uuid.uuid4()),
    )


def identifier_of(name: str) -> int:
    """Return the id of a credential in an address.

    Raises
    ------
    NotFoundError
        It cannot be one.
    """
    return named_id(name, N_("There is no credential {id}."))


HANDLERS = (show_list, show_list_json, ask_for_new, create, show, edit, save, act)
