"""``/multiflexi/account/…``: what lets the user in: sessions, API tokens, accounts at an OpenID provider."""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.response import Redirect

from commands import tokens
from domain.api_token import CreateToken, RevokeToken
from domain.erasure import HARD, RequestErasure, WithdrawErasure
from domain.user_commands import LinkIdentity, UnlinkIdentity
from web.access import AnyRequest
from web.auth.cookies import STEP, gone
from web.auth.one_time import Kept
from web.auth.openid_sign_in import LINK
from web.errors import BadRequestError
from web.forms import ABOVE, Wrong, sent
from web.pages.account import TOO_OLD, done, own, proved, render, unproved
from web.pages.sign_in_elsewhere import provider_of, to_provider
from web.pages.users import moment, shell_of
from web.rendering import page
from web.site import Site
from web.view import View, identifier

TOKEN = ("name", "until")
"""Fields of the form of a new API token."""


@post("/account/session/end")
async def end_session(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Redirect:
    """End a session of the user, or all but the one that asks."""
    _, state = await own(request, site)
    text = (await sent(request)).get("session_id", "")
    current = request.auth.id if request.auth is not None else None
    sessions = site.sign_in.sessions
    if text:
        await sessions.close(state.user_id, identifier(text, "session_id"))
    else:
        await sessions.close(state.user_id, but=current)
    return Redirect(view.url("account", saved="session"), status_code=303)


@post("/account/token")
async def make_token(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Make an API token, and show it once."""
    actor, state = await own(request, site)
    form = await request.form()
    wanted = [str(each) for each in form.getall("permission", [])]
    token = tokens.new_token()
    wrong = Wrong(site.renderer.translate(view), TOKEN)
    with wrong:
        wish = CreateToken(
            user_id=state.user_id,
            digest=tokens.digest_of(token),
            name=str(form.get("name") or "").strip() or None,
            permissions=tuple(wanted) or None,
            until=moment(await sent(request), view),
        )
        await shell_of(site).execute(wish, actor, source="web")
        return page(await render(request, site, view, state, token=token))
    typed = {name: str(form.get(name) or "") for name in TOKEN} | {"permissions": wanted}
    return page(await render(request, site, view, state, errors=above(wrong, "token"), typed=typed), 422)


@post("/account/token/revoke")
async def revoke_token(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Redirect:
    """Make an API token void, at once."""
    actor, _ = await own(request, site)
    number = identifier((await sent(request)).get("token_id", "-"), "token_id")
    return await done(site, view, actor, RevokeToken(api_token_id=number), "token")


@post("/account/erasure")
async def ask_for_erasure(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Redirect | Response[str]:
    """Ask that the own data be erased, or take that back; who has a password proves it."""
    actor, state = await own(request, site)
    form, translate = await sent(request), site.renderer.translate(view)
    there = await site.sign_in.facts.row("open_erasure", state.user_id)
    if form.get("what") == "withdraw":
        if there is None:
            raise BadRequestError(TOO_OLD)
        return await done(site, view, actor, WithdrawErasure(erasure_id=there["id"]), "erasure")
    if not await proved(request, site, state, form.get("current", "")):
        return page(await render(request, site, view, state, errors={"erasure": translate(unproved(state))}), 422)
    wish = RequestErasure(
        user_id=state.user_id, deletion_type=form.get("kind") or HARD, reason=form.get("reason") or None
    )
    wrong = Wrong(translate)
    with wrong:
        return await done(site, view, actor, wish, "erasure")
    return page(await render(request, site, view, state, errors=above(wrong, "erasure")), 422)


@get("/account/prove")
async def prove(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Redirect:
    """Send the browser to the provider, where the user proves anew who they are."""
    _, state = await own(request, site)
    return await to_provider(request, site, view.url("account", saved="proved"), state.user_id, again=True)


@get("/account/openid/link")
async def begin_link(request: AnyRequest, site: NamedDependency[Site]) -> Redirect:
    """Send the browser to the provider, to come back with the account that is to be linked."""
    _, state = await own(request, site)
    return await to_provider(request, site, "", state.user_id)


@get("/account/openid")
async def ask_to_link(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show which account is to be linked, and ask for the password."""
    _, state = await own(request, site)
    kept = await _kept(request, site, state.user_id)
    return page(_question(site, view, kept, state.password is not None))


@post("/account/openid")
async def link(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Redirect | Response[str]:
    """Let the user sign in by the account at the provider."""
    actor, state = await own(request, site)
    kept = await _kept(request, site, state.user_id)
    if not await proved(request, site, state, (await sent(request)).get("current", "")):
        told = site.renderer.translate(view)(unproved(state))
        return page(_question(site, view, kept, state.password is not None, told), 422)
    await site.sign_in.secrets.take(LINK, request.cookies.get(STEP, ""))
    wish = LinkIdentity(user_id=state.user_id, issuer=kept.data["issuer"], subject=kept.data["subject"])
    wrong = Wrong(site.renderer.translate(view))
    with wrong:
        answer = await done(site, view, actor, wish, "identity")
        answer.set_cookie(gone(request, STEP))
        return answer
    return page(await render(request, site, view, state, errors=above(wrong, "identity")), 409)


@post("/account/openid/unlink")
async def unlink(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Redirect:
    """Let an account at the provider no longer sign the user in."""
    actor, state = await own(request, site)
    key = (await sent(request)).get("key", "")
    return await done(site, view, actor, UnlinkIdentity(user_id=state.user_id, subject_key=key), "identity")


def above(wrong: Wrong, form: str) -> dict[str, str]:
    """Return what is wrong with one of the forms of the page; what concerns none of its fields stands above it."""
    return {field if field != ABOVE else form: text for field, text in wrong.fields.items()}


async def _kept(request: AnyRequest, site: Site, user_id: int) -> Kept:
    """Return the account with which the user came back from the provider."""
    kept = await site.sign_in.secrets.look(LINK, request.cookies.get(STEP, ""))
    if kept is None or kept.user_id != user_id:
        raise BadRequestError(TOO_OLD)
    return kept


def _question(site: Site, view: View, kept: Kept, password: bool, error: str | None = None) -> str:
    context: dict[str, Any] = {"shown": kept.data["shown"], "provider": provider_of(site).settings.name}
    return site.renderer.render("link_identity.html", view, **context, has_password=password, error=error)


HANDLERS = (end_session, make_token, revoke_token, ask_for_erasure, prove, begin_link, ask_to_link, link, unlink)
