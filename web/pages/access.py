"""``/multiflexi/access``: the own access and what one asked for; ``/multiflexi/company/ID/members``: a company's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.actor import Actor, require
from commands.facts import Facts
from domain.access_request import ApproveRequest, RefuseRequest, RequestAccess, WithdrawRequest
from domain.command import Command
from domain.errors import ValidationError
from domain.membership import GrantMembership, RevokeMembership
from domain.permissions import COMPANY_ROLES
from web.access import AnyRequest, acting_as
from web.data import access
from web.data.access import CompanyMembers, OwnAccess
from web.errors import N_, BadRequestError, NotFoundError
from web.forms import Wrong, sent
from web.pages.companies import identifier_of
from web.pages.users import moment, shell_of
from web.rendering import page
from web.site import Site
from web.view import View, identifier

NO_LOGIN = N_("There is nobody with this login.")
NO_GROUP_NUMBER = N_("Give the number of a group.")
NOBODY = N_("Who is to have access? Name a user or a group.")


@get("/access")
async def show_own(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show what the user may do where, what they asked for, and the form to ask."""
    return page(render_own(site, view, await read_own(request, site)))


@get("/access.json")
async def show_own_json(request: AnyRequest, site: NamedDependency[Site]) -> OwnAccess:
    """Return what the user may do where, and what they asked for."""
    return await read_own(request, site)


@post("/access")
async def ask(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Redirect | Response[str]:
    """Ask for access to a company, or take a request back."""
    form, actor = await sent(request), await acting_as(request)
    wrong = Wrong(site.renderer.translate(view), ("company", "role", "until", "reason"))
    with wrong:
        wish: Command
        if form.get("withdraw"):
            wish = WithdrawRequest(access_request_id=identifier(form["withdraw"], "withdraw"))
        else:
            wish = RequestAccess(
                company_id=await company_named(shell_of(site).facts, form.get("company", "")),
                role=form.get("role", ""),
                until=moment(form, view),
                reason=form.get("reason", "").strip() or None,
            )
        await shell_of(site).execute(wish, actor, source="web")
        return Redirect(view.url("access"), status_code=303)
    return page(render_own(site, view, await read_own(request, site), form, wrong.fields), 422)


@get("/company/{name:str}/members")
async def show_members(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str]:
    """Show who may do what in a company, and what waits for an answer."""
    return page(await render_members(request, site, view, await read_members(request, site, identifier_of(name))))


@get("/company/{name:str}/members.json")
async def show_members_json(request: AnyRequest, site: NamedDependency[Site], name: FromPath[str]) -> CompanyMembers:
    """Return who may do what in a company, and what waits for an answer."""
    return await read_members(request, site, identifier_of(name))


@post("/company/{name:str}/members")
async def change_members(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect | Response[str]:
    """Grant or revoke access, approve or refuse a request: as the field ``what`` of the form says."""
    company_id, form, actor = identifier_of(name), await sent(request), await acting_as(request)
    require(actor, "member.manage", company_id, wish="manage the members of a company")
    wrong = Wrong(site.renderer.translate(view), ("login", "group", "role", "until"))
    with wrong:
        await shell_of(site).execute(await wish_of(site, company_id, form, view), actor, source="web")
        return Redirect(view.url(f"company/{company_id}/members"), status_code=303)
    shown = await read_members(request, site, company_id)
    return page(await render_members(request, site, view, shown, form=form, errors=wrong.fields), 422)


async def wish_of(site: Site, company_id: int, form: Mapping[str, str], view: View) -> Command:
    """Return the command that a form about the members of a company asks for.

    Raises
    ------
    NotFoundError
        There is no such change, or no such user.
    """
    match form.get("what"):
        case "grant":
            whom = await member_named(shell_of(site).facts, form)
            return GrantMembership(company_id=company_id, role=form.get("role", ""), until=moment(form, view), **whom)
        case "revoke":
            field = "user_group_id" if form.get("user_group_id") else "user_id"
            whom = {field: identifier(form.get(field) or "-", field)}
            return RevokeMembership(company_id=company_id, **whom)
        case "approve":
            return ApproveRequest(access_request_id=identifier(form.get("request") or "-", "request"))
        case "refuse":
            number = identifier(form.get("request") or "-", "request")
            return RefuseRequest(access_request_id=number, reason=form.get("reason", "").strip() or None)
        case _:
            raise NotFoundError(N_("There is nothing of that kind with the number {id}."), id=str(form.get("what")))


async def member_named(facts: Facts, form: Mapping[str, str]) -> dict[str, Any]:
    """Return the user or the group that a form names by login or by the number of the group.

    Raises
    ------
    ValidationError
        There is none.
    """
    if group := form.get("group", "").strip():
        try:
            return {"user_group_id": identifier(group, "group")}
        except BadRequestError:
            raise ValidationError(NO_GROUP_NUMBER, field="group") from None
    login = form.get("login", "").strip()
    row = await facts.row("user_of_login", await facts.keyed("login", login))
    if row is None:
        raise ValidationError(NO_LOGIN if login else NOBODY, field="login")
    return {"user_id": row["id"]}


async def company_named(facts: Facts, text: str) -> int:
    """Return the company that somebody asks for, by its number or its code; 0 where there is none."""
    cleaned = text.strip()
    if cleaned.isascii() and cleaned.isdigit():
        return identifier(cleaned, "company")
    row = await facts.row("company_id_of_code", cleaned)
    return 0 if row is None else int(row["id"])


async def read_own(request: AnyRequest, site: Site) -> OwnAccess:
    """Return what the user may do where, and what they asked for."""
    actor: Actor = await acting_as(request)
    require(actor, "access.request", wish="see the own access")
    async with site.database.reading("*") as connection:
        return await access.access_of(connection, site.database.store.keyring, actor.user_id or 0)


async def read_members(request: AnyRequest, site: Site, company_id: int) -> CompanyMembers:
    """Return who may do what in a company. Who users are belongs to no company, so it is read as the installation."""
    require(await acting_as(request), "member.view", company_id, wish="see the members of a company")
    async with site.database.reading("*") as connection:
        return await access.members_of(connection, site.database.store.keyring, company_id)


def render_own(
    site: Site,
    view: View,
    shown: OwnAccess,
    form: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> str:
    """Return the page of the own access."""
    return site.renderer.render(
        "access.html", view, shown=shown, typed=form or {}, errors=errors or {}, company_roles=list(COMPANY_ROLES)
    )


async def render_members(
    request: AnyRequest,
    site: Site,
    view: View,
    shown: CompanyMembers,
    form: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> str:
    """Return the page of a company's members."""
    actor = await acting_as(request)
    return site.renderer.render(
        "members.html",
        view,
        shown=shown,
        typed=form or {},
        errors=errors or {},
        company_roles=list(COMPANY_ROLES),
        may_see=actor.may("company.view", shown.company_id),
        may_manage=actor.may("member.manage", shown.company_id),
    )


HANDLERS = (show_own, show_own_json, ask, show_members, show_members_json, change_members)
