"""``/multiflexi/users`` and ``/multiflexi/user/ID``: who may do what, for those who decide on it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands import passwords
from commands.actor import Actor
from commands.facts import SqlFacts
from commands.shell import Shell
from domain.command import Command
from domain.errors import ValidationError
from domain.membership import GrantMembership, RevokeMembership
from domain.permissions import COMPANY_ROLES, DEFAULT_ROLE, SYSTEM_ROLES
from domain.user_commands import ChangeUser, CreateUser, GrantRole, RevokeRole, SetPassword, UserCommand
from eventstore.blind_index import BlindIndex
from web import i18n
from web.access import AnyRequest, acting_as, need
from web.auth import notices
from web.data import users
from web.data.template_form import NO_MOMENT
from web.data.users import UserList, UserShown
from web.errors import N_, NotFoundError
from web.forms import Wrong, key_of, sent
from web.rendering import page
from web.site import Site
from web.view import View, identifier, named_id

FIELDS = ("login", "email", "first_name", "last_name", "language")
FIELDS_OF = {"profile": FIELDS, "role": ("role", "until"), "grant": ("company_id", "role", "until")}
"""Fields of each form of a user's page."""


@get("/users")
async def show_list(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show a page of users."""
    return page(site.renderer.render("users.html", view, listed=await read_list(request, site, view)))


@get("/users.json")
async def show_list_json(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> UserList:
    """Return a page of users."""
    return await read_list(request, site, view)


@get("/users/new")
async def ask_for_new(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the form of a new user."""
    await managing(request)
    return page(render_new(site, view, {"role": DEFAULT_ROLE}, {}))


@post("/users/new")
async def create(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Make a user, and show their first password, once."""
    actor = await managing(request)
    form = await sent(request)
    password = passwords.generated()
    wish = CreateUser(
        login=form.get("login", ""),
        roles=(form.get("role") or DEFAULT_ROLE,),
        password=await passwords.hashed(password),
        **profile_of(form),
    )
    wrong = Wrong(site.renderer.translate(view), (*FIELDS, "role"))
    with wrong:
        outcome = await shell_of(site).execute(wish, actor, key=key_of(form), source="web")
        shown = await read(request, site, outcome.id)
        return page(render(site, view, shown, password=None if outcome.replayed else password))
    return page(render_new(site, view, form, wrong.fields), 422)


@get("/user/{name:str}")
async def show(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str] | Response[UserShown]:
    """Show a user; with ``.json`` after the id, return what is known of them."""
    shown = await read(request, site, identifier_of(name.removesuffix(".json")))
    return Response(shown) if name.endswith(".json") else page(render(site, view, shown))


@post("/user/{name:str}/{what:str}")
async def change(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    what: FromPath[str],
) -> Redirect | Response[str]:
    """Change a user: ``profile``, ``lock``, ``unlock``, ``role``, ``unrole``, ``grant``, ``revoke``, ``password``."""
    user_id = identifier_of(name)
    actor, form = await acting_as(request), await sent(request)
    password = passwords.generated() if what == "password" else None
    wrong = Wrong(site.renderer.translate(view), FIELDS_OF.get(what, ()))
    with wrong:
        if password is not None:
            wish: Command = SetPassword(user_id=user_id, password=await passwords.hashed(password), cause="reset")
        else:
            wish = wish_of(user_id, what, form, view)
        if isinstance(wish, UserCommand):
            await notices.execute(site, shell_of(site), wish, actor, language=view.language)
        else:
            await shell_of(site).execute(wish, actor, source="web")
    if wrong:
        shown = await read(request, site, user_id)
        return page(render(site, view, shown, what=what, form=form, errors=wrong.fields), 422)
    if password is not None:
        return page(render(site, view, await read(request, site, user_id), password=password))
    return Redirect(view.url(f"user/{user_id}"), status_code=303)


def wish_of(user_id: int, what: str, form: Mapping[str, str], view: View) -> Command:
    """Return the command that a form asks for.

    Raises
    ------
    NotFoundError
        There is no such change.
    ValidationError
        A moment cannot be read.
    """
    match what:
        case "profile":
            return ChangeUser(
                user_id=user_id,
                login=form.get("login", ""),
                **profile_of(form),
            )
        case "lock" | "unlock":
            return ChangeUser(user_id=user_id, enabled=what == "unlock")
        case "role":
            return GrantRole(user_id=user_id, role=form.get("role", ""), until=moment(form, view))
        case "unrole":
            return RevokeRole(user_id=user_id, role=form.get("role", ""))
        case "grant":
            return GrantMembership(
                user_id=user_id, company_id=company_of(form), role=form.get("role", ""), until=moment(form, view)
            )
        case "revoke":
            return RevokeMembership(user_id=user_id, company_id=company_of(form))
        case _:
            raise NotFoundError(N_("There is nothing of that kind with the number {id}."), id=what[:40])


def profile_of(form: Mapping[str, str]) -> dict[str, Any]:
    """Return what a form says of a user besides the login."""
    return {name: form.get(name, "").strip() or None for name in FIELDS if name != "login"}


def company_of(form: Mapping[str, str]) -> int:
    """Return the company that a form names."""
    return identifier(form.get("company_id") or "-", "company")


def moment(form: Mapping[str, str], view: View) -> datetime | None:
    """Return until when a form grants something; None: for good."""
    text = form.get("until", "").strip()
    try:
        return datetime.fromisoformat(text).replace(tzinfo=view.clock().zone) if text else None
    except ValueError:
        raise ValidationError(NO_MOMENT, field="until") from None


async def managing(request: AnyRequest) -> Actor:
    """Return who acts, if they may manage users."""
    return await need(request, "users.manage", wish="manage users")


async def read_list(request: AnyRequest, site: Site, view: View) -> UserList:
    """Return a page of users. Who they are belongs to no company, so it is read as the installation, once it may be."""
    await need(request, "users.view", wish="see the users")
    async with site.database.reading("*") as connection:
        return await users.load_list(connection, site.database.store.keyring, view)


async def read(request: AnyRequest, site: Site, user_id: int) -> UserShown:
    """Return a user."""
    await need(request, "users.view", wish="see the users")
    async with site.database.reading("*") as connection:
        return await users.load(connection, site.database.store.keyring, user_id)


def shell_of(site: Site) -> Shell:
    """Return what executes commands about users: logins are found by their keyed hashes."""
    store = site.database.store
    return Shell(store, facts=SqlFacts(store.pool, BlindIndex(store.keyring)))


def render_new(site: Site, view: View, form: Mapping[str, str], errors: Mapping[str, str]) -> str:
    """Return the page with the form of a new user."""
    typed = {name: form.get(name, "") for name in (*FIELDS, "role")}
    return site.renderer.render(
        "user_new.html",
        view,
        typed=typed,
        errors=errors,
        key=str(uuid.uuid4()),
        roles=list(SYSTEM_ROLES),
        languages_offered=i18n.LANGUAGES,
    )


def render(site: Site, view: View, shown: UserShown, **more: Any) -> str:
    """Return the page of a user."""
    user = shown.user
    typed = {name: getattr(user, name) or "" for name in FIELDS}
    sent_form: Mapping[str, str] = more.pop("form", {})
    if more.get("what") == "profile":
        typed |= {name: sent_form.get(name, "") for name in FIELDS}
    context = {"password": None, "what": None, "errors": {}, **more}
    for form, name in (("grant", "granting"), ("role", "raising")):
        context[name] = sent_form if more.get("what") == form else {}
    return site.renderer.render(
        "user.html",
        view,
        shown=shown,
        user=user,
        typed=typed,
        roles=list(SYSTEM_ROLES),
        company_roles=list(COMPANY_ROLES),
        languages_offered=i18n.LANGUAGES,
        **context,
    )


def identifier_of(name: str) -> int:
    """Return the id of a user in an address.

    Raises
    ------
    NotFoundError
        It cannot be one.
    """
    return named_id(name, N_("There is no user {id}."))


HANDLERS = (show_list, show_list_json, ask_for_new, create, show, change)
