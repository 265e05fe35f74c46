"""Who asks: finds the session of a cookie or the user of a bearer token, before any page is read."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from litestar import Response
from litestar.connection import ASGIConnection
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import Message, Receive, Scope, Send

from commands.accounts import actor_of
from commands.actor import Actor
from commands.tokens import bearer
from web.auth.cookies import SESSION, session_cookie
from web.auth.routes import OPEN
from web.auth.sessions import Session
from web.auth.sign_in import SignIn
from web.database import AWAY, unavailable
from web.errors import N_, WebError

CHECKED_EVERY = 1.0
"""Seconds after which it is asked anew whether a live page may go on."""


class SignInNeededError(WebError):
    """Nobody is signed in, or the token is not good."""

    status = 401


class SignInMiddleware(AbstractAuthenticationMiddleware):
    """Lets requests through whose user is known; ``request.user`` is the actor, ``request.auth`` the session."""

    def __init__(self, app: Any) -> None:
        super().__init__(app, exclude=list(OPEN))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; a live page ends when its user may not see it any more."""
        await super().__call__(scope, receive, _watched(scope, send, self))

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """Return who asks.

        Raises
        ------
        SignInNeededError
            Nobody who is known.
        UnavailableError
            The database is away.
        """
        actor, session = await who_asks(connection)
        return AuthenticationResult(user=actor, auth=session)


async def who_asks(connection: ASGIConnection[Any, Any, Any, Any]) -> tuple[Actor, Session | None]:
    """Return the user of a request, and the session if they have one.

    Raises
    ------
    SignInNeededError
        Nobody who is known.
    """
    sign_in: SignIn = connection.app.state.site.sign_in
    try:
        header = connection.headers.get("authorization", "")
        if header[:7].lower() == "bearer ":
            actor = await bearer(sign_in.facts, header[7:].strip(), sign_in.clock())
            if actor is None:
                raise SignInNeededError(N_("The token is not good: it is wrong, has expired or was revoked."))
            return actor, None
        token = connection.cookies.get(SESSION, "")
        session = await sign_in.sessions.find(token) if token else None
        actor = None if session is None else await actor_of(sign_in.facts, session.user_id, sign_in.clock())
        if session is None or actor is None:
            raise SignInNeededError(N_("Sign in to see this."))
        connection.scope["multiflexi_rotated"] = await sign_in.sessions.rotated(session, token)  # type: ignore[typeddict-unknown-key]
        return actor, session
    except AWAY as error:
        raise unavailable(error) from error


def _watched(scope: Scope, send: Send, middleware: SignInMiddleware) -> Send:
    """Return what sends an answer, and the new id of a session with it; an answer that lasts ends with its session."""
    state = {"checked": time.monotonic(), "live": False, "over": False}

    async def sending(message: Message) -> None:
        if state["over"]:
            return
        if message["type"] == "http.response.start":
            _add_cookie(scope, message)
            state["live"] = any(
                name.lower() == b"content-type" and value.startswith(b"text/event-stream")
                for name, value in message["headers"]
            )
        elif state["live"] and time.monotonic() - float(state["checked"]) > CHECKED_EVERY:
            state["checked"] = time.monotonic()
            if not await _still(scope):
                state["over"] = True
                message = {"type": "http.response.body", "body": b"", "more_body": False}
        await send(message)

    return sending


async def _still(scope: Scope) -> bool:
    """Tell whether the user of a live page may still see what they saw at its beginning."""
    connection: ASGIConnection[Any, Any, Any, Any] = ASGIConnection(scope)
    try:
        actor, _ = await who_asks(connection)
    except WebError as error:
        return error.status != SignInNeededError.status
    return actor == scope.get("user")


def _add_cookie(scope: Scope, message: Any) -> None:
    fresh = scope.get("multiflexi_rotated")
    if isinstance(fresh, str):
        header = session_cookie(ASGIConnection(scope), fresh).to_header(header="")
        message["headers"] = [*message["headers"], (b"set-cookie", header.encode())]


def sign_in_address(path: str, parameters: str = "") -> str:
    """Return the address of the sign-in page, which leads back to the page that was asked for.

    Examples
    --------
    >>> sign_in_address("/multiflexi/jobs", "status=failed")
    '/multiflexi/sign-in?next=%2Fmultiflexi%2Fjobs%3Fstatus%3Dfailed'
    """
    wanted = f"{path}?{parameters}" if parameters else path
    return f"/multiflexi/sign-in?{urlencode({'next': wanted})}"


def needed(location: str) -> Response[str]:
    """Return the answer that leads a browser to the sign-in page."""
    return Response("", status_code=303, headers={"location": location})
