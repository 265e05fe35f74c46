"""``/multiflexi/run-templates/change``: many run templates changed at once, after what would change was looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency

from commands.actor import Actor
from commands.copies import reconfigure
from commands.facts import SqlFacts
from commands.shell import Shell
from eventstore.blind_index import BlindIndex
from web.access import AnyRequest, acting_as, may_somewhere, need
from web.data import environment_form, template_bulk
from web.data.template_bulk import Chosen, Wish
from web.errors import N_, NotFoundError
from web.forms import Wrong, sent
from web.pages.template_edit import OPTIONS
from web.rendering import page
from web.site import Site
from web.view import View

CONFIGURE = "template.configure"
ALL = "all"
"""Parameter that chooses all that the list is narrowed to."""


@get("/run-templates/change")
async def ask(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the run templates that were chosen in the list, and ask what is to change in them."""
    if not may_somewhere(await acting_as(request), CONFIGURE):
        await need(request, CONFIGURE, view.company_id, wish="change run templates")
    async with site.database.reading(view.companies) as connection:
        if view.parameters.get(ALL):
            numbers = await template_bulk.narrowed(connection, view)
        else:
            numbers = template_bulk.numbers_of(request.query_params.getall("id", []))
        found = await template_bulk.chosen(connection, numbers)
    theirs, left_out = await parted(request, found)
    return page(render(site, view, theirs, left_out=left_out))


@post("/run-templates/change")
async def change(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show what would change in each of them; with ``do=change``, change it."""
    form, translate = await sent(request), site.renderer.translate(view)
    numbers = template_bulk.numbers_of([form.get("ids", "")])
    async with site.database.reading(view.companies) as connection:
        found = await template_bulk.chosen(connection, numbers)
    if numbers and not found:
        raise NotFoundError(N_("There is no run template {id}."), id=numbers[0])
    theirs, left_out = await parted(request, found)
    if found and not theirs:
        # Whoever may change none of them is refused, and that is put down.
        await need(request, CONFIGURE, found[0].company_id, wish="change run templates")
    wish = template_bulk.wish_of(form, view.clock(), translate)
    if wish.errors or not theirs:
        return page(render(site, view, theirs, left_out=left_out, form=form, errors=wish.errors), 422)
    store = site.database.store
    seen = template_bulk.effects(theirs, wish, translate)
    if form.get("do") != "change":
        facts = SqlFacts(store.pool, BlindIndex(store.keyring))
        seen = await template_bulk.with_hidden(facts, seen, wish)
        return page(render(site, view, theirs, left_out=left_out, form=form, effects=seen))
    wrong = Wrong(translate, (*template_bulk.FIELDS, "reason", "environment"))
    with wrong:
        changed = await carried_out(Shell(store), await acting_as(request), theirs, wish)
        return page(render(site, view, theirs, left_out=left_out, changed=changed))
    return page(render(site, view, theirs, left_out=left_out, form=form, errors=wrong.fields), 422)


async def carried_out(shell: Shell, actor: Actor, theirs: Sequence[Chosen], wish: Wish) -> set[int]:
    """Change run templates, all or none; return the ids of those that were not like that already."""
    fields = dict(wish.fields)
    if wish.variables:
        fields["set_environment"] = wish.variables
    numbers = [one.id for one in theirs]
    outcomes = await reconfigure(shell, actor, numbers, fields, reason=wish.reason, source="web")
    return {outcome.id for outcome in outcomes if outcome.events}


async def parted(request: AnyRequest, found: Sequence[Chosen]) -> tuple[list[Chosen], list[Chosen]]:
    """Return those of the run templates that the user may change, and the others."""
    actor = await acting_as(request)
    theirs = [one for one in found if actor.may(CONFIGURE, one.company_id)]
    return theirs, [one for one in found if not actor.may(CONFIGURE, one.company_id)]


def render(
    site: Site,
    view: View,
    theirs: Sequence[Chosen],
    *,
    left_out: Sequence[Chosen] = (),
    form: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    **more: Any,
) -> str:
    """Return the page: the form, what would change, or what was changed."""
    form = form or {}
    lines = [
        (number, form.get(f"extra_name.{number}", ""), form.get(f"extra_value.{number}", ""),
         bool(form.get(f"{template_bulk.TAKE_AWAY}.{number}")))
        for number in range(1, environment_form.SPARE + 1)
    ]  # fmt: skip
    return site.renderer.render(
        "template_bulk.html",
        view,
        theirs=theirs,
        left_out=left_out,
        typed={name: form.get(name, "") for name in (*template_bulk.FIELDS, "activity", "reason")},
        lines=lines,
        errors=errors or {},
        effects=more.get("effects"),
        changed=more.get("changed"),
        options=OPTIONS,
    )


HANDLERS = (ask, change)
