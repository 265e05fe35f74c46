"""``/multiflexi/sign-in/passkey`` and ``/multiflexi/sign-in/openid``: signing in without the password."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.response import Redirect

from web.access import AnyRequest
from web.auth import openid_sign_in, passkey_sign_in
from web.auth.addresses import full, passkey_site
from web.auth.cookies import SESSION, STEP, gone, page_asked_for, session_cookie, step_cookie
from web.auth.openid import OpenIdProvider
from web.auth.openid_sign_in import LINK
from web.errors import N_, BadRequestError, NotFoundError, WebError
from web.pages.sign_in import form_again, signed_in, visitor
from web.site import Site
from web.view import BASE

LONGEST = 100_000
"""Most characters of what a browser answers for a passkey."""

BACK = "/sign-in/openid/back"
NO_PROVIDER = N_("No provider is set up by which one could sign in.")


@post("/sign-in/passkey/begin", status_code=200)
async def begin_passkey(request: AnyRequest, site: NamedDependency[Site]) -> Response[dict[str, Any]]:
    """Begin to sign in by a passkey: return the options for the browser."""
    options, token = await passkey_sign_in.begin(site.sign_in, passkey_site(request), visitor(request))
    answer = Response(options)
    answer.set_cookie(step_cookie(request, token, int(passkey_sign_in.LASTS)))
    return answer


@post("/sign-in/passkey/finish", status_code=200)
async def finish_passkey(request: AnyRequest, site: NamedDependency[Site]) -> Response[dict[str, str]]:
    """Sign in by what the device has signed; return where to go."""
    form = await request.form()
    wanted = page_asked_for(str(form.get("next") or ""))
    try:
        answer = msgspec.json.decode(str(form.get("answer") or "")[:LONGEST], type=dict[str, Any])
    except msgspec.DecodeError:
        raise BadRequestError(passkey_sign_in.UNKNOWN) from None
    token = request.cookies.get(STEP, "")
    done = await passkey_sign_in.finish(site.sign_in, passkey_site(request), token, answer, visitor(request))
    response = Response({"location": wanted})
    response.set_cookie(session_cookie(request, done.token))
    response.set_cookie(gone(request, STEP))
    return response


@get("/sign-in/openid")
async def begin_openid(request: AnyRequest, site: NamedDependency[Site]) -> Response[str] | Redirect:
    """Send the browser to the provider."""
    wanted = page_asked_for(request.query_params.get("next"))
    try:
        return await to_provider(request, site, wanted)
    except WebError as error:
        return form_again(request, site, wanted, error=error)


@get(BACK)
async def back(request: AnyRequest, site: NamedDependency[Site]) -> Response[str] | Redirect:
    """Sign in who comes back from the provider, or let them confirm that the account is to be linked to theirs."""
    provider = provider_of(site)
    token = request.cookies.get(STEP, "")
    try:
        came = await openid_sign_in.came_back(site.sign_in, provider, token, dict(request.query_params))
        if came.again:
            await openid_sign_in.prove(site.sign_in, came, request.cookies.get(SESSION, ""), visitor(request))
            return proven(request, came.wanted)
        if came.user_id is None:
            done = await openid_sign_in.finish(site.sign_in, provider, came.identity, visitor(request))
            return signed_in(request, done, came.wanted)
    except WebError as error:
        return form_again(request, site, page_asked_for(None), error=error)
    known = {"issuer": came.identity.issuer, "subject": came.identity.subject}
    shown = came.identity.email or came.identity.login or came.identity.subject
    fresh = await site.sign_in.secrets.keep(LINK, came.user_id, openid_sign_in.LASTS, **known, shown=shown)
    answer = Redirect(f"{BASE}/account/openid", status_code=303)
    answer.set_cookie(step_cookie(request, fresh, openid_sign_in.LASTS))
    return answer


def proven(request: AnyRequest, wanted: str) -> Redirect:
    """Return the answer that leads a user back who has proved once more who they are."""
    answer = Redirect(wanted, status_code=303)
    answer.set_cookie(gone(request, STEP))
    return answer


async def to_provider(
    request: AnyRequest, site: Site, wanted: str, user_id: int | None = None, *, again: bool = False
) -> Redirect:
    """Return the answer that sends a browser to the provider.

    They sign in there, link the account to a user, or prove ``again`` that they are that user.

    Raises
    ------
    NotFoundError
        No provider is set up.
    OpenIdFailedError
        It cannot be asked.
    """
    provider, back_to = provider_of(site), full(request, BACK)
    address, token = await openid_sign_in.begin(
        site.sign_in, provider, back_to, visitor(request), wanted=wanted, user_id=user_id, again=again
    )
    answer = Redirect(address, status_code=303)
    answer.set_cookie(step_cookie(request, token, openid_sign_in.LASTS))
    return answer


def provider_of(site: Site) -> OpenIdProvider:
    """Return the provider.

    Raises
    ------
    NotFoundError
        None is set up.
    """
    if site.openid is None:
        raise NotFoundError(NO_PROVIDER)
    return site.openid


HANDLERS = (begin_passkey, finish_passkey, begin_openid, back)
