"""Things of companies that are hidden from who asks: they are told that there is no such thing, and it is put down."""

from __future__ import annotations

import re
import uuid

from litestar.background_tasks import BackgroundTask

from commands.actor import Actor
from commands.denials import BY_WORD, Named, hidden, hidden_from, record_denial, was_recorded
from eventstore.log import Meta
from web.access import AnyRequest, acting_companies
from web.auth.routes import permission_of
from web.site import site_in

KINDS = {word: kind for word, kind in BY_WORD.items() if word != "artifact"} | {"template": "run_template"}
"""Words in addresses before an id, and what it is of. Artifacts are numbered within their job there."""

_NAMED = re.compile(rf"/({'|'.join(KINDS)})/([1-9]\d{{0,8}})(?=[./]|$)")


def task_of(request: AnyRequest, error: Exception) -> BackgroundTask | None:
    """Return what is to be done once a request was answered with “there is nothing here”: nobody waits for it.

    So an answer takes as long whether there is such a thing or not.
    """
    named = named_in(request.url.path, request.query_params.get("company", ""))
    by_user = isinstance(request.scope.get("user"), Actor) and request.user.user_id is not None
    if not named or not by_user or was_recorded(error):
        return None
    return BackgroundTask(_put_down, request, named)


def named_in(path: str, company: str = "") -> list[Named]:
    """Return the things that an address names by their ids; ``company`` is what it narrows its page down to.

    Examples
    --------
    >>> named_in("/multiflexi/run-template/8.json", "9")
    [Named(kind='run_template', name=8), Named(kind='company', name=9)]
    """
    found = [Named(KINDS[kind], int(number)) for kind, number in _NAMED.findall(path)]
    return found + ([Named("company", int(company))] if re.fullmatch(r"[1-9]\d{0,8}", company) else [])


async def _put_down(request: AnyRequest, named: list[Named]) -> None:
    site, actor = site_in(request), request.user
    company_id = await hidden_from(site.sign_in.facts, await acting_companies(request), named)
    if company_id is None:
        return
    kind, number = named[0]
    verb = "see" if request.method in ("GET", "HEAD") else "change"
    permission = permission_of(request.url.path, request.method)
    error = hidden(actor, f"{verb} {kind.replace('_', ' ')} {number}", permission, company_id)
    meta = Meta(actor=str(actor), source="web", correlation=str(uuid.uuid4()))
    await record_denial(site.database.store, actor, meta, error)
