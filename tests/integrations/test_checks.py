"""Whether credentials work, asked of real servers on loopback; what is said tells no secret."""

from __future__ import annotations

import asyncio
import base64
import socket
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from integrations.checks import Checked, check
from tests.integrations.probe.tls_servers import Authority, TlsServer
from tests.testbed.postgres import Database, Server

SECRET = "hunter2-secret"


@asynccontextmanager
async def web_server(status: int = 200, login: str | None = None) -> AsyncIterator[str]:
    """Serve one answer to whoever asks; 401 to those without the login."""
    wanted = login and "Basic " + base64.b64encode(login.encode()).decode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        given = next(
            (line.partition(": ")[2] for line in head.split("\r\n") if line[:14].lower() == "authorization:"), ""
        )
        code = status if not wanted or given == wanted else 401
        writer.write(f"HTTP/1.1 {code} Told\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def tried(code: str = "Shop", /, **values: str) -> Checked:
    found = await check(code, values, 5.0)
    assert SECRET not in found.message
    return found


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "available"), (302, "available"), (400, "available"), (401, "misconfigured"), (403, "misconfigured"),
        (404, "misconfigured"), (429, "degraded"), (503, "degraded"), (500, "unavailable"),
    ],
)  # fmt: skip
async def test_an_address_is_asked_and_its_answer_told(status: int, outcome: str) -> None:
    async with web_server(status) as address:
        found = await tried(SHOP_URL=f"{address}/api?key={SECRET}")
    assert (found.outcome, found.kind) == (outcome, "http")
    assert urlsplit(address).netloc in found.message and str(status) in found.message


async def test_user_and_password_beside_an_address_are_given() -> None:
    async with web_server(login=f"joe:{SECRET}") as address:
        login = {"SHOP_URL": address, "SHOP_LOGIN": "joe"}
        assert (await tried(**login, SHOP_PASSWORD=SECRET)).outcome == "available"
        assert (await tried(**login, SHOP_PASSWORD="wrong")).outcome == "misconfigured"
        assert (await tried(SHOP_URL=address)).outcome == "misconfigured"
        within = address.replace("//", f"//joe:{SECRET}@")
        assert (await tried(SHOP_URL=within)).outcome == "available"


async def test_a_certificate_that_nobody_trusts_is_something_to_change_not_to_wait_for(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with TlsServer(authority.issue(names=("localhost",))) as server:
        found = await tried(SHOP_URL=f"https://localhost:{server.port}/")
    assert found.outcome == "misconfigured"
    assert "certificate that is not trusted" in found.message


async def test_a_server_that_is_not_there_and_a_name_that_there_is_not() -> None:
    port = closed_port()
    for values in ({"URL": f"http://127.0.0.1:{port}"}, {"FTP_HOST": "127.0.0.1", "FTP_PORT": str(port)}):
        found = await tried(**values)
        assert found.outcome == "unavailable"
        assert f"127.0.0.1:{port} refuses connections" in found.message
    found = await tried(URL="http://no-such-host.invalid/")
    assert found.outcome in ("misconfigured", "unavailable")
    assert "no-such-host.invalid" in found.message


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        found = await check("Shop", {"URL": f"http://127.0.0.1:{port}"}, 0.2)
    finally:
        server.close()
    assert (found.outcome, "in time" in found.message) == ("unavailable", True)


async def test_host_and_port_and_addresses_of_other_schemes_are_connected_to() -> None:
    async with web_server() as address:
        port = str(urlsplit(address).port)
        assert (await tried(IMAP_HOST="127.0.0.1", IMAP_PORT=port)).outcome == "available"
        found = await tried("Mail", MAILER_DSN=f"smtp://joe:{SECRET}@127.0.0.1:{port}")
        assert (found.outcome, found.kind) == ("available", "tcp")


async def test_a_postgresql_database_is_signed_in_to(database: Database, postgres: Server) -> None:
    with psycopg.connect(database.superuser_url) as connection:
        info = connection.info
        folder, port = info.host, info.port
    login = {"DB_TYPE": "pgsql", "DB_HOST": folder, "DB_PORT": str(port), "DB_DATABASE": database.name}
    found = await tried("DatabaseConnection", **login, DB_USERNAME="postgres", DB_PASSWORD=SECRET)
    assert (found.outcome, found.kind) == ("available", "postgresql")
    found = await tried("DatabaseConnection", **login, DB_USERNAME="nobody-knows", DB_PASSWORD=SECRET)
    assert found.outcome == "misconfigured"
    other = {**login, "DB_DATABASE": "not_there"}
    found = await tried("DatabaseConnection", **other, DB_USERNAME="postgres", DB_PASSWORD=SECRET)
    assert (found.outcome, "does not know this database" in found.message) == ("misconfigured", True)


async def test_a_sqlite_file_is_opened_and_never_made(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    values = {"DB_TYPE": "sqlite", "DB_DATABASE": str(file)}
    assert (await tried("DatabaseConnection", **values)).outcome == "misconfigured"
    assert not file.exists()
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE t (id integer)")
    assert (await tried("DatabaseConnection", **values)).outcome == "available"
    file.write_text("no database at all " * 100)
    assert (await tried("DatabaseConnection", **values)).outcome == "misconfigured"


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ({"TOKEN": SECRET}, "unknown"),
        ({"URL": "http://[::1"}, "misconfigured"),
        ({"URL": "ftp://"}, "unknown"),
        ({"DB_TYPE": "oracle9"}, "misconfigured"),
        ({"DB_TYPE": "pgsql"}, "misconfigured"),
        ({"DB_TYPE": "pgsql", "DB_HOST": "127.0.0.1", "DB_PORT": "99999"}, "misconfigured"),
    ],
)
async def test_what_cannot_be_asked_is_told(values: Mapping[str, str], outcome: str) -> None:
    assert (await tried(**values)).outcome == outcome
