"""Documents fetched from addresses: a real server on loopback that answers well, wrongly, too much, and never."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from commands import fetching
from commands.fetching import Fetched, fetch, is_address
from domain.errors import ValidationError
from tests.integrations.probe.tls_servers import Authority, closed_port

BODY = b'{"name": "Probe"}'
LARGEST = 1_000
INSIDE = [
    *("127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "0.0.0.0", "2130706433"),
    *("[::1]", "[::ffff:127.0.0.1]", "[fd00::1]", "[fe80::1]", "100.64.0.1", "224.0.0.1", "[2002:7f00:1::]"),
]


class Answers(BaseHTTPRequestHandler):
    """Answers by the path that is asked for."""

    def do_GET(self) -> None:
        kind, _, rest = self.path.removeprefix("/").partition("/")
        if kind == "to":
            self.send_response(302)
            self.send_header("Location", rest)
            self.end_headers()
        elif kind == "round":
            self.send_response(301)
            self.send_header("Location", "/round")
            self.end_headers()
        elif kind == "slow":
            self.server.let_go.wait(10)  # type: ignore[attr-defined]
        else:
            body = {"large": b" " * (LARGEST + 1)}.get(kind, BODY)
            types = {"page": "text/html; charset=utf-8", "raw": "text/plain", "picture": "image/png"}
            self.send_response(404 if kind == "none" else 200)
            self.send_header("Content-Type", types.get(kind, "application/json"))
            self.send_header("X-Host", self.headers["Host"])
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as made:
        made.let_go = threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.let_go.set()  # type: ignore[attr-defined]
        made.shutdown()


def fetched(address: str, *, local: bool = True, seconds: float = 10) -> Fetched:
    return asyncio.run(fetch(address, largest=LARGEST, local=local, seconds=seconds))


def refused(address: str, *, local: bool = True, seconds: float = 10) -> str:
    with pytest.raises(ValidationError) as caught:
        fetched(address, local=local, seconds=seconds)
    assert caught.value.code
    return caught.value.code


@pytest.mark.parametrize("path", ["a.json", "raw", "to/a.json", "to//to//raw"])
def test_json_is_fetched_also_as_text_and_after_redirects(server: ThreadingHTTPServer, path: str) -> None:
    found = fetched(f"http://localhost:{server.server_port}/{path.replace('to/a', 'to//a')}")
    assert found.content == BODY
    assert not found.address.endswith(path) or "to" not in path


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("none", "address_refuses"),
        ("page", "address_no_json"),
        ("picture", "address_no_json"),
        ("large", "address_too_large"),
        ("round", "address_redirects"),
        ("to/file:///etc/passwd", "address_form"),
    ],
)
def test_what_is_no_document_is_refused(server: ThreadingHTTPServer, path: str, code: str) -> None:
    assert refused(f"http://127.0.0.1:{server.server_port}/{path}") == code


def test_a_server_that_does_not_answer_is_left(server: ThreadingHTTPServer) -> None:
    assert refused(f"http://127.0.0.1:{server.server_port}/slow", seconds=0.3) == "address_slow"
    assert refused(f"http://127.0.0.1:{closed_port()}/") == "address_unreachable"


@pytest.mark.parametrize("host", INSIDE)
def test_private_networks_are_not_asked_unless_allowed(host: str) -> None:
    assert refused(f"http://{host}/a.json", local=False) in ("address_local", "address_unknown")


def test_a_redirect_into_a_private_network_is_not_followed(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fetching._is_public
    monkeypatch.setattr(fetching, "_is_public", lambda address: address == "127.0.0.1" or real(address))
    address = f"http://127.0.0.1:{server.server_port}"
    assert fetched(f"{address}/a.json", local=False).content == BODY
    assert refused(f"{address}/to/http://127.0.0.2:{server.server_port}/a.json", local=False) == "address_local"


def test_a_name_that_answers_otherwise_the_second_time_leads_nowhere_else(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def resolved(_loop: object, host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1" if len(asked) == 1 else "127.0.0.9", port))]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", resolved)
    assert fetched(f"http://rebinding.example:{server.server_port}/a.json").content == BODY
    assert asked[0] == "rebinding.example"


@pytest.mark.parametrize(
    "address", ["http://", "https://a b/", "ftp://x/", "http://x:99999/", "http://[::1/", "http://u:p@x/"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    assert refused(address) == "address_form"


def test_certificates_are_checked_for_the_name(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue(names=("localhost",)))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    address = f"https://localhost:{server.server_port}/a.json"
    assert refused(address) == "address_unreachable"
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert fetched(address).content == BODY
    assert refused(address.replace("localhost", "127.0.0.1")) == "address_unreachable"


def test_files_are_no_addresses() -> None:
    assert [is_address(text) for text in ("HTTPS://x", "http.json", "/srv/http://x", "-")] == [
        True,
        False,
        False,
        False,
    ]
