"""The shape of the repository: who imports whom, and what the lock files hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    command = [program, "--no-cache", "--config", folder / "pyproject.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_packages_import_only_what_they_may() -> None:
    answer = lint_imports(PROJECT)
    assert answer.returncode == 0, answer.stdout + answer.stderr


PACKAGES = ("cli", "commands", "daemons", "domain", "eventstore", "integrations", "projections", "schema", "web")
MAY_IMPORT = {
    "domain": set[str](),
    "schema": set[str](),
    "eventstore": {"domain"},
    "projections": {"eventstore", "domain"},
    "commands": {"domain", "eventstore", "projections"},
    "integrations": {"domain"},
    "daemons": {"domain", "eventstore", "commands", "projections", "integrations", "schema"},
    "web": {"domain", "eventstore", "commands", "projections", "integrations", "schema"},
    "cli": {"domain", "eventstore", "commands", "projections", "integrations", "daemons", "web", "schema"},
}


@pytest.mark.parametrize("package", PACKAGES)
def test_each_forbidden_import_is_found(tmp_path: Path, package: str) -> None:
    """Whatever a package must not import breaks the rule, and whatever it may import does not."""
    (tmp_path / "pyproject.toml").write_text((PROJECT / "pyproject.toml").read_text())
    forbidden = set(PACKAGES) - MAY_IMPORT[package] - {package}
    for other in PACKAGES:
        (tmp_path / other).mkdir()
        (tmp_path / other / "__init__.py").write_text("")
        (tmp_path / other / "thing.py").write_text("")
    allowed = "".join(f"import {other}.thing\n" for other in sorted(MAY_IMPORT[package]))
    (tmp_path / package / "__init__.py").write_text(allowed)
    assert lint_imports(tmp_path).returncode == 0
    for other in sorted(forbidden):
        (tmp_path / package / "other.py").write_text(f"from {other} import thing\n")
        answer = lint_imports(tmp_path)
        assert f"{package} is not allowed to import {other}" in answer.stdout, answer.stdout
        assert answer.returncode == 1


@pytest.mark.parametrize("name", LOCKS)
def test_lock_files_name_no_host_and_every_package_by_its_digests(name: str) -> None:
    text = (PROJECT / name).read_text()
    assert not re.search(r"https?://|index-url|find-links", text)
    entries = re.split(r"\n(?=[a-z0-9])", text)
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[a-z0-9_.\[\],-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize(("source", "lock"), [("requirements.in", LOCKS[0]), ("requirements-dev.in", LOCKS[1])])
def test_what_is_required_is_locked(source: str, lock: str) -> None:
    wanted = re.findall(r"^([a-z0-9][a-z0-9-]*)", (PROJECT / source).read_text(), re.MULTILINE)
    locked = set(re.findall(r"^([a-z0-9._-]+)(?:\[.*\])?==", (PROJECT / lock).read_text(), re.MULTILINE))
    assert wanted
    assert set(wanted) <= locked


def test_both_locks_agree() -> None:
    run, dev = (dict(re.findall(r"^(\S+)==(\S+)", (PROJECT / name).read_text(), re.MULTILINE)) for name in LOCKS)
    assert run.items() <= dev.items()
