"""The clock: the real kernel's word, chrony's, and time servers on loopback."""

import struct
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from integrations.probe import clock
from integrations.probe.clock import ClockReading, ask_time_server, parse_answer, parse_chrony, read_clock
from integrations.probe.network import Endpoint, NetworkError
from integrations.probe.texts import Catalogue
from tests.integrations.probe.sntp_server import SntpServer, answer
from tests.integrations.probe.tls_servers import closed_port

TRACKING = "A29FC87B,162.159.200.123,4,1795500716.1,-0.000012,0.0,0.0,0.0,0.0,0.0,0.010,0.002,64.5,Normal\n"
UNSYNCHRONISED = "00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n"
"""Printed by ``chronyc -c tracking`` of chrony 4.3, with and without a source; figures shortened."""


def server(port):
    return Endpoint("127.0.0.1", port, "ntp", f"127.0.0.1:{port}")


def soon(seconds=5.0):
    return time.monotonic() + seconds


def reason(port, seconds=5.0):
    with pytest.raises(NetworkError) as caught:
        ask_time_server(server(port), soon(seconds))
    return Catalogue("en").render(caught.value.text)


def test_the_kernel_tells_about_the_clock(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    try:
        reading = read_clock(soon())
    except clock.ClockUnreadableError as error:
        pytest.skip(f"this kernel does not let its clock be read: {error}")
    assert reading.source == "kernel"
    assert reading.estimated_error >= 0
    assert reading.maximum_error >= 0


def test_chrony_is_asked_when_the_kernel_knows_of_no_synchronisation(monkeypatch, tmp_path):
    unsynchronised = ClockReading(False, "kernel", 16.0, 16.0)
    monkeypatch.setattr(clock, "_read_kernel", lambda: unsynchronised)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    chronyc = tmp_path / "chronyc"
    chronyc.write_text(f"#!/bin/sh\nprintf '%s' '{TRACKING}'\n")
    chronyc.chmod(0o755)
    reading = read_clock(soon())
    assert (reading.synchronised, reading.source, reading.estimated_error) == (True, "chrony", 0.000012)
    assert reading.maximum_error == pytest.approx(0.000012 + 0.002 + 0.010 / 2)
    chronyc.write_text("#!/bin/sh\necho '506 Cannot talk to daemon'\nexit 1\n")
    assert read_clock(soon()) == unsynchronised
    chronyc.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    assert read_clock(soon(0.1)) == unsynchronised


def test_what_chrony_prints():
    assert parse_chrony(UNSYNCHRONISED) == ClockReading(False, "chrony", 0.0, 1.5)
    assert parse_chrony("506 Cannot talk to daemon") is None
    assert parse_chrony("a,b,c,d,e,f,g,h,i,j,k,l,m,n") is None


@pytest.mark.parametrize("offset", [0.0, 3600.0, -86400.0])
def test_a_time_server_shows_how_far_off_the_clock_is(offset):
    with SntpServer(lambda request: [answer(request, offset=offset)]) as sntp:
        reading = ask_time_server(server(sntp.port), soon())
    assert reading.offset == pytest.approx(offset, abs=reading.delay / 2 + 0.01)
    assert reading.stratum == 2


def test_the_request_is_of_version_4_and_does_not_tell_this_hosts_time():
    with SntpServer(lambda request: [answer(request)]) as sntp:
        ask_time_server(server(sntp.port), soon())
        ask_time_server(server(sntp.port), soon())
    first, second = sntp.requests
    assert len(first) == 48
    assert first[0] == 0b00_100_011
    assert first[1:40] == bytes(39)
    assert first[40:] != second[40:]


def test_forged_and_short_packets_are_passed_over():
    def respond(request):
        return [b"\x24", answer(request, origin=b"somebody", offset=9999), answer(request)]

    with SntpServer(respond) as sntp:
        assert abs(ask_time_server(server(sntp.port), soon()).offset) < 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"stratum": 0, "reference": b"RATE"}, "the server refuses to answer (code RATE)"),
        ({"leap": 3}, "the server itself is not synchronised"),
        ({"stratum": 16}, "the server itself is not synchronised"),
        ({"mode": 5}, "answers with something that is not time (mode 5)"),
    ],
)
def test_unusable_answers_are_told(options, said):
    with SntpServer(lambda request: [answer(request, **options)]) as sntp:
        assert reason(sntp.port) == said


def test_a_silent_time_server_is_not_waited_for():
    begun = time.monotonic()
    with SntpServer(lambda _request: []) as sntp:
        assert reason(sntp.port, seconds=0.2) == "unreachable: no answer in time"
    assert time.monotonic() - begun < 5


def test_a_closed_port_is_told():
    assert reason(closed_port()) == "unreachable: connection refused"


def packet(moment_ns, offset_ns):
    stamp = (((moment_ns + offset_ns) << 32) // 10**9 + (2_208_988_800 << 32)) % (1 << 64)
    return struct.pack("!BB30xQQ", 0b00_100_100, 1, stamp, stamp)


@example(sent=2_085_978_490 * 10**9, offset=10 * 10**9, trip=0)
@example(sent=2_085_978_500 * 10**9, offset=-10 * 10**9, trip=10**9)
@given(
    st.integers(0, 4_000_000_000 * 10**9),
    st.integers(-2_000_000_000 * 10**9, 2_000_000_000 * 10**9),
    st.integers(0, 10**9),
)
def test_offset_and_delay_are_found_also_across_the_turn_of_an_era(sent, offset, trip):
    reading = parse_answer(packet(sent + trip // 2, offset), sent, sent + trip)
    assert reading.offset == pytest.approx(offset / 1e9, abs=1e-5)
    assert reading.delay == pytest.approx(trip / 1e9, abs=1e-5)
