"""What a viewer chooses for all pages: language, theme, time zone. A parameter of a page chooses, a cookie keeps it."""

from __future__ import annotations

from litestar import Request
from litestar.datastructures import Cookie, MutableScopeHeaders
from litestar.types import Message, Scope

from web import i18n, times
from web.access import AnyRequest

LANGUAGE, ZONE, THEME = "lang", "tz", "theme"
PARAMETERS = frozenset({LANGUAGE, ZONE, THEME})
COOKIE_PREFIX = "multiflexi_"
COOKIE_PATH = "/multiflexi"
THEMES = ("auto", "light", "dark")
OF_COMPANY = "auto"
"""Value of the parameter ``tz`` that goes back to the zone of the company."""

YEAR = 365 * 24 * 3600


def language_of(request: AnyRequest) -> str:
    """Return the language of a request: as it was chosen, else what its browser asks for."""
    stated = _stated(request, LANGUAGE)
    return (
        stated if stated in i18n.LANGUAGES else i18n.chosen(i18n.accepted(request.headers.get("accept-language", "")))
    )


def theme_of(request: AnyRequest) -> str:
    """Return the theme: ``auto`` (as the device), ``light`` or ``dark``."""
    stated = _stated(request, THEME)
    return stated if stated in THEMES else "auto"


def zone_of(request: AnyRequest) -> str | None:
    """Return the name of the chosen time zone; None if that of the company is wanted."""
    stated = _stated(request, ZONE)
    return stated if stated in times.zones() else None


def _stated(request: AnyRequest, name: str) -> str | None:
    return request.query_params.get(name) or request.cookies.get(COOKIE_PREFIX + name)


def _cookies(request: AnyRequest) -> list[str]:
    allowed = {LANGUAGE: i18n.LANGUAGES, THEME: THEMES, ZONE: times.zones() | {OF_COMPANY}}
    chosen = ((name, request.query_params.get(name)) for name in PARAMETERS)
    return [
        Cookie(
            key=COOKIE_PREFIX + name, value=value, path=COOKIE_PATH, max_age=YEAR, httponly=True, samesite="lax"
        ).to_header(header="")
        for name, value in chosen
        if value and value in allowed[name]
    ]


async def keep(message: Message, scope: Scope) -> None:
    """Put the cookies of what a request chose on its answer, which is about to be sent."""
    if message["type"] == "http.response.start" and scope["type"] == "http" and scope["query_string"]:
        headers = MutableScopeHeaders.from_message(message)
        for cookie in _cookies(Request(scope)):
            headers.add("set-cookie", cookie)
