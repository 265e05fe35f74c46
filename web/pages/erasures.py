"""``/multiflexi/erasures``, ``/multiflexi/erasure/ID``: requests that a user be erased, decided on, carried out."""

from __future__ import annotations

from collections.abc import Mapping

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from commands import erasures as commands
from commands.actor import Actor
from domain.erasure import APPROVED, PENDING, PROCESSING, ApproveErasure, RejectErasure
from domain.errors import ValidationError
from web.access import AnyRequest, acting_as, need
from web.data import erasures
from web.data.erasures import ErasureList, ErasureShown
from web.errors import N_, NotFoundError
from web.forms import Wrong, sent
from web.pages.users import shell_of
from web.rendering import page
from web.site import Site
from web.view import View, named_id

MANAGE = "users.manage"
WISH = "manage users"
APPROVE, REJECT, PROCESS = "approve", "reject", "process"
FIELDS = {APPROVE: ("notes",), REJECT: ("reason",), PROCESS: ("confirm",)}
"""What can be done with a request, with the fields of its form."""

NO_REASON = N_("Say why: who asked for it is told.")
NOT_SURE = N_("Type it as it stands above, to be sure that it is the one you mean.")


@get("/erasures")
async def show_list(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show a page of requests."""
    listed = await read_list(request, view, site)
    more = {"statuses": erasures.STATUSES, "kinds": erasures.KINDS, "open_count": open_in(listed)}
    return page(site.renderer.render("erasures.html", view, listed=listed, **more))


@get("/erasures.json")
async def show_list_json(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> ErasureList:
    """Return a page of requests."""
    return await read_list(request, view, site)


@get("/erasure/{name:str}")
async def show(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], name: FromPath[str]
) -> Response[str] | Response[ErasureShown]:
    """Show a request with what goes, what stays and what has happened; with ``.json`` after its id, return it."""
    shown = await read(request, site, name.removesuffix(".json"))
    return Response(shown) if name.endswith(".json") else page(await render(request, site, view, shown))


@post("/erasure/{name:str}/{what:str}")
async def decide(
    request: AnyRequest,
    view: NamedDependency[View],
    site: NamedDependency[Site],
    name: FromPath[str],
    what: FromPath[str],
) -> Redirect | Response[str]:
    """Find that a user is to be erased (``approve``) or not (``reject``), or carry it out (``process``)."""
    if what not in FIELDS:
        raise NotFoundError(N_("There is nothing of that kind with the number {id}."), id=what[:40])
    shown, form, actor = await read(request, site, name), await sent(request), await acting_as(request)
    wrong = Wrong(site.renderer.translate(view), FIELDS[what])
    with wrong:
        await carry_out(site, actor, shown, what, form)
        return Redirect(view.url(f"erasure/{shown.request.id}"), status_code=303)
    # Somebody else may have decided meanwhile.
    shown = await read(request, site, name)
    return page(await render(request, site, view, shown, form=form, errors=wrong.fields), 422)


async def carry_out(site: Site, actor: Actor, shown: ErasureShown, what: str, form: Mapping[str, str]) -> None:
    """Do what a form asks for.

    Raises
    ------
    DomainError
        It is refused.
    """
    number, shell = shown.request.id, shell_of(site)
    if what == APPROVE:
        wish = ApproveErasure(erasure_id=number, notes=form.get("notes", "").strip() or None)
        await shell.execute(wish, actor, source="web")
    elif what == REJECT:
        reason = form.get("reason", "").strip()
        if not reason:
            raise ValidationError(NO_REASON, field="reason", code="reason_missing")
        await shell.execute(RejectErasure(erasure_id=number, reason=reason), actor, source="web")
    else:
        # One that was interrupted goes on without being asked anew: its user can act no more.
        if shown.request.status == APPROVED and form.get("confirm", "").strip() != to_type(shown):
            raise ValidationError(NOT_SURE, field="confirm", code="not_confirmed")
        await commands.process(shell, number, actor, source="web")


def to_type(shown: ErasureShown) -> str:
    """Return what is typed to confirm that a user is to be erased: the login, or the number where there is none."""
    return shown.request.login or str(shown.request.user_id)


def open_in(listed: ErasureList) -> int:
    """Return how many requests are to be decided on or carried out."""
    return sum(listed.counts.get(status, 0) for status in erasures.FILTERS[erasures.OPEN])


async def read_list(request: AnyRequest, view: View, site: Site) -> ErasureList:
    """Return a page of requests. Users belong to no company, so they are read as the installation."""
    await need(request, MANAGE, wish=WISH)
    async with site.database.reading("*") as connection:
        return await erasures.load_list(connection, site.database.store.keyring, view)


async def read(request: AnyRequest, site: Site, name: str) -> ErasureShown:
    """Return a request."""
    await need(request, MANAGE, wish=WISH)
    number = named_id(name, erasures.NONE)
    async with site.database.reading("*") as connection:
        return await erasures.load(connection, site.database.store, number)


async def render(
    request: AnyRequest,
    site: Site,
    view: View,
    shown: ErasureShown,
    form: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> str:
    """Return the page of a request."""
    actor, asked = await acting_as(request), shown.request
    typed = {name: (form or {}).get(name, "") for names in FIELDS.values() for name in names}
    return site.renderer.render(
        "erasure.html",
        view,
        shown=shown,
        asked=asked,
        typed=typed,
        errors=errors or {},
        statuses=erasures.STATUSES,
        kinds=erasures.KINDS,
        told=erasures.DONE,
        tables=erasures.TABLES,
        pending=asked.status == PENDING,
        doable=asked.status in (APPROVED, PROCESSING),
        interrupted=asked.status == PROCESSING,
        concerned=actor.user_id is not None and actor.user_id in (asked.user_id, asked.requested_by),
        confirm=to_type(shown),
    )


HANDLERS = (show_list, show_list_json, show, decide)
