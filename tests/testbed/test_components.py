"""The rule that CI skips no real component."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.testbed import components

PROJECT = Path(__file__).resolve().parent.parent.parent

TEST = """
import pytest
from tests.testbed import components
components.COMPONENTS["nothing"] = (lambda: False, "cannot be had")

@components.needs("nothing")
def test_with_it(): ...
"""


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_missing_component_is_a_skip_with_its_reason_and_in_ci_a_failure(tmp_path: Path, ci: str, outcome: str) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        PROJECT / "pyproject.toml",
        "--rootdir",
        PROJECT,
        "-p",
        "tests.conftest",
    ]
    answer = subprocess.run(
        [*command, tmp_path / "test_it.py"], cwd=PROJECT, env={"CI": ci}, capture_output=True, text=True, check=False
    )
    assert outcome in answer.stdout, answer.stdout + answer.stderr
    assert "nothing is not installed (cannot be had)" in answer.stdout
    assert answer.returncode == (1 if ci else 0)


def test_unknown_component_is_an_error() -> None:
    with pytest.raises(ValueError, match="Unknown components"):
        components.needs("flux-capacitor")
