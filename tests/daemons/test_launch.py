"""What ``make run`` does: the lines a user sees, what is left behind, and what happens the second time."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from daemons import postmaster
from tests.testbed.postgres import Server

Start = Callable[..., "Installation"]


class Installation:
    """A launcher with toy parts, in a process group of its own as a terminal would start it."""

    def __init__(self, folder: Path, **variables: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MULTIFLEXI_", "DATABASE_"))}
        self.folder = folder
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.daemons.toy_installation", "launch"],
            env={**kept, "MULTIFLEXI_DATA": str(folder), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def line(self, pattern: str, seconds: float = 60.0) -> re.Match[str]:
        """Wait for a line; return its match."""
        while True:
            line = self._queue.get(timeout=seconds)
            assert line is not None, f"ended without {pattern!r}:\n" + "\n".join(self.lines)
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found

    def rest(self) -> str:
        """Wait for the end; return all that was said."""
        self.process.wait(60)
        while (line := self._queue.get(timeout=10)) is not None:
            self.lines.append(line)
        return "\n".join(self.lines)

    def family(self) -> list[psutil.Process]:
        found = psutil.Process(self.process.pid).children(recursive=True)
        if server := postmaster.find(self.folder / "postgres"):
            found += [server, *server.children()]
        return found

    def interrupt(self) -> int:
        """Press Ctrl-C: the signal goes to the whole group. Return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(30)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Installation] = []

    def begin(name: str = "data", **variables: str) -> Installation:
        started.append(Installation(tmp_path / "a folder" / name, **variables))
        return started[-1]

    (tmp_path / "a folder").mkdir()
    yield begin
    for each in started:
        if each.process.poll() is None:
            each.interrupt()
        if server := postmaster.find(each.folder / "postgres"):
            postmaster.end(server, 10)


def assert_gone(processes: list[psutil.Process]) -> None:
    until = time.monotonic() + 10
    while alive := [each for each in processes if postmaster.is_alive(each)]:
        assert time.monotonic() < until, f"still running: {alive}"
        time.sleep(0.02)


def test_first_run_shows_address_and_job_then_ctrl_c_leaves_nothing(start: Start) -> None:
    installation = start()
    address = installation.line(r"^MultiFlexi is ready at (http://127\.0\.0\.1:\d+/multiflexi)$").group(1)
    assert urllib.request.urlopen(address).status == 200
    installation.line("^the password of this once$")
    installation.line("^output of job 3$")
    installation.line("Ctrl-C stops it")
    family = installation.family()
    assert len(family) > len(("projector", "scheduler", "executor", "web", "postgres"))
    assert installation.interrupt() == 0
    assert "The data is kept" in installation.rest()
    assert_gone(family)


