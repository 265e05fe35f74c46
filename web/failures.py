"""Answers when something went wrong: a page for people, ``application/problem+json`` (RFC 9457) for programs."""

from __future__ import annotations

import uuid
from http import HTTPStatus

import asyncpg
import structlog
from litestar import Response
from litestar.background_tasks import BackgroundTask
from litestar.exceptions import HTTPException

from commands.denials import record_denial
from commands.errors import DeniedError
from domain.errors import DomainError, ForbiddenError, NotFoundError, ValidationError
from eventstore.errors import DatabaseUnavailableError
from eventstore.log import Meta
from web import hidden, i18n, refusals
from web.access import AnyRequest
from web.auth.middleware import SignInNeededError, needed, sign_in_address
from web.database import unavailable
from web.errors import N_, UnavailableError, WebError
from web.preferences import language_of
from web.rendering import page
from web.site import site_in
from web.view import BASE, View

TITLES = {
    400: N_("This address is not right"),
    401: N_("Sign in first"),
    403: N_("This was not allowed"),
    404: N_("There is nothing here"),
    405: N_("This was not allowed"),
    409: N_("This could not be done"),
    410: N_("This was removed"),
    429: N_("This was tried too often"),
    413: N_("This was too large"),
    500: N_("Something went wrong on our side"),
    503: N_("The database is away"),
}
RETRY_AFTER = 2
"""Seconds after which a page without database looks again."""

log = structlog.get_logger(__name__)


def web_error(request: AnyRequest, error: WebError) -> Response[object]:
    """Answer an error of ours."""
    answer = _answer(request, error.status, error.told(i18n.translations(language_of(request)).gettext))
    return _watched(request, error, answer)


def database_away(request: AnyRequest, error: Exception) -> Response[object]:
    """Answer when the database went away while it was used."""
    return web_error(request, unavailable(error))


def http_error(request: AnyRequest, error: HTTPException) -> Response[object]:
    """Answer an error that the framework found: no such route, a wrong method, a form without its token."""
    return _answer(request, error.status_code, "" if _wants_page(request) else error.detail)


def unexpected(request: AnyRequest, error: Exception) -> Response[object]:
    """Answer a fault of ours: the log has its traceback, the user a number to find it by."""
    log.error("a request failed", path=request.url.path, method=request.method, exc_info=error)
    return _answer(request, 500, "")


def _answer(request: AnyRequest, status: int, detail: str) -> Response[object]:
    headers = {"retry-after": str(RETRY_AFTER)} if status == UnavailableError.status else {}
    title = TITLES.get(status) or HTTPStatus(status).phrase
    if not _wants_page(request):
        problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
        return Response(problem, status_code=status, media_type="application/problem+json", headers=headers)
    site = site_in(request)
    view = View.plain(request)
    html = site.renderer.render(
        "failure.html", view, status=status, title=title, detail=detail, retry=RETRY_AFTER if headers else None
    )
    answer = page(html, status)
    for name, value in headers.items():
        answer.set_header(name, value)
    return answer  # type: ignore[return-value]


def _wants_page(request: AnyRequest) -> bool:
    accept = request.headers.get("accept", "")
    path = request.url.path
    return not path.endswith((".json", "/health", "/live")) and ("text/html" in accept or "json" not in accept)


def sign_in_needed(request: AnyRequest, error: SignInNeededError) -> Response[object]:
    """Lead a browser to the sign-in page, which remembers the page asked for; tell a program that it needs a token."""
    if _wants_page(request):
        asked = request.method in ("GET", "HEAD")
        return needed(sign_in_address(request.url.path if asked else f"{BASE}/", request.url.query if asked else ""))  # type: ignore[return-value]
    answer = web_error(request, error)
    answer.set_header("www-authenticate", "Bearer")
    return answer


def refused(request: AnyRequest, error: DomainError) -> Response[object]:
    """Answer when the rules of the domain refused a command."""
    status = next((status for kind, status in REFUSALS.items() if isinstance(error, kind)), 409)
    answer = _answer(request, status, refusals.told(error, i18n.translations(language_of(request)).gettext))
    if isinstance(error, DeniedError):
        answer.background = BackgroundTask(_put_down, request, error)
    return _watched(request, error, answer)


def _watched(request: AnyRequest, error: Exception, answer: Response[object]) -> Response[object]:
    if answer.status_code == HTTPStatus.NOT_FOUND:
        answer.background = hidden.task_of(request, error)
    return answer


async def _put_down(request: AnyRequest, error: DeniedError) -> None:
    """Put a refusal of what was no command down as an event; that of a command was put down by its execution."""
    meta = Meta(actor=str(request.user), source="web", correlation=str(uuid.uuid4()))
    await record_denial(site_in(request).database.store, request.user, meta, error)


REFUSALS = {NotFoundError: 404, ForbiddenError: 403, ValidationError: 400}
"""Status of a refusal; any other is a conflict (RFC 9110, 15.5.10)."""

HANDLERS = {
    SignInNeededError: sign_in_needed,
    WebError: web_error,
    DomainError: refused,
    DatabaseUnavailableError: database_away,
    asyncpg.InterfaceError: database_away,
    asyncpg.PostgresConnectionError: database_away,
    asyncpg.OperatorInterventionError: database_away,
    HTTPException: http_error,
    Exception: unexpected,
}
