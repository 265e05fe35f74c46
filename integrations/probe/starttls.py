"""What is said before TLS begins, for protocols that begin in clear and change over.

Sources: RFC 3207 (SMTP), RFC 9051 (IMAP), RFC 2595 (POP3), PostgreSQL's manual, "SSL Session Encryption".
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping

from integrations.probe.network import NetworkError, remaining
from integrations.probe.texts import text

_MAX_LINES = 100
_MAX_LINE = 2000
_POSTGRES_SSL_REQUEST = struct.pack("!ii", 8, 80877103)

Say = Callable[[socket.socket, float], None]


class _Lines:
    """Reads lines from a socket, one at a time, until a deadline."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def read(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n"):
            self._sock.settimeout(remaining(self._deadline))
            byte = self._sock.recv(1)
            if not byte or len(line) >= _MAX_LINE:
                raise _refused(bytes(line))
            line += byte
        return bytes(line).strip()

    def until(self, last: Callable[[bytes], bool]) -> bytes:
        """Return the first line that ends an answer."""
        for _ in range(_MAX_LINES):
            line = self.read()
            if last(line):
                return line
        raise _refused(b"")


def _refused(answer: bytes) -> NetworkError:
    return NetworkError(text("does not offer STARTTLS: {answer}", answer=answer.decode("utf-8", "replace")[:80] or "-"))


def _expect(answer: bytes, start: bytes) -> None:
    if not answer.upper().startswith(start):
        raise _refused(answer)


def _smtp(sock: socket.socket, deadline: float) -> None:
    lines = _Lines(sock, deadline)

    def answer() -> bytes:
        return lines.until(lambda line: line[3:4] != b"-")

    _expect(answer(), b"220")
    sock.sendall(b"EHLO multiflexi-probe\r\n")
    _expect(answer(), b"250")
    sock.sendall(b"STARTTLS\r\n")
    _expect(answer(), b"220")


def _imap(sock: socket.socket, deadline: float) -> None:
    lines = _Lines(sock, deadline)
    _expect(lines.read(), b"* OK")
    sock.sendall(b"a1 STARTTLS\r\n")
    _expect(lines.until(lambda line: line.startswith(b"a1 ")), b"A1 OK")


def _pop3(sock: socket.socket, deadline: float) -> None:
    lines = _Lines(sock, deadline)
    _expect(lines.read(), b"+OK")
    sock.sendall(b"STLS\r\n")
    _expect(lines.read(), b"+OK")


def _postgres(sock: socket.socket, deadline: float) -> None:
    sock.settimeout(remaining(deadline))
    sock.sendall(_POSTGRES_SSL_REQUEST)
    _expect(sock.recv(1), b"S")


def _nothing(_sock: socket.socket, _deadline: float) -> None:
    """TLS begins at once."""


PROTOCOLS: Mapping[str, int] = {"tls": 443, "https": 443, "smtp": 25, "imap": 143, "pop3": 110, "postgres": 5432}
"""Protocols an endpoint may name, with their usual ports; ``tls`` and ``https`` begin with TLS at once."""

PREPARE: Mapping[str, Say] = {
    "tls": _nothing,
    "https": _nothing,
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "postgres": _postgres,
}
"""How each protocol gets to where TLS begins: takes the connected socket and the deadline."""
