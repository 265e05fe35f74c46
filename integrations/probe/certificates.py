"""Readings of certificates: a TLS handshake with an endpoint and what its certificate says.

Sources: RFC 8446 (TLS 1.3), RFC 6066 (server name indication), RFC 5280 (certificates), RFC 9525 (names of services).
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from integrations.probe.network import Endpoint, NetworkError, connections, remaining, why_unreachable
from integrations.probe.starttls import PREPARE
from integrations.probe.texts import text

if TYPE_CHECKING:
    from cryptography import x509

_NOT_YET_VALID, _EXPIRED, _WRONG_HOST, _WRONG_ADDRESS = 9, 10, 62, 64
"""Verification results of OpenSSL (``X509_V_ERR_…``, X509_STORE_CTX_get_error(3))."""


@dataclass(frozen=True, slots=True)
class CertificateReading:
    """What an endpoint showed.

    Attributes
    ----------
    not_before, not_after : datetime
        Validity of the endpoint's own certificate.
    self_signed : bool
        Whether it was issued by its own key.
    name_matches : bool
        Whether it is valid for the host that was asked for.
    chain_problem : str
        Why its chain is not trusted, in OpenSSL's words; empty if it is, or if that was not looked at.
    seconds : float
        How long the endpoint took.
    """

    not_before: datetime
    not_after: datetime
    self_signed: bool
    name_matches: bool
    chain_problem: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Contexts:
    """TLS settings of all handshakes of one run: loading the authorities once takes tens of milliseconds.

    Attributes
    ----------
    verifying : ssl.SSLContext or None
        Trusts the system's authorities and the chosen ones; None if trust is not to be checked.
    lenient : ssl.SSLContext
        Takes any certificate, to look at one that is not trusted.
    """

    verifying: ssl.SSLContext | None
    lenient: ssl.SSLContext


def make_contexts(*, verify: bool, ca_file: Path | None) -> Contexts:
    """Return the TLS settings of a run.

    Parameters
    ----------
    verify : bool
        Whether trust and names are to be checked.
    ca_file : Path or None
        PEM file of further trusted authorities.

    Raises
    ------
    OSError
        The file cannot be read or holds no certificate (`ssl.SSLError` is an `OSError`).
    """
    lenient = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lenient.check_hostname = False
    lenient.verify_mode = ssl.CERT_NONE
    if not verify:
        return Contexts(None, lenient)
    verifying = ssl.create_default_context()
    if ca_file is not None:
        verifying.load_verify_locations(cafile=ca_file)
    return Contexts(verifying, lenient)


def read_certificate(endpoint: Endpoint, contexts: Contexts, deadline: float) -> CertificateReading:
    """Shake hands with an endpoint and return what its certificate says.

    One handshake verifies everything; only if that fails, a second one that takes any certificate finds out all that is
    wrong, as OpenSSL stops at the first thing.

    Raises
    ------
    NetworkError
        There was no handshake.
    """
    begun = time.monotonic()
    chain_problem = ""
    code = 0
    der = None
    if contexts.verifying is not None:
        try:
            der = _handshake(endpoint, contexts.verifying, deadline)
        except ssl.SSLCertVerificationError as error:
            code, chain_problem = error.verify_code, error.verify_message
    verified = der is not None
    certificate = _load(der if der is not None else _handshake(endpoint, contexts.lenient, deadline))
    seconds = time.monotonic() - begun
    return CertificateReading(
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        self_signed=_is_self_signed(certificate),
        name_matches=verified or _names_match(endpoint.host, certificate),
        chain_problem="" if _is_of_leaf(code, certificate) else chain_problem,
        seconds=seconds,
    )


def _is_of_leaf(code: int, certificate: x509.Certificate) -> bool:
    """Whether a verification result is one of the facts that are told of the endpoint's own certificate anyway."""
    now = datetime.now(tz=certificate.not_valid_after_utc.tzinfo)
    if code == _EXPIRED:
        return now > certificate.not_valid_after_utc
    if code == _NOT_YET_VALID:
        return now < certificate.not_valid_before_utc
    return code in {_WRONG_HOST, _WRONG_ADDRESS}


def _handshake(endpoint: Endpoint, context: ssl.SSLContext, deadline: float) -> bytes:
    """Return the endpoint's certificate (DER)."""
    for sock in connections(endpoint, socket.SOCK_STREAM, deadline):
        with sock:
            try:
                PREPARE[endpoint.protocol](sock, deadline)
                sock.settimeout(remaining(deadline))
                with context.wrap_socket(sock, server_hostname=endpoint.host) as tls:
                    der = tls.getpeercert(binary_form=True)
            except ssl.SSLCertVerificationError:
                raise
            except TimeoutError as error:
                raise NetworkError(text("connected, but no TLS handshake in time")) from error
            except (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError) as error:
                raise NetworkError(text("closed the connection during the TLS handshake")) from error
            except ssl.SSLError as error:
                reason = (error.reason or str(error)).replace("_", " ").lower()
                raise NetworkError(text("no TLS handshake: {reason}", reason=reason)) from error
            except OSError as error:
                raise NetworkError(why_unreachable(error)) from error
            if der is None:
                break
            return der
    raise NetworkError(text("showed no certificate"))


def _load(der: bytes) -> x509.Certificate:
    from cryptography import x509  # noqa: PLC0415 - some 60 ms, only when certificates are checked

    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise NetworkError(text("unreadable certificate: {reason}", reason=str(error))) from error


def load_parser() -> None:
    """Load the parser of certificates ahead of time, so that threads do not wait for each other's import."""
    import cryptography.x509  # noqa: F401, PLC0415


def _is_self_signed(certificate: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    if certificate.issuer != certificate.subject:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False  # another key of the same name, or a key that cannot sign
    return True


def _names_match(host: str, certificate: x509.Certificate) -> bool:
    from cryptography import x509  # noqa: PLC0415

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return False  # a common name does not count any more (RFC 9525, section 6.3)
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    return host_matches(host, names.get_values_for_type(x509.DNSName), addresses)


def host_matches(host: str, names: Collection[str], addresses: Collection[str]) -> bool:
    """Return whether a certificate's names or addresses hold for a host (RFC 9525, section 6).

    Parameters
    ----------
    host : str
        Name, also an internationalised one, or address.
    names : collection of str
        DNS names; ``*`` may stand for the whole leftmost label.
    addresses : collection of str
        IP addresses.

    Examples
    --------
    >>> host_matches("www.example.com", ["*.example.com"], [])
    True
    >>> host_matches("a.www.example.com", ["*.example.com"], [])
    False
    """
    try:
        return str(ipaddress.ip_address(host)) in addresses
    except ValueError:
        pass  # not an address, so a name
    try:
        wanted = host.encode("idna").decode("ascii").lower().rstrip(".")
    except UnicodeError:
        return False
    parent = wanted.partition(".")[2]
    accepted = {name.lower().rstrip(".") for name in names}
    return wanted in accepted or ("." in parent and f"*.{parent}" in accepted)
