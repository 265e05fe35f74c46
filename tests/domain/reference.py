"""The reference files beside the repository: data to test against, never copied into it."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "reference"
REPOSITORY = Path(__file__).resolve().parents[2]

needs_reference = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the reference files are not in {FOLDER}")


def files(folder: str) -> list[Path]:
    """Return the files of a folder of the reference, none if it is absent."""
    return sorted(path for path in (FOLDER / folder).glob("*.json"))
