"""``/multiflexi/sign-in``: login and password, then a one-time code where the user has a second factor; signing out."""

from __future__ import annotations

import dataclasses

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.response import Redirect
from litestar.utils.scope.state import ScopeState

from web.access import AnyRequest
from web.auth.cookies import SESSION, STEP, gone, page_asked_for, session_cookie, step_cookie
from web.auth.sign_in import SECOND_STEP_LASTS, SecondStep, SignedInBy, Visitor
from web.errors import WebError
from web.rendering import page
from web.site import Site
from web.view import BASE, View

LONGEST = 4096


@get("/sign-in")
async def show(request: AnyRequest, site: NamedDependency[Site]) -> Response[str]:
    """Show the form."""
    return form_again(request, site, page_asked_for(request.query_params.get("next")))


@post("/sign-in", status_code=200)
async def sign_in(request: AnyRequest, site: NamedDependency[Site]) -> Response[str] | Redirect:
    """Sign in by login and password."""
    form = await request.form()
    wanted = page_asked_for(str(form.get("next") or ""))
    login, password = str(form.get("login") or "")[:LONGEST], str(form.get("password") or "")[:LONGEST]
    try:
        done = await site.sign_in.password(login, password, visitor(request))
    except WebError as error:
        return form_again(request, site, wanted, error=error, login=login)
    if isinstance(done, SecondStep):
        answer = form_again(request, site, wanted, code=True)
        answer.set_cookie(step_cookie(request, done.token, int(SECOND_STEP_LASTS)))
        return answer
    return signed_in(request, done, wanted)


@post("/sign-in/code", status_code=200)
async def second_step(request: AnyRequest, site: NamedDependency[Site]) -> Response[str] | Redirect:
    """Finish signing in by a one-time code or a recovery code."""
    form = await request.form()
    wanted = page_asked_for(str(form.get("next") or ""))
    try:
        done = await site.sign_in.code(
            request.cookies.get(STEP, ""), str(form.get("code") or "")[:100], visitor(request)
        )
    except WebError as error:
        return form_again(request, site, wanted, error=error, code=True)
    return signed_in(request, done, wanted)


@post("/sign-out")
async def sign_out(request: AnyRequest, site: NamedDependency[Site]) -> Redirect:
    """End the session and lead to the sign-in page."""
    session = request.auth
    if session is not None:
        await site.sign_in.sessions.close(session.user_id, session.id, cause="sign-out")
    answer = Redirect(f"{BASE}/sign-in", status_code=303)
    answer.set_cookie(gone(request, SESSION))
    return answer


def visitor(request: AnyRequest) -> Visitor:
    """Return where a request comes from; uvicorn has judged what a proxy before us says of that."""
    return Visitor(request.client.host if request.client else None, request.headers.get("user-agent"))


def signed_in(request: AnyRequest, done: SignedInBy, wanted: str) -> Redirect:
    """Return the answer that gives a browser its session and leads to the page that was asked for."""
    answer = Redirect(wanted, status_code=303)
    answer.set_cookie(session_cookie(request, done.token))
    answer.set_cookie(gone(request, STEP))
    return answer


def open_view(request: AnyRequest) -> View:
    """Return a view of a page for which nobody need be signed in, with the token that its forms send along."""
    token = str(ScopeState.from_scope(request.scope).csrf_token or "")
    return dataclasses.replace(View.plain(request), csrf_token=token)


def form_again(
    request: AnyRequest,
    site: Site,
    wanted: str,
    *,
    error: WebError | None = None,
    login: str = "",
    code: bool = False,
    notice: str = "",
) -> Response[str]:
    """Return the page with its form, and what went wrong before."""
    view = open_view(request)
    told = "" if error is None else error.told(site.renderer.translate(view))
    html = site.renderer.render(
        "sign_in.html",
        view,
        wanted=wanted,
        error=told,
        login=login,
        code=code,
        notice=notice,
        provider=site.openid.settings.name if site.openid is not None else None,
        forgotten=site.mail is not None,
    )
    status = 200 if error is None else error.status
    return page(html, status)


HANDLERS = (show, sign_in, second_step, sign_out)
