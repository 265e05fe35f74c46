"""The application: routes, and what stands before and behind all of them."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version

from litestar import Litestar, Router, get
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.response import Redirect

from eventstore.errors import SettingsError
from eventstore.settings import Settings
from web import failures, preferences
from web.api import health
from web.assets import Assets
from web.auth.middleware import SignInMiddleware
from web.auth.openid import OpenIdProvider
from web.auth.openid import settings_of as openid_settings
from web.auth.settings import SignInSettings, sign_in_settings
from web.database import Database
from web.live import Hub, Snapshots
from web.mail import MailSettings, mail_settings
from web.pages import (
    access,
    account,
    account_access,
    actions,
    application_versions,
    applications,
    artifacts,
    companies,
    company_clone,
    company_edit,
    company_import,
    credential_prototypes,
    credential_types,
    credentials,
    dashboard,
    directory,
    erasures,
    job,
    jobs,
    queue,
    reset,
    run_form,
    run_templates,
    sign_in,
    sign_in_elsewhere,
    static,
    system,
    tasks,
    template_bulk,
    template_credentials,
    template_edit,
    template_new,
    template_remove,
    template_trial,
    user_groups,
    users,
)
from web.rendering import Renderer
from web.security import add_headers
from web.site import Site, site_of
from web.view import BASE, view_of

PAGES = (
    applications,
    application_versions,
    dashboard,
    jobs,
    job,
    run_templates,
    tasks,
    artifacts,
    queue,
    system,
    actions,
    run_form,
    template_credentials,
    template_bulk,
    template_edit,
    template_new,
    template_remove,
    template_trial,
    companies,
    company_clone,
    company_edit,
    company_import,
    directory,
    credentials,
    credential_prototypes,
    credential_types,
    user_groups,
    users,
    erasures,
    account_access,
    access,
    account,
    sign_in,
    sign_in_elsewhere,
    reset,
    static,
    health,
)


def create_app(settings: Settings) -> Litestar:
    """Return the application.

    Parameters
    ----------
    settings : Settings
        Where the database is, and the master key. The database need not be there yet.

    Raises
    ------
    SettingsError
        The environment sets up signing in, OpenID Connect or mails in part, or wrongly.
    """
    return app_of(create_site(settings))


def create_site(settings: Settings) -> Site:
    """Return what all handlers of an application share; see :func:`create_app`."""
    assets, number, database = Assets(), program_version(), Database(settings)
    signing_in = sign_in_settings(os.environ)
    return Site(
        database,
        Hub(database),
        Snapshots(),
        Renderer(assets, number),
        assets,
        number,
        csrf_secret(settings),
        signing_in,
        openid=openid_provider(os.environ),
        mail=mail_of(os.environ, signing_in),
    )


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    """Keep the database and what listens to it open while an application runs."""
    site: Site = app.state.site
    async with site.database, site.hub:
        yield


def app_of(site: Site) -> Litestar:
    """Return the application of a site: its routes, and what stands before and behind them."""
    return Litestar(
        route_handlers=[home, favicon, Router(BASE, route_handlers=[h for each in PAGES for h in each.HANDLERS])],
        dependencies={"site": Provide(site_of), "view": Provide(view_of)},
        state=State({"site": site}),
        lifespan=[lifespan],
        middleware=[SignInMiddleware],
        before_send=[add_headers, preferences.keep],
        csrf_config=CSRFConfig(
            secret=site.secret,
            cookie_name="multiflexi_csrf",
            cookie_path=BASE,
            cookie_httponly=True,
            cookie_secure=site.sign_in_settings.address.startswith("https://"),
            cookie_samesite="strict",
        ),
        exception_handlers=failures.HANDLERS,
        openapi_config=None,
        debug=False,
        logging_config=None,
        signature_namespace={"State": State},
    )


@get("/", exclude_from_csrf=True)
async def home() -> Redirect:
    """Lead to the dashboard."""
    return Redirect(f"{BASE}/", status_code=302)


@get("/favicon.ico", exclude_from_csrf=True)
async def favicon(site: NamedDependency[Site]) -> Redirect:
    """Lead to the sign of the program, for browsers that ask for it here."""
    return Redirect(f"{BASE}/static/{site.assets.name('logo.svg')}", status_code=302)


def csrf_secret(settings: Settings) -> str:
    """Return the secret that signs tokens of forms: the same in all processes that share a master key."""
    if not settings.master_key:
        return secrets.token_hex(32)
    return hmac.new(settings.master_key.encode(), b"multiflexi web forms", hashlib.sha256).hexdigest()


def openid_provider(environment: Mapping[str, str]) -> OpenIdProvider | None:
    """Return the provider by which one may sign in, None if none is set up.

    Raises
    ------
    SettingsError
        It is set up in part, or wrongly.
    """
    try:
        settings = openid_settings(environment)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    return None if settings is None else OpenIdProvider(settings)


def mail_of(environment: Mapping[str, str], signing_in: SignInSettings) -> MailSettings | None:
    """Return the way of mails, None if none is set up.

    Raises
    ------
    SettingsError
        It is set up wrongly; or links in mails would lead wherever a forged request says.
    """
    settings = mail_settings(environment)
    if settings is not None and not signing_in.address:
        raise SettingsError(
            "MULTIFLEXI_SMTP_URL is set, but MULTIFLEXI_URL is not: mails would not know the address of the pages. "
            "Set it, e.g. to https://multiflexi.example.com"
        )
    return settings


def program_version() -> str:
    """Return the version of the program."""
    try:
        return version("multiflexi")
    except PackageNotFoundError:
        return "development"
