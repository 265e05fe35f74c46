"""Endpoints and connections that never take longer than until a deadline.

Deadlines are moments of `time.monotonic`, in seconds.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from integrations.probe.texts import Text, text

Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]

_ENDPOINT = re.compile(
    r"(?:(?P<protocol>[a-z0-9]+)://)?(?:\[(?P<ipv6>[0-9A-Fa-f:.%a-z]+)\]|(?P<host>[^\s/:\[\]@]+))(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server to ask.

    Attributes
    ----------
    host : str
        Name or address.
    port : int
        TCP or UDP port.
    protocol : str
        How the talk begins, e.g. ``tls`` or ``smtp``.
    label : str
        What people call it; also its name in metrics.
    """

    host: str
    port: int
    protocol: str
    label: str


class NetworkError(Exception):
    """A server could not be asked.

    Attributes
    ----------
    text : Text
        Why, for people.
    """

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.template)
        self.text = reason


def parse_endpoint(value: str, protocols: Mapping[str, int], default: str) -> Endpoint | None:
    """Return the endpoint written as ``[protocol://]host[:port]``, or None if it is not one.

    Parameters
    ----------
    value : str
        What the user wrote; an IPv6 address stands in brackets.
    protocols : mapping of str to int
        Allowed protocols and their usual ports.
    default : str
        Protocol of an endpoint that names none.

    Examples
    --------
    >>> parse_endpoint("example.com", {"tls": 443}, "tls")
    Endpoint(host='example.com', port=443, protocol='tls', label='example.com:443')
    """
    match = _ENDPOINT.fullmatch(value)
    if match is None:
        return None
    protocol = match["protocol"] or default
    if protocol not in protocols:
        return None
    port = int(match["port"]) if match["port"] else protocols[protocol]
    if not 0 < port < 65536:
        return None
    host = match["ipv6"] or match["host"]
    place = f"[{host}]:{port}" if match["ipv6"] else f"{host}:{port}"
    return Endpoint(host, port, protocol, place if protocol == default else f"{protocol}://{place}")


def remaining(deadline: float) -> float:
    """Return the seconds left until a deadline; raise TimeoutError if there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def connections(endpoint: Endpoint, kind: socket.SocketKind, deadline: float) -> Iterator[socket.socket]:
    """Yield one connected socket for each address of a host that can be connected to; the caller closes it.

    The time left is shared among the addresses, so that one which swallows packets does not use up that of the others.

    Raises
    ------
    NetworkError
        The name is not found, or, after the last address, none could be connected to.
    """
    addresses = _resolve(endpoint, kind)
    connected, last = False, OSError()
    for tried, (family, address) in enumerate(addresses):
        try:
            share = remaining(deadline) / (len(addresses) - tried)
            sock = socket.socket(family, kind)
        except OSError as error:
            last = error
            continue
        sock.settimeout(share)
        try:
            sock.connect(address)
        except OSError as error:
            sock.close()
            last = error
            continue
        connected = True
        yield sock
    if not connected:
        raise NetworkError(why_unreachable(last)) from last


def _resolve(endpoint: Endpoint, kind: socket.SocketKind) -> list[tuple[socket.AddressFamily, Address]]:
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=kind)
    except socket.gaierror as error:
        raise NetworkError(text("host name not found ({reason})", reason=error.strerror or str(error))) from error
    except UnicodeError as error:
        raise NetworkError(text("host name not found ({reason})", reason=str(error))) from error
    return [(family, address) for family, _, _, _, address in found]


def why_unreachable(error: OSError) -> Text:
    """Return for people why no connection came about."""
    if isinstance(error, TimeoutError):
        return text("unreachable: no answer in time")
    if isinstance(error, ConnectionRefusedError):
        return text("unreachable: connection refused")
    return text("unreachable: {reason}", reason=error.strerror or str(error) or type(error).__name__)
