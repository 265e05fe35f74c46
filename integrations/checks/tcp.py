"""Whether a server takes connections."""

from __future__ import annotations

import asyncio
import socket

from integrations.checks.result import AVAILABLE, MISCONFIGURED, UNAVAILABLE, Checked

KIND = "tcp"


async def check_tcp(host: str, port: int, timeout: float, what: str = "") -> Checked:
    """Connect to a server and hang up.

    Parameters
    ----------
    host : str
        Name or address.
    port : int
        Port.
    timeout : float
        Seconds after which it is given up.
    what : str
        Added to what is said of a server that answers.
    """
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        return failed(KIND, f"{host}:{port}", error)
    writer.close()
    return Checked(outcome=AVAILABLE, kind=KIND, message=f"{host}:{port} takes connections.{what}")


def failed(kind: str, server: str, error: BaseException) -> Checked:
    """Return why a server could not be reached."""
    match error:
        case TimeoutError():
            outcome, why = UNAVAILABLE, "did not answer in time"
        case ConnectionRefusedError():
            outcome, why = UNAVAILABLE, "refuses connections"
        case socket.gaierror():
            # Without a network no name is found either; but a name that is wrong stays wrong.
            outcome, why = MISCONFIGURED, "is not found"
        case _:
            reason = getattr(error, "strerror", None) or type(error).__name__
            outcome, why = UNAVAILABLE, f"cannot be reached: {reason}"
    return Checked(outcome=outcome, kind=kind, message=f"{server} {why}.")
