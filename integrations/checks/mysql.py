"""Whether MySQL or MariaDB takes a login."""

from __future__ import annotations

import asyncio
import ssl
import struct
from typing import TYPE_CHECKING, Any

import pymysql

from integrations.checks.options import Encryption
from integrations.checks.result import AVAILABLE, DEGRADED, MISCONFIGURED, UNAVAILABLE, Checked
from integrations.checks.tcp import failed

if TYPE_CHECKING:
    from integrations.checks.sql import Login

KIND = "mysql"
LOGIN = {1045, 1698, 1862, 3118, 1820, 3878, 4151}
"""Access denied; by its plugin; password expired, twice; account locked, in MySQL and in MariaDB."""

REFUSALS = {
    1044: "takes the login, but does not let it into this database",
    1049: "does not know this database",
    1130: "does not let this host in",
    1129: "has blocked this host after too many errors",
    1251: "wants another way of signing in than this login has",
    2059: "wants a way of signing in that is not known here",
    2026: "does not encrypt connections",
    3159: "takes encrypted connections alone",
}
"""What servers refuse by number, and what to say of it (reference of server errors of MySQL 8.4 and MariaDB)."""

BUSY = {1040, 1203, 1226}
"""Too many connections: of all, of this user, in this hour."""

UNREACHED, LOST = 2003, (2006, 2013)


async def check_mysql(login: Login, port: int, timeout: float) -> Checked:
    """Sign in and ask something.

    Parameters
    ----------
    login : Login
        Where the database is, and how to sign in.
    port : int
        Its port.
    timeout : float
        Seconds after which it is given up.
    """
    if not login.user:
        return Checked(outcome=MISCONFIGURED, kind=KIND, message="The credential does not say who signs in.")
    try:
        async with asyncio.timeout(timeout):
            # Its own limits end the thread when nobody waits for it any more.
            await asyncio.to_thread(_sign_in, login, port, timeout)
    except TimeoutError as error:
        return failed(KIND, f"{login.host}:{port}", error)
    except (pymysql.MySQLError, OSError, struct.error, ValueError, IndexError) as error:
        return told(error, f"{login.host}:{port}")
    return Checked(outcome=AVAILABLE, kind=KIND, message=f"{login.host}:{port} takes the login and answers.")


def _sign_in(login: Login, port: int, timeout: float) -> None:
    connection: Any = pymysql.connect(
        host=login.host, port=port, user=login.user, password=login.password, database=login.name or None,
        connect_timeout=timeout, read_timeout=timeout, write_timeout=timeout, **_encryption(login.encryption),
    )  # fmt: skip
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    finally:
        connection.close()


def _encryption(wanted: Encryption) -> dict[str, Any]:
    """Return the driver's options; without a wish it encrypts where the server can, and looks at no certificate."""
    if wanted.required is None:
        return {}
    if not wanted.required:
        return {"ssl_disabled": True}
    context = ssl.create_default_context()
    if wanted.trust_any:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return {"ssl": context}


def told(error: Exception, server: str) -> Checked:
    """Return what an error of the driver means; its text, which may hold what was sent, is not repeated."""
    number: int = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    cause: object = getattr(error, "original_exception", None) or error.__cause__ or error.__context__ or error
    if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and number in (0, UNREACHED, *LOST):
        return failed(KIND, server, cause)
    outcome = MISCONFIGURED
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = "has a certificate that is not trusted; the option trustServerCertificate=true takes any"
    elif number in LOGIN:
        why = "does not know this login"
    elif number in REFUSALS:
        why = REFUSALS[number]
    elif number in BUSY:
        outcome, why = DEGRADED, "has too many connections at this moment"
    elif number in (0, UNREACHED, *LOST):
        outcome, why = UNAVAILABLE, "does not answer as MySQL or MariaDB does"
    else:
        outcome, why = DEGRADED, f"answers, but refuses ({number})"
    return Checked(outcome=outcome, kind=KIND, message=f"{server} {why}.")
