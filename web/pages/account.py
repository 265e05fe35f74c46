"""``/multiflexi/account``: what users manage of themselves: password, second factor, passkeys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect
from zxcvbn import zxcvbn  # pyright: ignore[reportMissingTypeStubs]

from commands import passwords
from commands.actor import Actor
from domain.command import Command
from domain.errors import DomainError
from domain.permissions import EVERYTHING
from domain.user import User
from domain.user_commands import (
    AddPasskey,
    DisableTotp,
    EnableTotp,
    MakeRecoveryCodes,
    RemovePasskey,
    SetPassword,
    UserCommand,
)
from web import refusals
from web.access import AnyRequest, acting_as, need
from web.auth import notices, one_time_codes, passkeys
from web.auth.addresses import passkey_site
from web.auth.passkeys import PasskeyError
from web.auth.sessions import Session
from web.data import access_shown, account
from web.data.account import AccountShown
from web.errors import N_, BadRequestError, NotFoundError, WebError
from web.forms import sent
from web.pages.sign_in import visitor
from web.pages.users import shell_of
from web.rendering import page, safe
from web.site import Site
from web.view import View

TOTP, PASSKEY = "totp", "passkey"
WRONG_PASSWORD = N_("This is not your password.")
NOT_PROVED = N_("Prove once more that it is you, then change it.")
WRONG_CODE = N_("This code is not right. Does the clock of the device go right?")
TOO_OLD = N_("This took too long, or was begun elsewhere. Begin again.")
DIFFERENT = N_("The two passwords are not the same.")
WORDS = (N_("very weak"), N_("weak"), N_("fair"), N_("good"), N_("strong"))
"""Strength of a password, from 0 to 4."""

log = structlog.get_logger(__name__)


class NotProvedError(WebError):
    """The user has to prove once more who they are."""

    status = 403


class Strength(msgspec.Struct, frozen=True):
    """How strong a password is, from 0 to 4, whether it may be taken, and what to say."""

    score: int
    good: bool
    text: str


@get("/account")
async def show(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the own account."""
    _, state = await own(request, site)
    return page(await render(request, site, view, state))


@get("/account.json")
async def show_json(request: AnyRequest, site: NamedDependency[Site]) -> AccountShown:
    """Return what the page of the own account shows."""
    return await shown_of(request, site, (await own(request, site))[1])


