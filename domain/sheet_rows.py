"""Rows of a sheet as spreadsheet programs write them: which separator, where each row begins, what is but padding."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import msgspec

SEPARATOR = re.compile(r"sep=([,;\t|])\s*", re.IGNORECASE)
"""The line by which a spreadsheet program names the separator."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong with a sheet, and where; line 1 is the header. Values are not told: they may be secrets."""

    line: int
    column: str | None
    message: str

    def __str__(self) -> str:
        return f"line {self.line}{f', {self.column}' if self.column else ''}: {self.message}"


def rows_of(text: str, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each row begins, and its cells; what cannot be read is a problem, and ends it."""
    first = text.split("\n", 1)[0]
    named = SEPARATOR.fullmatch(first)
    separator = named[1] if named else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.append(Problem(before + 1, None, f"It cannot be read as CSV: {error}."))
            return
        if any(cell.strip() for cell in cells) and not (named and before == 0):
            yield before + 1, cells
        before = reader.line_num


def trimmed(cells: list[str], width: int = 0) -> list[str]:
    """Return cells without empty ones at the end, as far as there are more than a width.

    Examples
    --------
    >>> trimmed(["a", "", "b", "", " "]), trimmed(["a", "", "", ""], 3)
    (['a', '', 'b'], ['a', '', ''])
    """
    end = len(cells)
    while end > width and not cells[end - 1].strip():
        end -= 1
    return cells[:end]
