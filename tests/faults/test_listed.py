"""The page of faults names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(?:(tests/[\w/]+\.py))?(?:::(test_\w+))?`")


def test_every_test_that_the_page_of_faults_names_exists() -> None:
    file, found = "", 0
    for path, test in NAMED.findall((PROJECT / "docs" / "faults.md").read_text()):
        if not path and not test:
            continue
        file = path or file
        source = (PROJECT / file).read_text()
        assert not test or f"def {test}(" in source, (file, test)
        found += 1
    assert found > 20
