"""Which check fits a credential: the one of its prototype, else what its fields let tell.

To add one for a prototype, put a function ``check(values, timeout)`` into a module of this package and name it in
:data:`HOOKS` under the prototype's code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from integrations.checks.http import check_http
from integrations.checks.options import OptionError, encryption_of
from integrations.checks.result import MISCONFIGURED, UNKNOWN, Checked
from integrations.checks.sql import Login, check_sql
from integrations.checks.tcp import check_tcp

TIMEOUT = 10.0
Check = Callable[[Mapping[str, str], float], Awaitable[Checked]]
"""Takes the values of a credential, by the names of their fields, and the seconds after which it is given up."""

DATABASE = ("DB_TYPE", "DB_CONNECTION", "DATABASE_TYPE", "DATABASE_CONNECTION")
PORTS = {"smtp": 587, "smtps": 465, "imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995, "ldap": 389, "ldaps": 636}
PORTS |= {"ftp": 21, "sftp": 22, "ssh": 22, "amqp": 5672, "redis": 6379, "mysql": 3306, "postgresql": 5432}
USERS = ("LOGIN", "USER", "USERNAME")


async def check(code: str, values: Mapping[str, str], timeout: float = TIMEOUT) -> Checked:
    """Try whether a credential works.

    Parameters
    ----------
    code : str
        Code of its prototype.
    values : Mapping[str, str]
        What jobs get of it.
    timeout : float
        Seconds after which it is given up.
    """
    hook = HOOKS.get(code) or by_fields
    return await hook(values, timeout)


async def by_fields(values: Mapping[str, str], timeout: float) -> Checked:
    """Try what the fields of a credential let tell: a database, an address, a server and its port."""
    if any(name in values for name in DATABASE):
        return await database(values, timeout)
    for name, value in values.items():
        scheme = value.strip().partition("://")[0].lower() if "://" in value else ""
        if scheme in ("http", "https"):
            return await check_http(value.strip(), login_beside(name, values), timeout)
        if scheme:
            return await server_in(value.strip(), timeout)
    for name, value in values.items():
        if name.endswith(("HOST", "SERVER")) and value:
            beside = values.get(f"{name.removesuffix('HOST').removesuffix('SERVER')}PORT", "")
            if beside.isdigit():
                return await check_tcp(value, int(beside), timeout)
    message = "Nothing in this credential tells which server to ask: no address, no host with a port, no database."
    return Checked(outcome=UNKNOWN, kind="none", message=message)


async def database(values: Mapping[str, str], timeout: float) -> Checked:
    """Try a database that fields ``DB_TYPE``, ``DB_HOST`` … or ``DATABASE_TYPE`` … describe."""
    named = next(name for name in DATABASE if name in values)
    prefix = named.partition("_")[0]

    def field(*ends: str) -> str:
        return next((values[name] for end in ends if values.get(name := f"{prefix}_{end}")), "")

    port = field("PORT")
    if port and not (port.isdigit() and 0 < int(port) < 65536):
        return Checked(outcome=MISCONFIGURED, kind="sql", message="The port is no number between 1 and 65535.")
    try:
        encryption = encryption_of(field("OPTIONS"))
    except OptionError as error:
        return Checked(outcome=MISCONFIGURED, kind="sql", message=str(error))
    login = Login(
        host=field("HOST", "SERVER"),
        port=int(port) if port else None,
        name=field("DATABASE", "NAME", "PATH", "FILE"),
        user=field("USERNAME", "USER", "LOGIN"),
        password=field("PASSWORD", "PASS"),
        encryption=encryption,
    )
    return await check_sql(values[named], login, timeout)


async def server_in(address: str, timeout: float) -> Checked:
    """Try the server that an address of any scheme names, e.g. ``smtp://user:pass@mail.example:587``."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port or PORTS.get(parts.scheme.lower())
    except ValueError:
        host, port = None, None
    if not host or not port:
        return Checked(outcome=UNKNOWN, kind="none", message="The address names no server and port to be asked.")
    return await check_tcp(host, port, timeout)


def login_beside(name: str, values: Mapping[str, str]) -> tuple[str, str] | None:
    """Return user and password that stand beside an address: fields with the same beginning of the name.

    Examples
    --------
    >>> login_beside("SHOP_URL", {"SHOP_URL": "https://shop.example", "SHOP_LOGIN": "joe", "SHOP_PASSWORD": "x"})
    ('joe', 'x')
    """
    prefix = name.rpartition("_")[0]
    for end in USERS:
        user = values.get(f"{prefix}_{end}" if prefix else end)
        password = values.get(f"{prefix}_PASSWORD" if prefix else "PASSWORD")
        if user and password:
            return user, password
    return None


HOOKS: dict[str, Check] = {"DatabaseConnection": database, "SQLServer": database}
"""Checks of prototypes that know better than their fields tell, by the prototype's code."""
