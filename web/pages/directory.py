"""``/multiflexi/customers`` and ``/multiflexi/servers``: to whom companies belong, and which servers they use."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands.shell import Shell
from web.access import AnyRequest, acting_as, need
from web.auth.routes import reach
from web.data import directory
from web.data.directory import CUSTOMER, FIELDS, SERVER, Directory, Entry
from web.errors import N_, NotFoundError
from web.forms import Wrong, key_of, sent
from web.rendering import page
from web.site import Site
from web.view import MAX_ID, View

MANAGE = "customer.manage"
KINDS = {"customers": CUSTOMER, "servers": SERVER}
REMOVE = "remove"


@get(["/customers", "/servers"])
async def show_list(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show a page of customers, or of servers."""
    kind = kind_of(request)
    return page(site.renderer.render("directory.html", view, kind=kind, listed=await read_list(request, view, site)))


@get(["/customers.json", "/servers.json"])
async def show_list_json(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Directory:
    """Return a page of customers, or of servers."""
    return await read_list(request, view, site)


@get(["/customers/new", "/servers/new"])
async def ask_for_new(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the form of a new one."""
    await need(request, MANAGE, wish="manage customers and servers")
    return page(render(site, view, kind_of(request), None, {}, {}))


@post(["/customers/new", "/servers/new"])
async def create(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Redirect | Response[str]:
    """Make one, or show the form again with what is wrong beside the fields."""
    kind, form = kind_of(request), await sent(request)
    return await carried_out(request, view, site, kind, None, form)


@get(["/customer/{name:str}", "/server/{name:str}"])
async def show(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str] | Response[Entry]:
    """Show one with its companies, as a form; with ``.json`` after its id, return it."""
    kind = kind_of(request)
    entry = await read(request, view, site, kind, name.removesuffix(".json"))
    return Response(entry) if name.endswith(".json") else page(render(site, view, kind, entry, entry.fields, {}))


@post(["/customer/{name:str}", "/server/{name:str}"])
async def change(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Redirect | Response[str]:
    """Change one, or with ``do=remove`` remove it; what is wrong stands beside the fields."""
    kind, form = kind_of(request), await sent(request)
    return await carried_out(request, view, site, kind, await read(request, view, site, kind, name), form)


async def carried_out(
    request: AnyRequest, view: View, site: Site, kind: str, entry: Entry | None, form: Mapping[str, str]
) -> Redirect | Response[str]:
    """Do what a form asks for, and lead to the list."""
    translate = site.renderer.translate(view)
    removing = entry is not None and form.get("do") == REMOVE
    if entry is not None and not removing and form.get("version") != str(entry.version):
        told = translate(N_("Somebody changed it meanwhile. Nothing was saved; save again to overwrite the changes."))
        return page(render(site, view, kind, entry, form, {"": told}), 409)
    wish = directory.removal_of(kind, entry.id) if removing and entry else directory.wish_of(kind, form, entry)
    wrong = Wrong(translate, FIELDS[kind])
    with wrong:
        await Shell(site.database.store).execute(wish, await acting_as(request), key=key_of(form), source="web")
        return Redirect(view.url(f"{kind}s"), status_code=303)
    return page(render(site, view, kind, entry, entry.fields if removing and entry else form, wrong.fields), 422)


def kind_of(request: AnyRequest) -> str:
    """Return what an address is about: ``customer`` or ``server``."""
    return CUSTOMER if f"/{CUSTOMER}" in request.url.path else SERVER


async def read_list(request: AnyRequest, view: View, site: Site) -> Directory:
    """Return a page of customers, or of servers. They belong to no company, so they are read as the installation."""
    await need(request, MANAGE, wish="manage customers and servers")
    seen = reach(await acting_as(request), "company.view")
    async with site.database.reading("*") as connection:
        return await directory.load_list(connection, site.database.store.keyring, view, kind_of(request), seen)


async def read(request: AnyRequest, view: View, site: Site, kind: str, name: str) -> Entry:
    """Return a customer or a server.

    Raises
    ------
    NotFoundError
        There is none of that id.
    """
    await need(request, MANAGE, wish="manage customers and servers")
    if not (name.isascii() and name.isdigit() and 0 < int(name[:11]) <= MAX_ID):
        raise NotFoundError(directory.NONE_OF[kind], id=name[:40])
    seen = reach(await acting_as(request), "company.view")
    async with site.database.reading("*") as connection:
        return await directory.load(connection, site.database.store.keyring, kind, int(name), seen)


def render(
    site: Site, view: View, kind: str, entry: Entry | None, form: Mapping[str, str], errors: Mapping[str, str]
) -> str:
    """Return the page with the form."""
    typed = {name: form.get(name, "") for name in FIELDS[kind]}
    return site.renderer.render(
        "directory_entry.html", view, kind=kind, entry=entry, typed=typed, errors=errors, key=str(uuid.uuid4())
    )


HANDLERS = (show_list, show_list_json, ask_for_new, create, show, change)
