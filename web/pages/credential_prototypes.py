"""``/multiflexi/credential-prototypes``: the catalogue of kinds of credentials, and documents taken into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.response import Redirect

from commands.credential_prototype_assessment import Assessment, assess
from commands.credential_prototypes import import_prototype
from commands.facts import SqlFacts
from commands.shell import Shell
from domain.credential_definition import fields
from domain.findings import DocumentError, Finding
from domain.json_places import located
from eventstore.blind_index import BlindIndex
from eventstore.company_view import CompanyPool
from web import documents
from web.access import AnyRequest, acting_as, may_somewhere, need
from web.data import credential_types
from web.data.credential_types import Prototype
from web.errors import N_
from web.forms import Wrong
from web.rendering import page
from web.site import Site
from web.view import View

CHANGE = "prototype.change"
MAKE = "credential.change"
WISH = "import credential prototypes"
DROP = "drop_used"
"""Field that says that values which jobs get today may be lost to them."""

EFFECTS = {
    "dropped": N_("jobs no longer get it; its value stays stored."),
    "missing": N_("it is required and has no value."),
    "default": N_("it has no value of its own; the default changes."),
    "shown": N_("its value is no longer treated as a secret."),
}
"""What an effect means (:mod:`domain.credential_prototype_diff`)."""


@get("/credential-prototypes")
async def show_list(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the prototypes of the catalogue."""
    actor = await acting_as(request)
    saved = view.parameters.get("saved", "")
    return page(
        site.renderer.render(
            "credential_prototypes.html",
            view,
            prototypes=(listed := await read_list(view, site)),
            saved=next((each for each in listed if str(each.id) == saved), None),
            may_import=actor.may(CHANGE),
            may_make=may_somewhere(actor, MAKE),
        )
    )


@get("/credential-prototypes.json")
async def show_list_json(view: NamedDependency[View], site: NamedDependency[Site]) -> list[Prototype]:
    """Return the prototypes of the catalogue."""
    return await read_list(view, site)


@get("/credential-prototypes/import")
async def ask_for_source(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Response[str]:
    """Show the form that a prototype is given by."""
    await need(request, CHANGE, wish=WISH)
    return page(render(site, view))


@post("/credential-prototypes/import")
async def import_document(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Response[str] | Redirect:
    """Show what a prototype would change, or import it once that was seen."""
    actor = await need(request, CHANGE, wish=WISH)
    form, source, store = await request.form(), b"", site.database.store
    wrong = Wrong(site.renderer.translate(view), documents.FIELDS)
    findings: Sequence[Finding] = ()
    assessed: Assessment | None = None
    with wrong:
        try:
            source = await documents.source_of(form)
            facts = SqlFacts(CompanyPool(store.pool, view.companies), BlindIndex(store.keyring))
            assessed = await assess(facts, source)
            if form.get("confirmed"):
                dropping = bool(form.get(DROP))
                outcome = await import_prototype(Shell(store), source, actor, drop_used=dropping, by="web")
                return Redirect(view.url("credential-prototypes", saved=outcome.id), status_code=303)
            return page(render(site, view, assessed, source))
        except DocumentError as error:
            findings = error.findings
    if assessed is not None:
        # It was looked at and then refused: what would change is shown again, with why it was not done.
        return page(render(site, view, assessed, source, errors={"": " ".join(wrong.fields.values())}), 422)
    typed = documents.typed_of(form, source)
    return page(render(site, view, typed=typed, errors=wrong.fields, findings=findings), 422)


async def read_list(view: View, site: Site) -> list[Prototype]:
    """Return the prototypes of the catalogue."""
    async with site.database.reading(view.companies) as connection:
        return await credential_types.prototypes(connection, view.language)


def lines_of(assessed: Assessment, source: bytes) -> dict[str, int]:
    """Return the lines of the fields in the text that is imported, by the name of their variable."""
    names, listed = fields(assessed.read.document), assessed.read.document.get("fields") or []
    places = {str(member.get("keyword")): f"/fields/{number}" for number, member in enumerate(listed)}
    return documents.lines_of(source, {name: place for name, place in places.items() if name in names})


def render(site: Site, view: View, assessed: Assessment | None = None, source: bytes = b"", **more: Any) -> str:
    """Return the page that prototypes are imported on."""
    context: dict[str, Any] = {
        "typed": {"source": "", "address": ""},
        "errors": {},
        "findings": (),
        "warnings": located(assessed.read.warnings, source) if assessed else (),
        "lines": lines_of(assessed, source) if assessed else {},
        "fields": fields(assessed.read.document) if assessed else {},
    }
    shown = {"assessed": assessed, "source": source.decode(errors="replace"), "effects_told": EFFECTS, "drop": DROP}
    return site.renderer.render("credential_prototype_import.html", view, **shown, **{**context, **more})


HANDLERS = (show_list, show_list_json, ask_for_source, import_document)
