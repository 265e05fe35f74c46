"""Tables for files and pipes: aligned columns, nothing cut off, no colours."""

from __future__ import annotations

from collections.abc import Sequence

from cli.cells import width
from cli.output import Output

GAP = "  "


def table(names: Sequence[str], rows: Sequence[Sequence[str]], output: Output) -> None:
    """Write rows under their names."""
    lines = [names, *rows]
    widths = [max(width(line[column]) for line in lines) for column in range(len(names))]
    output.text("\n".join(joined(line, widths) for line in lines))


def record(pairs: Sequence[tuple[str, str]], output: Output) -> None:
    """Write a field a line, with its name."""
    longest = max((len(name) for name, _ in pairs), default=0)
    output.text("\n".join(f"{name + ':':<{longest + 2}}{text}".rstrip() for name, text in pairs))


def joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return the cells of a line, each filled up to its width.

    Examples
    --------
    >>> joined(["7", "kůň", "x"], [3, 5, 1])
    '7    kůň    x'
    """
    return GAP.join(text + " " * (wide - width(text)) for text, wide in zip(cells, widths, strict=True)).rstrip()
