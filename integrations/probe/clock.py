"""Readings of the clock: what the kernel and chrony say about its synchronisation, and what a time server shows.

Sources: adjtimex(2); chronyc(1), command ``tracking``; RFC 5905 and RFC 4330 (SNTP).
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass

from integrations.probe.network import Endpoint, NetworkError, connections, remaining, why_unreachable
from integrations.probe.texts import text

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_LONGS_AFTER_STATUS = 60
"""More room than any C library's ``struct timex`` takes after its ``status``."""

_NTP_UNIX_SECONDS = 2_208_988_800
"""Seconds from the NTP epoch (1900) to that of Unix (1970), RFC 5905 figure 4."""

_SNTP_LENGTH = 48
_CLIENT_VERSION_4 = 0b00_100_011
_SERVER_MODE = 4
_LEAP_UNKNOWN = 3
_MAX_STRATUM = 15


@dataclass(frozen=True, slots=True)
class ClockReading:
    """State of the host's clock.

    Attributes
    ----------
    synchronised : bool
        Whether something keeps the clock right.
    source : str
        Who says so: ``kernel`` or ``chrony``.
    estimated_error, maximum_error : float
        Errors in seconds.
    """

    synchronised: bool
    source: str
    estimated_error: float
    maximum_error: float


@dataclass(frozen=True, slots=True)
class SntpReading:
    """A time server's answer.

    Attributes
    ----------
    offset : float
        Seconds to be added to this host's clock to match the server's.
    delay : float
        Round trip in seconds.
    stratum : int
        Distance of the server from a reference clock, 1 to 15.
    """

    offset: float
    delay: float
    stratum: int


class ClockUnreadableError(Exception):
    """The system does not tell about its clock."""


def read_clock(deadline: float) -> ClockReading:
    """Return the state of the host's clock.

    The kernel knows of every daemon that disciplines the clock through it (timesyncd, ntpd, chrony with ``rtcsync``);
    chrony without ``rtcsync`` leaves the kernel's flag alone and is asked itself.

    Raises
    ------
    ClockUnreadableError
        The system does not answer.
    """
    reading = _read_kernel()
    if not reading.synchronised and (chronyc := shutil.which("chronyc")):
        return _ask_chrony(chronyc, deadline) or reading
    return reading


def _read_kernel() -> ClockReading:
    import ctypes  # noqa: PLC0415 - only this check needs it

    class Timex(ctypes.Structure):
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
            ("rest", ctypes.c_long * _LONGS_AFTER_STATUS),
        )

    timex = Timex()
    try:
        clock_state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except AttributeError as error:
        raise ClockUnreadableError("adjtimex") from error
    if clock_state < 0:
        raise ClockUnreadableError(os.strerror(ctypes.get_errno()))
    synchronised = clock_state != _TIME_ERROR and not timex.status & _STA_UNSYNC
    return ClockReading(synchronised, "kernel", timex.esterror / 1e6, timex.maxerror / 1e6)


def _ask_chrony(chronyc: str, deadline: float) -> ClockReading | None:
    try:
        done = subprocess.run(
            [chronyc, "-c", "-n", "tracking"],
            capture_output=True,
            text=True,
            check=True,
            timeout=remaining(deadline),
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError):
        return None  # chrony does not run here, so the kernel's word stands
    return parse_chrony(done.stdout)


def parse_chrony(line: str) -> ClockReading | None:
    """Return what ``chronyc -c tracking`` printed, or None if it is something else.

    The fields, in order: reference id, name, stratum, reference time, offset of the system clock, last offset, RMS
    offset, frequency, residual frequency, skew, root delay, root dispersion, update interval, leap status; times in
    seconds. The greatest possible error is offset + dispersion + delay / 2, as chronyc(1) has it.
    """
    fields = line.strip().split(",")
    try:
        offset, delay, dispersion = abs(float(fields[4])), float(fields[10]), float(fields[11])
        synchronised = fields[13] != "Not synchronised"
    except (IndexError, ValueError):
        return None
    return ClockReading(synchronised, "chrony", offset, offset + dispersion + delay / 2)


def ask_time_server(endpoint: Endpoint, deadline: float) -> SntpReading:
    """Ask a time server for its time (SNTP over UDP).

    Raises
    ------
    NetworkError
        No address of the server answers in time, or the answer is unusable.
    """
    problem = NetworkError(text("unreachable: no answer in time"))
    for sock in connections(endpoint, socket.SOCK_DGRAM, deadline):
        with sock:
            try:
                return _exchange(sock)
            except OSError as error:
                problem = NetworkError(why_unreachable(error))
            except NetworkError as error:
                problem = error
    raise problem


def _exchange(sock: socket.socket) -> SntpReading:
    """Send one request and wait, as long as the socket's timeout, for the answer to it."""
    deadline = time.monotonic() + (sock.gettimeout() or 0)
    nonce = secrets.token_bytes(8)
    request = bytes([_CLIENT_VERSION_4]) + bytes(_SNTP_LENGTH - 9) + nonce
    sent, sent_monotonic = time.time_ns(), time.monotonic_ns()
    sock.send(request)
    while True:
        sock.settimeout(remaining(deadline))
        packet = sock.recv(1024)
        received = sent + time.monotonic_ns() - sent_monotonic
        if len(packet) >= _SNTP_LENGTH and packet[24:32] == nonce:
            return parse_answer(packet, sent, received)


def parse_answer(packet: bytes, sent: int, received: int) -> SntpReading:
    """Return the reading in a server's packet (RFC 5905, section 7.3 and the on-wire protocol of section 8).

    Parameters
    ----------
    packet : bytes
        At least 48 bytes.
    sent, received : int
        When the request left and the answer came, in nanoseconds since the Unix epoch by this host's clock. The request
        carries a random number in place of its time, so that nobody learns this host's time or forges an answer.

    Raises
    ------
    NetworkError
        The server refuses (kiss-o'-death) or has no time to give.
    """
    leap, mode, stratum = packet[0] >> 6, packet[0] & 0b111, packet[1]
    if mode != _SERVER_MODE:
        raise NetworkError(text("answers with something that is not time (mode {mode})", mode=mode))
    if stratum == 0:
        code = packet[12:16].decode("ascii", "replace").rstrip("\0 ")
        raise NetworkError(text("the server refuses to answer (code {code})", code=code or "?"))
    came, left = int.from_bytes(packet[32:40], "big"), int.from_bytes(packet[40:48], "big")
    if leap == _LEAP_UNKNOWN or stratum > _MAX_STRATUM or left == 0:
        raise NetworkError(text("the server itself is not synchronised"))
    first, last = _ntp(sent), _ntp(received)
    offset = (_seconds(came, first) + _seconds(left, last)) / 2
    delay = _seconds(last, first) - _seconds(left, came)
    return SntpReading(offset, max(delay, 0.0), stratum)


def _ntp(nanoseconds: int) -> int:
    """Return a Unix time as NTP timestamp: 32 bits of seconds, 32 of their fraction, of whatever era."""
    return ((nanoseconds << 32) // 1_000_000_000 + (_NTP_UNIX_SECONDS << 32)) % (1 << 64)


def _seconds(later: int, earlier: int) -> float:
    """Return the seconds between two NTP timestamps, right also across the turn of an era (2036)."""
    return ((later - earlier + (1 << 63)) % (1 << 64) - (1 << 63)) / (1 << 32)
