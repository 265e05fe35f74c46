"""The virtual environment: a half-made, moved or outdated one is noticed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops import environment

PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project whose lock files name nothing, in a path with a space, in which nothing is installed."""
    folder = tmp_path / "a project"
    folder.mkdir()
    for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        (folder / name).write_text("# nothing\n")
    monkeypatch.setattr(environment, "PROJECT", folder)
    monkeypatch.setattr(environment, "ENVIRONMENT", folder / ".venv")
    monkeypatch.setattr(
        environment, "LOCKS", {"run": folder / "requirements.lock", "dev": folder / "requirements-dev.lock"}
    )
    return folder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what was called instead of pip and apt; environments are made without pip, which takes seconds."""
    made: list[str] = []

    def create(folder: Path, *, with_pip: bool) -> None:
        assert with_pip
        venv.create(folder)
        (folder / "bin" / "pip").write_text(f"#!{folder}/bin/python\n")

    monkeypatch.setattr(environment, "call", lambda _, doing: made.append(doing))
    monkeypatch.setattr(environment, "venv", SimpleNamespace(create=create))
    return made


INSTALLS = ["Installing the dependencies", "Installing MultiFlexi"]


def test_environment_is_made_once(project: Path, calls: list[str]) -> None:
    assert environment.main("dev") == 0
    assert calls == INSTALLS
    for kind in ("dev", "run"):
        assert environment.main(kind) == 0
    assert calls == INSTALLS, "an environment for development serves for running too"


def test_environment_for_running_is_extended_for_development(project: Path, calls: list[str]) -> None:
    assert environment.main("run") == 0
    marker = project / ".venv" / "kept"
    marker.write_text("")
    assert environment.main("dev") == 0
    assert calls == INSTALLS * 2
    assert marker.exists()


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_change_of_what_it_is_made_from_updates_it(project: Path, calls: list[str], changed: str) -> None:
    environment.main("run")
    (project / changed).write_text("# something else\n")
    environment.main("run")
    assert calls == INSTALLS * 2


def test_interrupted_environment_is_made_anew(project: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    working = environment.call
    monkeypatch.setattr(environment, "call", interrupt)
    assert environment.main("run") == 130
    assert not environment.is_complete("run")
    half_made = project / ".venv" / "half made"
    half_made.write_text("")
    monkeypatch.setattr(environment, "call", working)
    assert environment.main("run") == 0
    assert not half_made.exists()
    assert environment.is_complete("run")


def test_moved_environment_is_made_anew(project: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    environment.main("run")
    moved = project.with_name("moved")
    shutil.move(project, moved)
    (moved / ".venv" / "from before").write_text("")
    monkeypatch.setattr(environment, "ENVIRONMENT", moved / ".venv")
    monkeypatch.setattr(environment, "PROJECT", moved)
    monkeypatch.setattr(environment, "LOCKS", {"run": moved / "requirements.lock", "dev": moved / "pyproject.toml"})
    assert not environment.is_complete("run")
    environment.main("run")
    assert not (moved / ".venv" / "from before").exists()


def test_failure_shows_what_the_installer_said(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "requirements.lock").write_text("not a requirement at all\n")
    assert environment.main("run") == 1
    said = capsys.readouterr().err
    assert "Installing the dependencies failed:" in said
    assert "not a requirement at all" in said
    assert "Traceback" not in said


def test_old_python_is_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "OLDEST_PYTHON", (99, 0))
    assert environment.main("run") == 1
    assert "needs Python 3.11 or newer" in capsys.readouterr().err


def test_missing_ensurepip_tells_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(code: int) -> Callable[..., subprocess.CompletedProcess[str]]:
        return lambda *_, **__: subprocess.CompletedProcess([], code)

    monkeypatch.setattr(environment.subprocess, "run", answer(1))
    monkeypatch.setattr(environment.os, "geteuid", lambda: 1000)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    with pytest.raises(environment.EnvironmentSetupError, match=f"sudo apt-get install python{version}-venv"):
        environment.ensure_venv_module()
