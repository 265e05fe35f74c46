"""An authority that issues certificates of every kind, and TLS servers on loopback that show them."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Authority of the tests")
        self._count = 0
        now = datetime.now(tz=UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1000))
            .not_valid_after(now + timedelta(days=1000))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        *,
        names: tuple[str, ...] = ("localhost",),
        addresses: tuple[str, ...] = (),
        days: float = 90,
        since: float = -30,
        self_signed: bool = False,
    ) -> Path:
        """Return a PEM file with certificate and key, valid from ``since`` to ``days`` days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(tz=UTC)
        subject = _name(names[0] if names else "nameless")
        alternatives = [*(x509.DNSName(n) for n in names), *(x509.IPAddress(ip_address(a)) for a in addresses)]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if self_signed else self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=since))
            .not_valid_after(now + timedelta(days=days))
        )
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        certificate = builder.sign(key if self_signed else self._key, hashes.SHA256())
        return self._store(certificate, key)

    def _store(self, certificate: x509.Certificate, key: Key) -> Path:
        self._count += 1
        path = self.folder / f"server{self._count}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return path


class TlsServer:
    """A server on loopback, in a thread of its own.

    ``before`` speaks in clear on each new connection and returns whether TLS follows; without a certificate the server
    does only that. ``asked`` are the server names (SNI) that clients named.
    """

    def __init__(self, pem: Path | None = None, before: Callable[[socket.socket], bool] | None = None) -> None:
        self._before = before or (lambda _sock: True)
        self.asked: list[str | None] = []
        self._context: ssl.SSLContext | None = None
        if pem is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(pem)
            self._context.sni_callback = lambda _sock, name, _context: self.asked.append(name)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "TlsServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # closed: the test is over
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):  # clients that do not like the certificate hang up
            if self._before(sock) and self._context is not None:
                with self._context.wrap_socket(sock, server_side=True) as tls:
                    tls.recv(1)


def silent(sock: socket.socket) -> bool:
    """Accept and say nothing until the client goes."""
    while sock.recv(1024):
        pass
    return False


def dripping(sock: socket.socket) -> bool:
    """Send a byte of a never-ending handshake record every few milliseconds."""
    sock.recv(1024)
    sock.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\x00")
    waiter = threading.Event()
    while not waiter.wait(0.02):
        sock.sendall(b"\0")
    return False


def plain(sock: socket.socket) -> bool:
    """Answer in clear."""
    sock.recv(1024)
    sock.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    return False


def hangup(sock: socket.socket) -> bool:
    """Read the client's greeting and close."""
    sock.recv(1024)
    return False


def closed_port() -> int:
    """Return a port that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
