"""Certificates of real TLS servers on loopback."""

import socket
import time

import pytest

from integrations.probe.certificates import host_matches, make_contexts, read_certificate
from integrations.probe.network import Endpoint, NetworkError
from integrations.probe.texts import Catalogue
from tests.integrations.probe.tls_servers import closed_port, hangup, plain, silent


@pytest.fixture(scope="module")
def contexts(authority):
    return make_contexts(verify=True, ca_file=authority.file)


def endpoint(port, host="localhost", protocol="tls"):
    return Endpoint(host, port, protocol, f"{host}:{port}")


def read(port, contexts, seconds=10.0, **place):
    return read_certificate(endpoint(port, **place), contexts, time.monotonic() + seconds)


def reason(port, contexts, seconds=10.0, **place):
    with pytest.raises(NetworkError) as caught:
        read(port, contexts, seconds, **place)
    return Catalogue("en").render(caught.value.text)


def test_a_good_certificate_has_no_problem_and_the_server_is_told_the_name(serve, authority, contexts):
    server = serve(authority.issue())
    reading = read(server.port, contexts)
    assert (reading.chain_problem, reading.name_matches, reading.self_signed) == ("", True, False)
    assert (reading.not_after - reading.not_before).days == 120
    assert server.asked == ["localhost"]


def test_an_address_may_stand_in_a_certificate(serve, authority, contexts):
    server = serve(authority.issue(names=(), addresses=("127.0.0.1",)))
    assert read(server.port, contexts, host="127.0.0.1").name_matches
    assert server.asked == [None]
    assert not read(server.port, contexts).name_matches


def test_an_expired_certificate_is_still_read(serve, authority, contexts):
    reading = read(serve(authority.issue(days=-2)).port, contexts)
    assert (reading.chain_problem, reading.name_matches) == ("", True)
    assert (reading.not_after - reading.not_before).days == 28


def test_a_certificate_that_is_not_valid_yet_is_still_read(serve, authority, contexts):
    reading = read(serve(authority.issue(since=1)).port, contexts)
    assert (reading.chain_problem, reading.name_matches) == ("", True)


def test_a_certificate_for_another_host(serve, authority, contexts):
    reading = read(serve(authority.issue(names=("other.example",))).port, contexts)
    assert (reading.chain_problem, reading.name_matches) == ("", False)


def test_a_self_signed_certificate(serve, authority, contexts):
    reading = read(serve(authority.issue(self_signed=True)).port, contexts)
    assert reading.self_signed
    assert reading.chain_problem


def test_a_self_signed_certificate_may_be_trusted(serve, authority):
    pem = authority.issue(self_signed=True)
    reading = read(serve(pem).port, make_contexts(verify=True, ca_file=pem))
    assert (reading.chain_problem, reading.name_matches, reading.self_signed) == ("", True, True)


def test_a_certificate_of_an_unknown_authority(serve, authority):
    reading = read(serve(authority.issue()).port, make_contexts(verify=True, ca_file=None))
    assert "issuer certificate" in reading.chain_problem
    assert not reading.self_signed
    assert reading.name_matches


def test_all_that_is_wrong_is_found_not_only_what_openssl_stops_at(serve, authority):
    pem = authority.issue(names=("other.example",), days=-1)
    reading = read(serve(pem).port, make_contexts(verify=True, ca_file=None))
    assert reading.chain_problem
    assert not reading.name_matches


def test_without_verification_one_handshake_is_enough(serve, authority):
    server = serve(authority.issue(names=("other.example",)))
    reading = read(server.port, make_contexts(verify=False, ca_file=None))
    assert reading.chain_problem == ""
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (silent, "connected, but no TLS handshake in time"),
        (hangup, "closed the connection during the TLS handshake"),
    ],
)
def test_servers_that_never_get_to_a_handshake(serve, contexts, before, said):
    assert reason(serve(before=before).port, contexts, seconds=0.5 if before is silent else 10) == said


def test_a_server_that_does_not_speak_tls(serve, contexts):
    assert reason(serve(before=plain).port, contexts).startswith("no TLS handshake: ")


