"""Which port the web interface gets."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Mapping
from pathlib import Path

import psutil

FIRST = 8080
LAST = 8999
HOST = "127.0.0.1"


class PortError(Exception):
    """The port that was asked for cannot be had; the message says what to do."""


def choose(environment: Mapping[str, str], folder: Path) -> int:
    """Return a free port: the one asked for; else the one of the last run; else the first free one.

    Parameters
    ----------
    environment : Mapping[str, str]
        ``MULTIFLEXI_PORT`` asks for one.
    folder : Path
        Data folder, in which the port is remembered.

    Raises
    ------
    PortError
        The port asked for is in use or is no port, or all are in use.
    """
    if asked := environment.get("MULTIFLEXI_PORT"):
        return _asked(asked)
    for port in [*_remembered(folder), *range(FIRST, LAST + 1)]:
        if is_free(port):
            return port
    raise PortError(f"All ports from {FIRST} to {LAST} are in use. Choose one: MULTIFLEXI_PORT=20000 make run")


def remember(folder: Path, port: int) -> None:
    """Keep the port for the next run, so that bookmarks go on to work."""
    (folder / "port").write_text(f"{port}\n")


def is_free(port: int) -> bool:
    """Tell whether we could listen on a port.

    Raises
    ------
    PortError
        We may not listen there at all.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise PortError(
                f"Port {port} cannot be used ({error.strerror}). Choose another one: MULTIFLEXI_PORT={FIRST} make run"
            ) from None
    return True


async def answers(pid: int, port: int, path: str) -> bool:
    """Tell whether the web server of a process answers a page without an error (RFC 9110: below 400).

    Parameters
    ----------
    pid : int
        Process that must be the one that listens: on a taken port another program would answer.
    port, path : int, str
        The page.
    """
    if not _listens(pid, port):
        return False
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode("ascii"))
        line = (await reader.readline()).split()
    except OSError:
        return False
    finally:
        writer.close()
    return len(line) > 1 and line[1].isdigit() and 200 <= int(line[1]) < 400


def _asked(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise PortError(f"MULTIFLEXI_PORT is {text!r}; a port is a number from 1 to 65535.")
    port = int(text)
    if not is_free(port):
        raise PortError(
            f"Port {port} is in use{_holder(port)}. Stop what uses it, choose another one "
            f"(MULTIFLEXI_PORT={_suggestion(port)} make run), or leave MULTIFLEXI_PORT out to get a free one."
        )
    return port


def _suggestion(port: int) -> int:
    candidates = range(max(port + 1, 1024), min(port + 200, 65536))
    return next((each for each in candidates if is_free(each)), FIRST)


def _remembered(folder: Path) -> list[int]:
    try:
        port = int((folder / "port").read_text())
    except (OSError, ValueError):
        return []
    return [port] if 1 <= port <= 65535 else []


def _holder(port: int) -> str:
    """Return who listens on a port, as far as we may see it."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if _is_listener(connection.status, connection.laddr, port) and connection.pid:
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        return ""
    return ""


def _listens(pid: int, port: int) -> bool:
    try:
        process = psutil.Process(pid)
        connections = [each.net_connections(kind="tcp") for each in (process, *process.children(recursive=True))]
    except psutil.Error:
        return False
    return any(_is_listener(each.status, each.laddr, port) for group in connections for each in group)


def _is_listener(status: str, address: object, port: int) -> bool:
    return status == psutil.CONN_LISTEN and getattr(address, "port", None) == port
