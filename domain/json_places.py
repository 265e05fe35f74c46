r"""Where the parts of a JSON text stand: lines of the places that a check names, and names given twice.

Examples
--------
>>> text = '{"name": "Probe",\\n "environment": {\\n  "A": 1,\\n  "A": 2}}'
>>> found = places(text)
>>> found.line("/environment/A"), found.line("/environment/B"), found.line("")
(4, 2, 1)
>>> found.twice
('/environment/A',)
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from domain.findings import Finding, child

LARGEST = 500_000
"""Most characters of a text that is looked through: more would take longer than a second."""

_WHOLE = frozenset({"byte_order_mark"})
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s"{}\[\]:,]+', re.DOTALL)


class Places(msgspec.Struct, frozen=True):
    """Where the parts of a text stand.

    Attributes
    ----------
    lines : Mapping[str, int]
        Line of each part, from 1, by its JSON pointer.
    twice : tuple[str, ...]
        Names that one object holds more than once.
    """

    lines: Mapping[str, int]
    twice: tuple[str, ...] = ()

    def line(self, pointer: str) -> int:
        """Return the line of a part; of one that is missing, that of the object which should hold it."""
        while pointer not in self.lines and pointer:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer, 1)


class _Level:
    """An object or a list that is being walked through."""

    def __init__(self, pointer: str, *, is_list: bool) -> None:
        self.pointer = pointer
        self.is_list = is_list
        self.index = 0
        self.name: str | None = None
        self.names: set[str] = set()

    def member(self) -> str:
        return child(self.pointer, self.index if self.is_list else self.name or "")


def located(findings: Sequence[Finding], source: bytes | str | Mapping[str, Any]) -> tuple[Finding, ...]:
    r"""Return findings with their lines, as they are if the document was not given as text, or as a very long one.

    Examples
    --------
    >>> print(*located([Finding("/name", "missing", "it is missing."), Finding("/a", "form", "so?")], '{\n"a": 1}'))
    /name: line 1: it is missing. /a: line 2: so?
    """
    if not findings or isinstance(source, Mapping) or len(source) > LARGEST:
        return tuple(findings)
    found = places(source if isinstance(source, str) else source.decode())
    return tuple(
        one if one.code in _WHOLE else msgspec.structs.replace(one, line=found.line(one.pointer)) for one in findings
    )


def places(text: str) -> Places:
    """Return where the parts of a text stand that is JSON."""
    lines: dict[str, int] = {}
    twice: dict[str, None] = {}
    levels: list[_Level] = []
    line, seen = 1, 0
    for token in _TOKEN.finditer(text):
        line += text.count("\n", seen, token.start())
        seen = token.start()
        sign = token[0]
        level = levels[-1] if levels else None
        if sign in "}]":
            levels.pop()
        elif sign == ",":
            assert level is not None
            level.index, level.name = level.index + 1, None
        elif sign == ":":
            continue
        elif level is not None and not level.is_list and level.name is None:
            level.name = json.loads(sign, strict=False)
            pointer = level.member()
            if level.name in level.names:
                twice.setdefault(pointer)
            level.names.add(level.name or "")
            lines[pointer] = line
        else:
            pointer = "" if level is None else level.member()
            if level is None or level.is_list:
                lines[pointer] = line
            if sign in "{[":
                levels.append(_Level(pointer, is_list=sign == "["))
    return Places(lines, tuple(twice))
