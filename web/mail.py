"""Mails of the web interface, handed to the server that the environment names (SMTP, RFC 5321).

::

    MULTIFLEXI_SMTP_URL=smtp://name:password@mail.example.com:587
    EMAIL_FROM="MultiFlexi <multiflexi@example.com>"
"""

from __future__ import annotations

import asyncio
import ipaddress
import smtplib
import ssl
from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid, parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from eventstore.errors import SettingsError

TIMEOUT = 20.0
"""Seconds that each answer of the server may take."""

PORTS = {"smtp": 587, "smtps": 465}
EXPECTED = "expected smtp://NAME:PASSWORD@HOST:PORT, or smtps:// where the server speaks TLS from the beginning"


class MailError(Exception):
    """A mail could not be handed to the server."""


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The server that takes mails (``MULTIFLEXI_SMTP_URL``) and who sends them (``EMAIL_FROM``).

    Attributes
    ----------
    encryption : str
        ``tls`` (from the beginning, RFC 8314), ``starttls`` (RFC 3207, insisted on) or ``none`` (the same machine, or
        ``?tls=no`` in the address).
    """

    host: str
    port: int
    encryption: str
    sender: Address
    name: str = ""
    password: str = ""


def mail_settings(environment: Mapping[str, str]) -> MailSettings | None:
    """Return where mails go, None if no server is named.

    Raises
    ------
    SettingsError
        The address of the server or that of the sender is none, or a password would be sent for all to read.
    """
    url = environment.get("MULTIFLEXI_SMTP_URL", "").strip()
    if not url:
        return None
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    except (KeyError, ValueError):
        raise SettingsError(f"MULTIFLEXI_SMTP_URL is no address of a mail server; {EXPECTED}.") from None
    if not host:
        raise SettingsError(f"MULTIFLEXI_SMTP_URL names no host; {EXPECTED}.")
    plain = parse_qs(parts.query).get("tls") == ["no"] or _same_machine(host)
    encryption = "tls" if parts.scheme == "smtps" else "none" if plain else "starttls"
    if encryption == "none" and parts.password and not _same_machine(host):
        raise SettingsError("MULTIFLEXI_SMTP_URL would send its password for all to read. Leave ?tls=no out.")
    return MailSettings(
        host=host,
        port=port,
        encryption=encryption,
        sender=_sender(environment.get("EMAIL_FROM", "").strip() or f"multiflexi@{host}"),
        name=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


async def send(settings: MailSettings, to: str, subject: str, text: str) -> None:
    """Hand a mail to the server.

    Parameters
    ----------
    to : str
        One address.
    subject, text : str
        What it says.

    Raises
    ------
    MailError
        The server cannot be reached or does not take it.
    """
    message = EmailMessage()
    try:
        message["From"], message["To"], message["Subject"] = settings.sender, Address(addr_spec=to), subject
    except (ValueError, IndexError, AttributeError) as error:
        raise MailError(f"No mail can be sent to this address: {error}") from error
    message["Date"] = formatdate(localtime=False, usegmt=True)
    message["Message-ID"] = make_msgid(domain=settings.sender.domain or settings.host)
    # No answer of a holiday is wanted (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    try:
        await asyncio.to_thread(_hand_over, settings, message)
    except (smtplib.SMTPException, OSError) as error:
        raise MailError(f"{settings.host}:{settings.port} did not take the mail: {error}") from error


def _hand_over(settings: MailSettings, message: EmailMessage) -> None:
    context = ssl.create_default_context()
    if settings.encryption == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(settings.host, settings.port, timeout=TIMEOUT, context=context)
    else:
        server = smtplib.SMTP(settings.host, settings.port, timeout=TIMEOUT)
    with server:
        if settings.encryption == "starttls":
            server.starttls(context=context)
        if settings.name:
            server.login(settings.name, settings.password)
        server.send_message(message)


def _sender(text: str) -> Address:
    name, address = parseaddr(text)
    try:
        return Address(name, addr_spec=address)
    except (ValueError, IndexError, AttributeError) as error:
        raise SettingsError(f"EMAIL_FROM is {text!r}, which is no e-mail address ({error}).") from None


def _same_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
