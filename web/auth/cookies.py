"""The cookies of signing in: what they are called, and how browsers keep them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie

SESSION = "multiflexi_session"
"""Cookie with the id of the session."""

STEP = "multiflexi_step"
"""Cookie of a sign-in under way: the token of its second step, or of what it was begun with."""

PATH = "/multiflexi"

AnyConnection = ASGIConnection[Any, Any, Any, Any]


def protected(connection: AnyConnection) -> bool:
    """Tell whether browsers reach the installation by TLS: then its cookies are never sent without."""
    address: str = connection.app.state.site.sign_in_settings.address
    return address.startswith("https://") if address else connection.url.scheme == "https"


def session_cookie(connection: AnyConnection, token: str) -> Cookie:
    """Return the cookie with the id of a session; it goes when the browser is closed."""
    return _cookie(connection, SESSION, token, None)


def step_cookie(connection: AnyConnection, token: str, lasts: int) -> Cookie:
    """Return the cookie of a sign-in under way."""
    return _cookie(connection, STEP, token, lasts)


def gone(connection: AnyConnection, name: str) -> Cookie:
    """Return what makes a browser forget a cookie."""
    return _cookie(connection, name, "", 0)


def _cookie(connection: AnyConnection, name: str, value: str, lasts: int | None) -> Cookie:
    return Cookie(
        key=name,
        value=value,
        path=PATH,
        max_age=lasts,
        httponly=True,
        secure=protected(connection),
        # Lax, not strict: a link in a mail to a job must find the user signed in. Forms carry a token of their own.
        samesite="lax",
    )


def page_asked_for(text: str | None) -> str:
    """Return the address to lead to after signing in: a page of ours, whatever a link says.

    Examples
    --------
    >>> page_asked_for("/multiflexi/jobs?status=failed"), page_asked_for("//evil.example/multiflexi/")
    ('/multiflexi/jobs?status=failed', '/multiflexi/')
    """
    home = f"{PATH}/"
    if not text or not text.isprintable() or "\\" in text:
        return home
    parts = urlsplit(text)
    if parts.scheme or parts.netloc or not text.startswith(home) or parts.path.startswith(f"{PATH}/sign-"):
        return home
    return text[:2000]
