"""Fixtures of the probe's tests: the probe as a process, certificates and servers on loopback, reference schemas."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integrations.probe.tls_servers import Authority, TlsServer

PROJECT = Path(__file__).resolve().parents[3]
REFERENCE = PROJECT.parent / "shared" / "reference"

Probe = Callable[..., subprocess.CompletedProcess[str]]


def probe_environment(variables: dict[str, str]) -> dict[str, str]:
    """Only what the probe is told, as the executor starts applications."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(PROJECT), **variables}


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    """Run the probe as a process in an empty folder; keyword arguments are its environment."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "integrations.probe", *arguments],
            cwd=tmp_path,
            env=probe_environment(variables),
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def serve() -> Iterator[Callable[..., TlsServer]]:
    """Start servers that end with the test."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(TlsServer(*arguments, **options))


@pytest.fixture
def reference_schema() -> Callable[[str], dict[str, Any]]:
    """Return a reference schema by name; skips where there is none."""

    def read(name: str) -> dict[str, Any]:
        path = REFERENCE / "schema" / f"{name}.json"
        if not path.is_file():
            pytest.skip(f"the reference schema {name}.json is not beside the project")
        return json.loads(path.read_text("utf-8"))

    return read
