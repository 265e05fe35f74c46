"""How browsers know this installation: its address, which links in mails, passkeys and OpenID providers refer to."""

from __future__ import annotations

from urllib.parse import urlsplit

from web.auth.cookies import PATH, AnyConnection
from web.auth.passkeys import Site


def origin(connection: AnyConnection) -> str:
    """Return scheme, host and port of the pages: as they were set up (``MULTIFLEXI_URL``), else as the request says."""
    configured: str = connection.app.state.site.sign_in_settings.address
    if configured:
        parts = urlsplit(configured)
        return f"{parts.scheme}://{parts.netloc}"
    return f"{connection.url.scheme}://{connection.url.netloc}"


def passkey_site(connection: AnyConnection) -> Site:
    """Return this installation as passkeys know it."""
    here = origin(connection)
    return Site(host=urlsplit(here).hostname or "localhost", origin=here)


def full(connection: AnyConnection, path: str) -> str:
    """Return the whole address of a page of ours, for others to lead back to."""
    return f"{origin(connection)}{PATH}{path}"
