"""What an application needs credentials for: the codes of credential prototypes, known by their letters alone.

Examples
--------
>>> required({"requirements": "AbraFlexi, mServer"})
('AbraFlexi', 'mServer')
>>> unmet(("MServer", "FioBank"), {"mServer"})
('FioBank',)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from domain.shapes import texts


def required(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the codes that a definition requires, each once."""
    named = (text.strip() for text in texts(document.get("requirements")))
    return tuple({code_key(text): text for text in named if text}.values())


def unmet(codes: Iterable[str], offered: Iterable[str]) -> tuple[str, ...]:
    """Return the codes that nothing offered satisfies."""
    known = {code_key(code) for code in offered}
    return tuple(code for code in codes if code_key(code) not in known)


def code_key(code: str) -> str:
    """Return what two spellings of one code share.

    Examples
    --------
    >>> code_key("SQL-Server") == code_key("sqlserver")
    True
    """
    return "".join(letter for letter in code.casefold() if letter.isalnum())
