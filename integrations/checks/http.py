"""Whether an address answers, and takes user and password if there are any."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2

from integrations.checks.result import AVAILABLE, DEGRADED, MISCONFIGURED, UNAVAILABLE, Checked
from integrations.checks.tcp import failed

KIND = "http"


async def check_http(address: str, login: tuple[str, str] | None, timeout: float) -> Checked:
    """Ask for an address; redirections are not followed, and the answer's body is not read.

    Parameters
    ----------
    address : str
        ``http`` or ``https``; user and password in it are used if ``login`` is None.
    login : tuple[str, str] or None
        User and password (RFC 7617).
    timeout : float
        Seconds after which it is given up.
    """
    server = server_of(address)
    if server is None:
        return Checked(outcome=MISCONFIGURED, kind=KIND, message="The address is none of http or https.")
    try:
        async with (
            httpx2.AsyncClient(timeout=timeout, trust_env=False) as client,
            client.stream("GET", address, auth=login, headers={"User-Agent": "MultiFlexi"}) as response,
        ):
            return told(server, response.status_code)
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        return Checked(outcome=MISCONFIGURED, kind=KIND, message="The address cannot be understood.")
    except httpx2.TimeoutException:
        return failed(KIND, server, TimeoutError())
    except httpx2.HTTPError as error:
        return _of_error(server, error)


def told(server: str, status: int) -> Checked:
    """Return what an answer means (RFC 9110, section 15)."""
    if status in (401, 403, 407):
        return Checked(outcome=MISCONFIGURED, kind=KIND, message=f"{server} refuses to sign in ({status}).")
    if status in {429, 503}:
        return Checked(outcome=DEGRADED, kind=KIND, message=f"{server} answers, but is busy ({status}).")
    if status >= 500:
        return Checked(outcome=UNAVAILABLE, kind=KIND, message=f"{server} is in trouble ({status}).")
    if status in (404, 410):
        return Checked(outcome=MISCONFIGURED, kind=KIND, message=f"{server} has nothing at this address ({status}).")
    return Checked(outcome=AVAILABLE, kind=KIND, message=f"{server} answers ({status}).")


def server_of(address: str) -> str | None:
    """Return host and port of an address, without what may be secret in it; None if it is none of http.

    Examples
    --------
    >>> server_of("https://joe:hunter2@bank.example/api?key=1"), server_of("ftp://bank.example")
    ('bank.example:443', None)
    """
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError:
        return None
    usual = {"http": 80, "https": 443}.get(parts.scheme.lower())
    return f"{parts.hostname}:{port or usual}" if usual and parts.hostname else None


def _of_error(server: str, error: BaseException) -> Checked:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = f"{server} has a certificate that is not trusted: {cause.verify_message}."
            return Checked(outcome=MISCONFIGURED, kind=KIND, message=why)
    # The system's own error lies under those that only say that there was one.
    of_system = [cause for cause in causes if isinstance(cause, OSError) and cause.errno is not None]
    return failed(KIND, server, of_system[-1] if of_system else OSError(0, "the connection broke"))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        within = error.exceptions[-1] if isinstance(error, BaseExceptionGroup) else None
        error = within or error.__cause__ or error.__context__
