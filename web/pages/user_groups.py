"""``/multiflexi/user-groups`` and ``/multiflexi/user-group/ID``: groups of users, and who is in them."""

from __future__ import annotations

from collections.abc import Mapping

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.actor import require
from domain.command import Command
from domain.user_group import AddGroupMember, ChangeGroup, CreateGroup, RemoveGroup, RemoveGroupMember
from web.access import AnyRequest, acting_as
from web.data import access
from web.data.access import GroupRow, GroupShown
from web.errors import N_, NotFoundError
from web.forms import Wrong, sent
from web.pages.access import member_named
from web.pages.users import managing, moment, shell_of
from web.rendering import page
from web.site import Site
from web.view import View, identifier, named_id


@get("/user-groups")
async def show_list(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the groups of users, and the form of a new one."""
    return page(render_list(site, view, await read_list(request, site)))


@get("/user-groups.json")
async def show_list_json(request: AnyRequest, site: NamedDependency[Site]) -> list[GroupRow]:
    """Return the groups of users."""
    return await read_list(request, site)


@post("/user-groups")
async def create(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Redirect | Response[str]:
    """Make a group."""
    actor, form = await managing(request), await sent(request)
    wish = CreateGroup(name=form.get("name", ""), description=form.get("description", "").strip() or None)
    wrong = Wrong(site.renderer.translate(view), ("name", "description"))
    with wrong:
        outcome = await shell_of(site).execute(wish, actor, source="web")
        return Redirect(view.url(f"user-group/{outcome.id}"), status_code=303)
    return page(render_list(site, view, await read_list(request, site), form, wrong.fields), 422)


@get("/user-group/{name:str}")
async def show(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str] | Response[GroupShown]:
    """Show a group; with ``.json`` after its id, return it."""
    shown = await read(request, site, group_of(name.removesuffix(".json")))
    return Response(shown) if name.endswith(".json") else page(render(site, view, shown))


@post("/user-group/{name:str}")
async def change(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect | Response[str]:
    """Change or remove a group, put a user into it or take one out: as the field ``what`` of the form says."""
    group_id, form, actor = group_of(name), await sent(request), await managing(request)
    wrong = Wrong(site.renderer.translate(view), ("name", "description", "login", "until"))
    with wrong:
        await shell_of(site).execute(await wish_of(site, group_id, form, view), actor, source="web")
        gone = form.get("what") == "remove"
        return Redirect(view.url("user-groups" if gone else f"user-group/{group_id}"), status_code=303)
    return page(render(site, view, await read(request, site, group_id), form, wrong.fields), 422)


async def wish_of(site: Site, group_id: int, form: Mapping[str, str], view: View) -> Command:
    """Return the command that a form about a group asks for.

    Raises
    ------
    NotFoundError
        There is no such change, or no such user.
    """
    match form.get("what"):
        case "change":
            description = form.get("description", "").strip() or None
            return ChangeGroup(user_group_id=group_id, name=form.get("name", ""), description=description)
        case "remove":
            return RemoveGroup(user_group_id=group_id)
        case "join":
            whom = await member_named(shell_of(site).facts, {"login": form.get("login", "")})
            return AddGroupMember(user_group_id=group_id, until=moment(form, view), **whom)
        case "leave":
            return RemoveGroupMember(user_group_id=group_id, user_id=identifier(form.get("user_id") or "-", "user"))
        case _:
            raise NotFoundError(N_("There is nothing of that kind with the number {id}."), id=str(form.get("what")))


async def read_list(request: AnyRequest, site: Site) -> list[GroupRow]:
    """Return the groups of users."""
    require(await acting_as(request), "users.view", wish="see the groups of users")
    async with site.database.reading("*") as connection:
        return await access.groups(connection)


async def read(request: AnyRequest, site: Site, group_id: int) -> GroupShown:
    """Return a group."""
    require(await acting_as(request), "users.view", wish="see the groups of users")
    async with site.database.reading("*") as connection:
        return await access.group(connection, site.database.store.keyring, group_id)


def render_list(
    site: Site,
    view: View,
    shown: list[GroupRow],
    form: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> str:
    """Return the page of the groups."""
    return site.renderer.render("user_groups.html", view, groups=shown, typed=form or {}, errors=errors or {})


def render(
    site: Site,
    view: View,
    shown: GroupShown,
    form: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> str:
    """Return the page of a group."""
    return site.renderer.render("user_group.html", view, shown=shown, typed=form or {}, errors=errors or {})


def group_of(name: str) -> int:
    """Return the group in an address.

    Raises
    ------
    NotFoundError
        It cannot be one.
    """
    return named_id(name, N_("There is no group {id}."))


HANDLERS = (show_list, show_list_json, create, show, change)
