"""Documents fetched from an address: bounded in size and time, and not from inside the network unless that is wanted.

A name is resolved once and the connection goes to the address that was checked, so that a name which answers otherwise
the second time (DNS rebinding) leads nowhere else. Each redirect is checked in the same way.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import ssl
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx2
import msgspec

from domain.errors import ValidationError

ADDRESS = re.compile(r"https?://", re.IGNORECASE)
REDIRECTS = 5
CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 30.0
JSON_TYPES = re.compile(r"application/(?:[\w.-]+\+)?json|text/(?:json|plain)|application/octet-stream|binary/.*|")
AGENT = "MultiFlexi"


class Fetched(msgspec.Struct, frozen=True):
    """What an address answered, and the address that answered it after redirects."""

    content: bytes
    address: str


def is_address(source: str) -> bool:
    """Tell whether a source is an address rather than a file.

    Examples
    --------
    >>> is_address("https://example.org/a.json"), is_address("apps/a.json")
    (True, False)
    """
    return ADDRESS.match(source) is not None


async def fetch(address: str, *, largest: int, local: bool = False, seconds: float = WHOLE_SECONDS) -> Fetched:
    """Return a JSON document of an address.

    Parameters
    ----------
    address : str
        ``https://…`` or ``http://…``.
    largest : int
        Most bytes that are read.
    local : bool
        Whether addresses of this machine and of private networks may be asked.
    seconds : float
        How long it may take in all.

    Raises
    ------
    ValidationError
        The address is none, leads into a private network, does not answer in time, or answers something else.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _followed(address.strip(), largest, local=local)
    except TimeoutError:
        raise _refused(f"{address[:200]} did not answer within {seconds:g} s.", "address_slow") from None


async def _followed(address: str, largest: int, *, local: bool) -> Fetched:
    timeout = httpx2.Timeout(WHOLE_SECONDS, connect=CONNECT_SECONDS)
    # The authorities that the system trusts, or those of SSL_CERT_FILE.
    trusted = ssl.create_default_context()
    async with httpx2.AsyncClient(timeout=timeout, verify=trusted, follow_redirects=False, trust_env=False) as client:
        for _ in range(REDIRECTS + 1):
            parts = _parts(address)
            where = await _checked(parts, local=local)
            try:
                content, onward = await _asked(client, parts, where, largest)
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                reason = str(error) or type(error).__name__
                raise _refused(f"{address[:200]} cannot be fetched: {reason}.", "address_unreachable") from None
            if onward is None:
                return Fetched(content, address)
            address = urljoin(address, onward)
    raise _refused(f"More than {REDIRECTS} redirects follow each other.", "address_redirects")


async def _asked(client: httpx2.AsyncClient, parts: SplitResult, where: str, largest: int) -> tuple[bytes, str | None]:
    host = f"[{where}]" if ":" in where else where
    port = f":{parts.port}" if parts.port else ""
    url = parts._replace(netloc=host + port, fragment="").geturl()
    headers = {"Host": parts.netloc.rpartition("@")[2], "Accept": "application/json", "User-Agent": AGENT}
    # The certificate is checked for the name, though the connection goes to the address that was looked at.
    extensions = {"sni_hostname": parts.hostname or ""}
    async with client.stream("GET", url, headers=headers, extensions=extensions) as answer:
        if answer.status_code in (301, 302, 303, 307, 308) and answer.headers.get("location"):
            return b"", answer.headers["location"]
        if answer.status_code != 200:
            raise _refused(f"{parts.geturl()[:200]} answered {answer.status_code}.", "address_refuses")
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not JSON_TYPES.fullmatch(kind):
            page = " Give the address of the file itself, not of a page that shows it." if "html" in kind else ""
            raise _refused(f"{parts.geturl()[:200]} answered {kind[:80]}, no JSON.{page}", "address_no_json")
        content = bytearray()
        async for piece in answer.aiter_bytes():
            content += piece
            if len(content) > largest:
                raise _refused(f"{parts.geturl()[:200]} answered more than {largest} bytes.", "address_too_large")
        return bytes(content), None


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        parts, known = SplitResult("", "", "", "", ""), False
    if not known or re.search(r"[\x00-\x20\x7f]", address):
        raise _refused(f"“{address[:200]}” is no address; expected https://…", "address_form")
    if parts.username or parts.password:
        raise _refused(
            "An address with a password in it would be stored in logs of the way; leave it out.", "address_form"
        )
    return parts


async def _checked(parts: SplitResult, *, local: bool) -> str:
    """Return an IP address of a host, all of whose addresses may be asked."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _refused(f"{host[:100]} cannot be found: {error}.", "address_unknown") from None
    addresses = [str(entry[4][0]) for entry in found]
    inside = [one for one in addresses if not _is_public(one)]
    if inside and not local:
        raise _refused(
            f"{host[:100]} is {inside[0]}, in a private network or on this machine. Allow that with --allow-local, or "
            "give a file.",
            "address_local",
        )
    return addresses[0]


def _is_public(address: str) -> bool:
    known = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(known, "ipv4_mapped", None) or getattr(known, "sixtofour", None)
    return known.is_global and not known.is_multicast and (mapped is None or mapped.is_global)


def _refused(message: str, code: str) -> ValidationError:
    return ValidationError(message, field="file", code=code)