def test_a_refused_port_and_an_unknown_name(contexts):
    assert reason(closed_port(), contexts) == "unreachable: connection refused"
    assert reason(443, contexts, host="nowhere.invalid").startswith("host name not found")
    assert reason(443, contexts, host="x" * 64).startswith("host name not found")


def test_time_that_is_up_is_not_used(serve, authority, contexts):
    assert reason(serve(authority.issue()).port, contexts, seconds=0) == "unreachable: no answer in time"


def line(sock):
    received = b""
    while not received.endswith(b"\n"):
        received += sock.recv(1)
    return received


def smtp(sock, offers=True):
    sock.sendall(b"220-mail.example\r\n220 ready\r\n")
    assert line(sock).startswith(b"EHLO ")
    sock.sendall(b"250-mail.example\r\n250-SIZE 1000\r\n250 STARTTLS\r\n")
    assert line(sock) == b"STARTTLS\r\n"
    sock.sendall(b"220 go ahead\r\n" if offers else b"502 unknown command\r\n")
    return offers


def imap(sock):
    sock.sendall(b"* OK [CAPABILITY IMAP4rev2 STARTTLS] ready\r\n")
    assert line(sock) == b"a1 STARTTLS\r\n"
    sock.sendall(b"* a notice\r\na1 OK begin\r\n")
    return True


def pop3(sock):
    sock.sendall(b"+OK ready\r\n")
    assert line(sock) == b"STLS\r\n"
    sock.sendall(b"+OK begin\r\n")
    return True


def postgres(sock):
    assert sock.recv(8, socket.MSG_WAITALL) == b"\0\0\0\x08\x04\xd2\x16\x2f"
    sock.sendall(b"S")
    return True


@pytest.mark.parametrize(
    ("protocol", "before"), [("https", None), ("smtp", smtp), ("imap", imap), ("pop3", pop3), ("postgres", postgres)]
)
def test_protocols_that_begin_in_clear(serve, authority, contexts, protocol, before):
    server = serve(authority.issue(), before=before)
    assert read(server.port, contexts, protocol=protocol).chain_problem == ""
    assert server.asked == ["localhost"]


def no_tls(sock):
    sock.recv(8, socket.MSG_WAITALL)
    sock.sendall(b"N")
    return False


def endless(sock):
    sock.sendall(b"220-more\r\n" * 200)
    return silent(sock)


@pytest.mark.parametrize(
    ("protocol", "before", "said"),
    [
        ("smtp", lambda sock: smtp(sock, offers=False), "does not offer STARTTLS: 502 unknown command"),
        ("smtp", endless, "does not offer STARTTLS: -"),
        ("smtp", silent, "connected, but no TLS handshake in time"),
        ("postgres", no_tls, "does not offer STARTTLS: N"),
    ],
)
def test_servers_that_do_not_change_over_to_tls(serve, authority, contexts, protocol, before, said):
    server = serve(authority.issue(), before=before)
    assert reason(server.port, contexts, seconds=0.5 if before is silent else 10, protocol=protocol) == said


@pytest.mark.parametrize(
    ("host", "names", "addresses", "matches"),
    [
        ("WWW.Example.com", ["www.example.COM"], [], True),
        ("www.example.com.", ["www.example.com"], [], True),
        ("www.example.com", ["*.example.com"], [], True),
        ("example.com", ["*.example.com"], [], False),
        ("a.b.example.com", ["*.example.com"], [], False),
        ("example.com", ["*.com"], [], False),
        ("www.example.com", ["w*.example.com"], [], False),
        ("háčky.example.com", ["xn--hky-epa7h.example.com"], [], False),
        ("háčky.example.com", ["háčky.example.com".encode("idna").decode()], [], True),
        ("127.0.0.1", ["127.0.0.1"], [], False),
        ("127.0.0.1", [], ["127.0.0.1"], True),
        ("0:0:0:0:0:0:0:1", [], ["::1"], True),
        ("a..b", ["a..b"], [], False),
    ],
)
def test_which_names_hold_for_a_host(host, names, addresses, matches):
    assert host_matches(host, names, addresses) is matches
