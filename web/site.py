"""What all handlers share: the database, live updates, templates, files. One object, made with the application."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from litestar import Request
from litestar.datastructures import State

from web.assets import Assets
from web.auth.openid import OpenIdProvider
from web.auth.reset import Sending
from web.auth.settings import SignInSettings
from web.auth.sign_in import SignIn
from web.database import Database
from web.live import Hub, Snapshots
from web.mail import MailSettings
from web.rendering import Renderer


@dataclass(frozen=True)
class Site:
    """What all handlers share; ``secret`` signs what a browser keeps between two steps.

    ``openid`` is the provider by which one may sign in, ``mail`` the way of mails, each None if none
    is set up; ``sending`` holds mails on their way.
    """

    database: Database
    hub: Hub
    snapshots: Snapshots
    renderer: Renderer
    assets: Assets
    version: str
    secret: str
    sign_in_settings: SignInSettings
    openid: OpenIdProvider | None = None
    mail: MailSettings | None = None
    sending: Sending = field(default_factory=set)

    @cached_property
    def sign_in(self) -> SignIn:
        """What signs users in.

        Raises
        ------
        UnavailableError
            The database could not be opened yet.
        """
        return SignIn(self.database.store, self.sign_in_settings)


async def site_of(state: State) -> Site:
    """Return what all handlers share; the dependency ``site``."""
    return state.site


def site_in(request: Request[object, object, State]) -> Site:
    """Return the same where there are no dependencies, as in handlers of errors."""
    return request.app.state.site
