"""Named SQL queries on the read models, loaded by name.

Each file holds queries that begin with ``-- name: NAME`` and a sentence that says what they return. Column names are
those that CLI and REST have always shown (``interv``, ``app_id``, ``DatCreate`` …).
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
_HEAD = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@cache
def _load(file: str) -> dict[str, str]:
    parts = _HEAD.split((FOLDER / f"{file}.sql").read_text(encoding="utf-8"))
    return dict(zip(parts[1::2], (text.strip() for text in parts[2::2]), strict=True))


def query(name: str) -> str:
    """Return the SQL of a query, named ``FILE.NAME``.

    Raises
    ------
    KeyError
        There is no such query.
    """
    file, _, key = name.partition(".")
    return _load(file)[key]
