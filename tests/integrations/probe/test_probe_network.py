"""Connections: addresses that swallow packets, that refuse, and that answer."""

import contextlib
import socket
import time

import pytest

from integrations.probe import network
from integrations.probe.network import Endpoint, NetworkError, connections
from integrations.probe.texts import Catalogue
from tests.integrations.probe.tls_servers import closed_port

ENDPOINT = Endpoint("server.example", 443, "tls", "server.example:443")


@pytest.fixture
def resolve(monkeypatch):
    """Let the host have these ports of loopback for addresses."""

    def install(*ports):
        addresses = [(socket.AF_INET, ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(network, "_resolve", lambda _endpoint, _kind: addresses)

    return install


@pytest.fixture
def open_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def swallowing_port():
    """Return a port whose queue of connections is full, so that the kernel drops what else comes (listen(2))."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def first_port(seconds):
    for sock in connections(ENDPOINT, socket.SOCK_STREAM, time.monotonic() + seconds):
        with sock:
            return sock.getpeername()[1]
    return None


def test_an_address_that_swallows_packets_leaves_time_for_the_next(resolve, swallowing_port, open_port):
    resolve(swallowing_port, open_port)
    assert first_port(seconds=1) == open_port


def test_an_address_that_refuses_is_passed_over(resolve, open_port):
    resolve(closed_port(), open_port)
    assert first_port(seconds=5) == open_port


def test_the_last_address_says_why_there_is_no_connection(resolve, swallowing_port):
    resolve(swallowing_port, closed_port())
    with pytest.raises(NetworkError) as caught:
        first_port(seconds=0.3)
    assert Catalogue("en").render(caught.value.text) == "unreachable: connection refused"
    resolve(swallowing_port)
    with pytest.raises(NetworkError) as caught:
        first_port(seconds=0.3)
    assert Catalogue("en").render(caught.value.text) == "unreachable: no answer in time"
