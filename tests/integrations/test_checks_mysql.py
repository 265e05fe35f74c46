"""Whether MySQL and MariaDB take a login: asked of a scripted server, and of a real one where it is installed."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.checks import Checked, check
from integrations.checks.options import OptionError, encryption_of
from tests.fakes.mysql_server import error, mysql_server
from tests.testbed.components import needs

SECRET = "hunter2-secret"


async def tried(port: int, timeout: float = 5.0, **values: str) -> Checked:
    login = {
        "DB_TYPE": "mysql",
        "DB_HOST": "127.0.0.1",
        "DB_PORT": str(port),
        "DB_DATABASE": "shop",
        "DB_USERNAME": "joe",
    }
    found = await check("DatabaseConnection", {**login, "DB_PASSWORD": SECRET, **values}, timeout)
    assert SECRET not in found.message and values.get("DB_PASSWORD", SECRET) not in found.message
    assert found.kind == "mysql"
    return found


async def test_login_is_signed_in_with_and_the_database_asked() -> None:
    async with mysql_server(SECRET) as port:
        found = await tried(port)
    assert found.outcome == "available", found.message
    assert "takes the login" in found.message


async def test_wrong_password_is_told_without_the_words_of_the_server() -> None:
    async with mysql_server(SECRET) as port:
        found = await tried(port, DB_PASSWORD="another-one")
    assert (found.outcome, found.message) == ("misconfigured", f"127.0.0.1:{port} does not know this login.")


@pytest.mark.parametrize(
    ("number", "outcome", "said"),
    [
        (1049, "misconfigured", "does not know this database"),
        (1044, "misconfigured", "does not let it into this database"),
        (1130, "misconfigured", "does not let this host in"),
        (3159, "misconfigured", "encrypted connections alone"),
        (3118, "misconfigured", "does not know this login"),
        (1040, "degraded", "too many connections"),
        (1105, "degraded", r"refuses \(1105\)"),
    ],
)
async def test_what_a_server_refuses_is_told_by_its_number(number: int, outcome: str, said: str) -> None:
    async with mysql_server(SECRET, error(number, f"Words of the server about {SECRET}")) as port:
        found = await tried(port)
    assert found.outcome == outcome
    assert said.replace("\\", "") in found.message


async def test_server_that_says_nothing_or_is_no_database_or_not_there_is_told() -> None:
    async with mysql_server(SECRET, silent=True) as port:
        assert "did not answer in time" in (await tried(port, 0.3)).message
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert "refuses connections" in (await tried(closed.getsockname()[1])).message
    assert "is not found" in (await tried(3306, DB_HOST="db.invalid")).message

    async def web(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(web, "127.0.0.1", 0) as server:
        found = await tried(server.sockets[0].getsockname()[1])
    assert found.outcome in ("unavailable", "degraded")


async def test_connection_that_must_be_encrypted_is_not_made_in_clear() -> None:
    async with mysql_server(SECRET) as port:
        found = await tried(port, DB_OPTIONS="encrypt=true")
        assert (found.outcome, "does not encrypt" in found.message) == ("misconfigured", True), found
        assert (await tried(port, DB_OPTIONS="encrypt=false")).outcome == "available"
        assert "must be true or false" in (await check_options(port, "encrypt=perhaps")).message


async def check_options(port: int, options: str) -> Checked:
    values = {"DB_TYPE": "mysql", "DB_HOST": "127.0.0.1", "DB_PORT": str(port), "DB_OPTIONS": options}
    return await check("DatabaseConnection", values, 5.0)


def test_options_say_yes_or_no_in_the_ways_that_drivers_take() -> None:
    assert encryption_of("charset=utf8").required is None
    assert encryption_of("Encrypt=Mandatory&TrustServerCertificate=1") == (True, True)
    with pytest.raises(OptionError, match=r"trustservercertificate must be true or false"):
        encryption_of("trust_server_certificate=maybe")


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a MariaDB with the login joe and the database shop; return its port."""
    folder: Path = tmp_path_factory.mktemp("mariadb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    program = shutil.which("mariadbd") or "mariadbd"
    common = [
        "--no-defaults",
        f"--datadir={folder}/data",
        "--user=root",
        "--skip-networking=0",
        "--innodb-log-file-size=4M",
    ]
    share = Path(program).resolve().parents[1] / "share" / "mysql"
    install = [
        shutil.which("mariadb-install-db") or "mariadb-install-db",
        "--no-defaults",
        f"--basedir={share.parents[1]}",
    ]
    install += [f"--datadir={folder}/data", "--user=root", "--auth-root-authentication-method=normal", "--force"]
    subprocess.run([*install, "--skip-name-resolve", "--skip-test-db"], check=True, capture_output=True)
    logins = (
        f"CREATE USER joe@'127.0.0.1' IDENTIFIED BY '{SECRET}'; CREATE DATABASE shop; CREATE DATABASE closed; "
        "GRANT ALL ON shop.* TO joe@'127.0.0.1';"
    )
    (folder / "logins.sql").write_text(logins.replace("; ", ";\n") + "\n")
    arguments = [
        f"--init-file={folder}/logins.sql",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        f"--socket={folder}/s",
        f"--lc-messages-dir={share}",
    ]
    server = subprocess.Popen([program, *common, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with socket.socket() as probing:
                if probing.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(30)


@needs("mariadb")
async def test_a_real_mariadb_takes_and_refuses_logins(mariadb: int) -> None:
    assert (await tried(mariadb)).outcome == "available"
    assert "does not know this login" in (await tried(mariadb, DB_PASSWORD="another-one")).message
    assert "does not know this login" in (await tried(mariadb, DB_USERNAME="nobody")).message
    for database in ("closed", "nothing"):
        assert "does not let it into this database" in (await tried(mariadb, DB_DATABASE=database)).message
    assert "does not encrypt" in (await tried(mariadb, DB_OPTIONS="encrypt=true")).message
