"""What all tests share: PostgreSQL, and the rule that CI skips nothing.

================  =====================================================================================
``postgres``      a running server (:class:`tests.testbed.postgres.Server`), shared by the whole run
``database``      a fresh migrated database in it, dropped after the test
================  =====================================================================================

Tests run on the embedded version; with ``@pytest.mark.postgres_versions(15, 18)`` on each of those, and with
``--postgres 15`` all of them on that one.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.testbed.components import require
from tests.testbed.postgres import EMBEDDED_VERSION, Database, Server, sweep

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell without job control starts what runs in the background deaf to Ctrl-C, and so would be every process that
    # a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", type=int, help="major version of PostgreSQL that all tests run on")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "postgres" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("postgres_versions")
    versions = marker.args if marker else (EMBEDDED_VERSION,)
    if chosen := metafunc.config.getoption("--postgres"):
        versions = (chosen,)
    ids = [f"postgresql-{version}" for version in versions]
    metafunc.parametrize("postgres", versions, ids=ids, indirect=True, scope="session")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long: whatever is left for the end is short, and no process waits for another."""
    tests = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # Also where several processes share the tests, file by file: with --no-loadscope-reorder they keep this order.
    items.sort(key=lambda item: (item.path not in slow, -tests[item.path], item.path))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for component in marker.args:
            require(component)


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[int, Server]]:
    """Servers that run so far, by version: each is started by the first test that wants it."""
    sweep()
    running: dict[int, Server] = {}
    yield running
    for server in running.values():
        server.stop()


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest, servers: dict[int, Server]) -> Server:
    """Return a running server of the version that the test asks for."""
    version: int = request.param
    if version not in servers:
        require(f"postgresql-{version}")
        server = Server(version)
        server.start()
        servers[version] = server
    return servers[version]


@pytest.fixture
def database(postgres: Server) -> Iterator[Database]:
    """Return a fresh migrated database."""
    made = postgres.fresh_database()
    yield made
    postgres.drop(made)