def test_second_run_continues_with_the_same_data_and_the_same_port(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        asked = {"MULTIFLEXI_PORT": str(free.getsockname()[1])}
    ports, keys, kept = [], [], None
    for text, variables in {"first": asked, "second": {}}.items():
        installation = start(**variables)
        ports.append(installation.line(r"ready at http://127\.0\.0\.1:(\d+)/").group(1))
        installation.line("Ctrl-C")
        keys.append((installation.folder / "master.key").read_text())
        with psycopg.connect(connection_urls(installation)["owner_url"]) as connection:
            connection.execute("SET ROLE multiflexi_owner")
            connection.execute("CREATE TABLE IF NOT EXISTS public.kept (text text)")
            connection.execute("INSERT INTO public.kept VALUES (%s)", [text])
            kept = connection.execute("SELECT count(*) FROM public.kept").fetchone()
        assert installation.interrupt() == 0
    assert kept == (2,)
    assert ports[0] == ports[1]
    assert keys[0] == keys[1]


def connection_urls(installation: Installation) -> dict[str, str]:
    return json.loads((installation.folder / "connection.json").read_text())


def test_killed_launcher_takes_its_parts_along_and_the_next_one_takes_over_the_database(start: Start) -> None:
    killed = start()
    killed.line("Ctrl-C")
    server = postmaster.find(killed.folder / "postgres")
    children = psutil.Process(killed.process.pid).children()
    assert server is not None
    killed.process.kill()
    assert_gone([each for each in children if each != server])
    assert server.is_running()
    next_one = start()
    next_one.line("Ctrl-C")
    assert postmaster.find(next_one.folder / "postgres") == server
    assert next_one.interrupt() == 0
    assert_gone([server])


def test_killed_postgresql_is_started_again_while_the_rest_runs(start: Start) -> None:
    installation = start()
    installation.line("Ctrl-C")
    server = postmaster.find(installation.folder / "postgres")
    assert server is not None
    server.kill()
    installation.line("^postgresql runs again$")
    with psycopg.connect(connection_urls(installation)["database_url"]):
        pass
    assert installation.interrupt() == 0


def test_second_launcher_on_the_same_data_is_told_where_the_first_one_is(start: Start) -> None:
    first = start()
    address = first.line("ready at (.*)$").group(1)
    first.line("Ctrl-C")
    second = start()
    said = second.rest()
    assert second.process.returncode == 1
    assert f"already runs on the data in {first.folder} at {address}" in said
    assert "MULTIFLEXI_DATA=" in said
    assert urllib.request.urlopen(address).status == 200


def test_two_installations_started_together_each_get_a_port(start: Start) -> None:
    both = [start("one"), start("two")]
    addresses = [each.line("ready at (.*)$").group(1) for each in both]
    assert addresses[0] != addresses[1]
    assert [each.interrupt() for each in both] == [0, 0]


def test_port_in_use_is_told_with_what_to_do_and_nothing_is_started(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        installation = start(MULTIFLEXI_PORT=str(number))
        said = installation.rest()
    assert installation.process.returncode == 1
    assert re.search(rf"Port {number} is in use by process {os.getpid()} .*MULTIFLEXI_PORT=\d+ make run", said)
    assert not (installation.folder / "postgres").exists()


@pytest.mark.parametrize("port", ["eighty", "0", "65536", "-1"])
def test_port_that_is_none_is_told(start: Start, port: str) -> None:
    installation = start(MULTIFLEXI_PORT=port)
    assert f"MULTIFLEXI_PORT is '{port}'; a port is a number from 1 to 65535." in installation.rest()
    assert installation.process.returncode == 1


def test_part_that_does_not_start_ends_the_run_with_its_last_words_and_leaves_nothing(start: Start) -> None:
    installation = start(TOY_WEB="broken")
    installation.line("executor is ready")
    family = installation.family()
    said = installation.rest()
    assert installation.process.returncode == 1
    assert "web ended with exit code 1" in said
    assert "no templates" in said
    assert "Traceback" not in said
    assert_gone(family)


def test_without_demo_data_it_runs_all_the_same(start: Start) -> None:
    installation = start(TOY_DEMO="broken")
    installation.line(r"^The demo data could not be made \(exit code 1\): no demo today$")
    installation.line("ready at")
    installation.line("Ctrl-C")
    assert installation.interrupt() == 0


def test_with_a_database_url_no_postgresql_is_started(start: Start, postgres: Server) -> None:
    database = postgres.empty_database()
    installation = start(**database.variables)
    installation.line("database is up to date")
    installation.line("Ctrl-C")
    assert not (installation.folder / "postgres").exists()
    assert not (installation.folder / "connection.json").exists()
    assert installation.interrupt() == 0
    postgres.drop(database)


def test_database_that_is_down_is_told_without_a_traceback(start: Start) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"
    installation = start(DATABASE_URL=url, DATABASE_OWNER_URL=url)
    said = installation.rest()
    assert installation.process.returncode == 1
    assert "database cannot be reached" in said
    assert "Traceback" not in said


def test_ctrl_c_during_the_start_stops_it(start: Start) -> None:
    installation = start()
    installation.line("postgresql is ready")
    family = installation.family()
    assert installation.interrupt() == 0
    assert_gone(family)