@post("/account/strength")
async def strength(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Strength:
    """Tell how strong a password is that is being typed; it is kept nowhere."""
    _, state = await own(request, site)
    password = (await sent(request)).get("password", "")
    translate = site.renderer.translate(view)
    if not password:
        return Strength(0, False, "")
    about = [str(each) for each in (state.login, state.email, state.first_name, state.last_name) if each]
    score = int(zxcvbn(password[: passwords.RATED], user_inputs=about, max_length=passwords.RATED)["score"])
    try:
        passwords.check(password, about)
    except DomainError as error:
        return Strength(score, False, refusals.told(error, translate))
    return Strength(score, True, translate(WORDS[score]))


@post("/account/password")
async def change_password(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> Redirect | Response[str]:
    """Change the own password; who has one proves it."""
    actor, state = await own(request, site)
    form, translate = await sent(request), site.renderer.translate(view)
    errors: dict[str, str] = {}
    if not await proved(request, site, state, form.get("current", "")):
        errors["current"] = translate(unproved(state))
    if form.get("password", "") != form.get("again", ""):
        errors["again"] = translate(DIFFERENT)
    about = [str(each) for each in (state.login, state.email, state.first_name, state.last_name) if each]
    try:
        good = passwords.check(form.get("password", ""), about)
    except DomainError as error:
        errors["password"] = refusals.told(error, translate)
        good = ""
    if errors:
        return page(await render(request, site, view, state, errors=errors), 422)
    wish = SetPassword(user_id=state.user_id, password=await passwords.hashed(good), cause="changed")
    answer = await done(site, view, actor, wish, "password")
    # All sessions end with the password that opened them, but for the one whose user has just proved who they are.
    session: Session | None = request.auth
    if session is not None:
        await site.sign_in.sessions.prove(session)
    ended = await site.sign_in.sessions.close(
        state.user_id, but=None if session is None else session.id, cause="password"
    )
    log.info("password changed", user=state.user_id, sessions_ended=len(ended))
    return answer


@get("/account/second-factor")
async def ask_for_code(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Show the secret for a device, and ask for its first code."""
    _, state = await own(request, site)
    return page(render_second_factor(site, view, state, one_time_codes.new_secret(), None))


@post("/account/second-factor")
async def enable(request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]) -> Response[str]:
    """Ask for codes of the device from now on, and show the recovery codes, once."""
    actor, state = await own(request, site)
    form, translate = await sent(request), site.renderer.translate(view)
    secret = account.opened(site.secret, TOTP, state.user_id, form.get("secret", ""))
    if secret is None:
        text = translate(TOO_OLD)
        return page(render_second_factor(site, view, state, one_time_codes.new_secret(), text), 422)
    if not await site.sign_in.use_code(state.user_id, secret, form.get("code", "")):
        return page(render_second_factor(site, view, state, secret, translate(WRONG_CODE)), 422)
    codes = one_time_codes.new_recovery_codes()
    digests = tuple(one_time_codes.digest_of(code) for code in codes)
    wish = EnableTotp(user_id=state.user_id, totp_secret=secret, recovery=digests)
    await notices.execute(site, shell_of(site), wish, actor, language=view.language)
    return page(site.renderer.render("recovery_codes.html", view, codes=codes))


@post("/account/{what:str}")
async def change(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site], what: FromPath[str]
) -> Redirect | Response[str]:
    """Do what proves the password first: ``no-second-factor``, ``recovery-codes``; or ``remove-passkey``."""
    actor, state = await own(request, site)
    form, translate = await sent(request), site.renderer.translate(view)
    if what not in ("no-second-factor", "recovery-codes", "remove-passkey"):
        raise NotFoundError(N_("There is nothing of that kind with the number {id}."), id=what[:40])
    if not await proved(request, site, state, form.get("current", "")):
        return page(await render(request, site, view, state, errors={what: translate(unproved(state))}), 422)
    if what == "recovery-codes":
        codes = one_time_codes.new_recovery_codes()
        digests = tuple(one_time_codes.digest_of(code) for code in codes)
        made = MakeRecoveryCodes(user_id=state.user_id, recovery=digests)
        await notices.execute(site, shell_of(site), made, actor, language=view.language)
        return page(site.renderer.render("recovery_codes.html", view, codes=codes))
    if what == "no-second-factor":
        return await done(site, view, actor, DisableTotp(user_id=state.user_id), "factor")
    wish = RemovePasskey(user_id=state.user_id, credential_id=form.get("credential_id", ""))
    return await done(site, view, actor, wish, "passkey")


@post("/account/passkey/begin")
async def begin_passkey(request: AnyRequest, site: NamedDependency[Site]) -> dict[str, Any]:
    """Begin to add a passkey: return the options for the browser, and what it sends back with its answer."""
    _, state = await own(request, site)
    # A passkey would be a proof of its own: who has nothing else to prove who they are must not make one unproved.
    if state.password is None and not await proved(request, site, state, ""):
        raise NotProvedError(NOT_PROVED)
    name = " ".join(str(part) for part in (state.first_name, state.last_name) if part)
    asked = passkeys.ask_for_new(passkey_site(request), state.uuid, str(state.login), name, list(state.passkeys))
    return {"options": asked.options, "token": account.sealed(site.secret, PASSKEY, state.user_id, asked.challenge)}


@post("/account/passkey/finish")
async def finish_passkey(
    request: AnyRequest, view: NamedDependency[View], site: NamedDependency[Site]
) -> dict[str, str]:
    """Keep a passkey that the browser has made."""
    actor, state = await own(request, site)
    form = await sent(request)
    challenge = account.opened(site.secret, PASSKEY, state.user_id, form.get("token", ""))
    if challenge is None:
        raise BadRequestError(TOO_OLD)
    try:
        answer = msgspec.json.decode(form.get("answer", ""), type=dict[str, Any])
        made = passkeys.check_new(passkey_site(request), challenge, answer)
    except (msgspec.DecodeError, PasskeyError):
        raise BadRequestError(N_("The device did not prove that it made the passkey. Try again.")) from None
    wish = AddPasskey(
        user_id=state.user_id,
        credential_id=made.credential_id,
        public_key=made.public_key,
        transports=tuple(made.transports),
        name=form.get("name", "").strip()[:80] or site.renderer.translate(view)(N_("Passkey")),
    )
    await notices.execute(site, shell_of(site), wish, actor, language=view.language)
    return {"location": view.url("account", saved="passkey")}


async def own(request: AnyRequest, site: Site) -> tuple[Actor, User]:
    """Return who acts, and their account.

    Raises
    ------
    NotFoundError
        Nobody has signed in, or the account is gone.
    """
    actor = await acting_as(request)
    if actor.user_id is None:
        raise NotFoundError(N_("Only who has signed in has an account."))
    await need(request, "users.own", wish="manage the own account")
    return actor, await account.load(site.database.store, actor.user_id)


async def proved(request: AnyRequest, site: Site, state: User, password: str) -> bool:
    """Tell whether somebody knows the password; who has none has proved otherwise, not long ago, who they are.

    Raises
    ------
    LockedError
        It was tried too often.
    """
    if state.password is not None:
        return await site.sign_in.check_password(state.user_id, password, visitor(request))
    session: Session | None = request.auth
    return session is not None and site.sign_in.sessions.fresh(session)


def unproved(state: User) -> str:
    """Return what to tell somebody who did not prove who they are."""
    return NOT_PROVED if state.password is None else WRONG_PASSWORD


async def done(site: Site, view: View, actor: Actor, wish: Command, what: str) -> Redirect:
    """Execute a command, and lead back to the account."""
    if isinstance(wish, UserCommand):
        await notices.execute(site, shell_of(site), wish, actor, language=view.language)
    else:
        await shell_of(site).execute(wish, actor, source="web")
    return Redirect(view.url("account", saved=what), status_code=303)


async def shown_of(request: AnyRequest, site: Site, state: User) -> AccountShown:
    """Return what the page shows."""
    sessions = await access_shown.sessions_of(site.sign_in.sessions, state.user_id, request.auth)
    # The own account belongs to no company, so it is read as the installation.
    async with site.database.reading("*") as connection:
        tokens = await access_shown.tokens_of(connection, site.database.store.keyring, state.user_id)
    return account.shown(state, sessions, tokens)


async def render(
    request: AnyRequest,
    site: Site,
    view: View,
    state: User,
    errors: dict[str, str] | None = None,
    token: str | None = None,
    typed: Mapping[str, Any] | None = None,
) -> str:
    """Return the page of the account; ``token`` is an API token that was just made, ``typed`` the form of one."""
    return site.renderer.render(
        "account.html",
        view,
        account=await shown_of(request, site, state),
        errors=errors or {},
        saved=view.parameters.get("saved"),
        shortest=passwords.shortest(),
        provider=None if site.openid is None else site.openid.settings.name,
        to_prove=state.password is None and not await proved(request, site, state, ""),
        permissions=EVERYTHING,
        erasure=await site.sign_in.facts.row("open_erasure", state.user_id),
        fresh_token=token,
        typed=typed or {},
    )


def render_second_factor(site: Site, view: View, state: User, secret: str, error: str | None) -> str:
    """Return the page on which the second factor is set up."""
    address = one_time_codes.address_of(secret, str(state.login))
    return site.renderer.render(
        "second_factor.html",
        view,
        secret=secret,
        sealed=account.sealed(site.secret, TOTP, state.user_id, secret),
        picture=safe(one_time_codes.picture_of(address)),
        error=error,
    )


HANDLERS = (
    show,
    show_json,
    strength,
    change_password,
    ask_for_code,
    enable,
    begin_passkey,
    finish_passkey,
    change,
)
