"""A time server on loopback (RFC 5905, mode 4) whose clock and manners the test chooses."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType

_NTP_UNIX_SECONDS = 2_208_988_800


def timestamp(unix_seconds: float) -> int:
    return int((unix_seconds + _NTP_UNIX_SECONDS) * (1 << 32)) % (1 << 64)


def answer(
    request: bytes,
    *,
    offset: float = 0.0,
    leap: int = 0,
    stratum: int = 2,
    reference: bytes = b"LOCL",
    mode: int = 4,
    origin: bytes | None = None,
) -> bytes:
    """Return an answer of a server whose clock is ``offset`` seconds ahead."""
    moment = timestamp(time.time() + offset)
    return struct.pack(
        "!BBbbII4sQ8sQQ",
        leap << 6 | 4 << 3 | mode,
        stratum,
        6,
        -20,
        0,
        0,
        reference,
        moment,
        request[40:48] if origin is None else origin,
        moment,
        moment,
    )


class SntpServer:
    """Answers each request with the packets that ``respond`` makes of it."""

    def __init__(self, respond: Callable[[bytes], list[bytes]]) -> None:
        self._respond = respond
        self.requests: list[bytes] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.02)
        self.port: int = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "SntpServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                request, client = self._socket.recvfrom(1024)
            except TimeoutError:
                continue
            self.requests.append(request)
            for packet in self._respond(request):
                self._socket.sendto(packet, client)
