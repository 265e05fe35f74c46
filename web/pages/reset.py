"""``/multiflexi/sign-in/forgotten`` and ``/multiflexi/sign-in/reset``: another password by a link in a mail."""

from __future__ import annotations

from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.di import NamedDependency

from commands import passwords
from domain.errors import DomainError
from web import refusals
from web.access import AnyRequest
from web.auth import notices, reset
from web.auth.addresses import full
from web.auth.sign_in import WrongError
from web.errors import N_, NotFoundError, WebError
from web.mail import MailSettings
from web.pages.sign_in import LONGEST, form_again, open_view, visitor
from web.rendering import page
from web.site import Site

NO_MAIL = N_("No mail server is set up, so that no link can be sent. Ask your administrator for another password.")
CHANGED = N_("Your password was changed. Sign in by it.")
DIFFERENT = N_("The two passwords are not the same.")


@get("/sign-in/forgotten")
async def show(request: AnyRequest, site: NamedDependency[Site]) -> Response[str]:
    """Ask for the address to which a link is to be sent."""
    mail_of(site)
    return render(request, site, step="ask")


@post("/sign-in/forgotten", status_code=200)
async def ask(request: AnyRequest, site: NamedDependency[Site]) -> Response[str]:
    """Send a link to the user of an address; the answer is the same whether there is one."""
    mail, form = mail_of(site), await request.form()
    view = open_view(request)
    try:
        await reset.ask(
            site.sign_in,
            mail,
            str(form.get("email") or "")[:LONGEST],
            visitor(request),
            link=lambda token: f"{full(request, '/sign-in/reset')}?{urlencode({'token': token})}",
            language=view.language,
            sending=site.sending,
        )
    except WebError as error:
        return render(request, site, step="ask", error=error)
    return render(request, site, step="sent")


@get("/sign-in/reset")
async def show_link(request: AnyRequest, site: NamedDependency[Site]) -> Response[str]:
    """Ask for another password; that a link is looked at, as programs do that check mails, does not use it up."""
    token = request.query_params.get("token") or ""
    try:
        user = await reset.user_of(site.sign_in, token)
    except WrongError as error:
        return render(request, site, step="ask" if site.mail else "void", error=error)
    return render(request, site, step="choose", token=token, login=str(user.login))


@post("/sign-in/reset", status_code=200)
async def choose(request: AnyRequest, site: NamedDependency[Site]) -> Response[str]:
    """Give the user of a link another password."""
    form = await request.form()
    token, password = str(form.get("token") or ""), str(form.get("password") or "")[:LONGEST]
    translate = site.renderer.translate(open_view(request))
    try:
        user = await reset.user_of(site.sign_in, token)
        errors: dict[str, str] = {}
        if password != str(form.get("again") or "")[:LONGEST]:
            errors["again"] = translate(DIFFERENT)
        else:
            try:
                events = await reset.finish(site.sign_in, token, password)
                notices.announce(site, user, events, language=open_view(request).language)
            except DomainError as error:
                errors["password"] = refusals.told(error, translate)
    except WrongError as error:
        return render(request, site, step="ask" if site.mail else "void", error=error)
    login = str(user.login)
    if errors:
        return render(request, site, step="choose", token=token, login=login, errors=errors)
    return form_again(request, site, "/multiflexi/", login=login, notice=translate(CHANGED))


def mail_of(site: Site) -> MailSettings:
    """Return the way of mails.

    Raises
    ------
    NotFoundError
        None is set up.
    """
    if site.mail is None:
        raise NotFoundError(NO_MAIL)
    return site.mail


def render(
    request: AnyRequest,
    site: Site,
    *,
    step: str,
    error: WebError | None = None,
    token: str = "",
    login: str = "",
    errors: dict[str, str] | None = None,
) -> Response[str]:
    """Return the page of a step: ``ask``, ``sent``, ``choose`` or ``void``."""
    view = open_view(request)
    html = site.renderer.render(
        "reset.html",
        view,
        step=step,
        error="" if error is None else error.told(site.renderer.translate(view)),
        link=token,
        login=login,
        errors=errors or {},
        shortest=passwords.shortest(),
    )
    return page(html, 422 if errors else 200 if error is None else error.status)


HANDLERS = (show, ask, show_link, choose)
