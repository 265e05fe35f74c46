"""Tables for terminals: as wide as the terminal is, with colours unless the user wants none (``NO_COLOR``)."""

from __future__ import annotations

import os
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.output import Output

STYLES = {
    "success": "green",
    "warning": "yellow",
    "failure": "red",
    "not_found": "red",
    "killed": "red",
    "timeout": "red",
    "lost": "red",
    "running": "cyan",
    "queued": "blue",
    "cancelled": "bright_black",
    "(erased)": "italic bright_black",
}
"""Colours of outcomes and states, in the columns that hold them."""

COLOURED = ("outcome", "state")


def console(output: Output) -> Console:
    """Return the terminal; it takes width and wishes about colours from the environment."""
    wanted = output.colour and not os.environ.get("NO_COLOR")
    return Console(color_system="auto" if wanted else None, highlight=False)


def styled(name: str, text: str) -> Text:
    """Return the text of a cell in the colour of what it says."""
    return Text(text, style=STYLES.get(text, "") if name in COLOURED or text == "(erased)" else "")


def table(names: Sequence[str], rows: Sequence[Sequence[str]], output: Output) -> None:
    """Write rows under their names."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in names:
        drawn.add_column(name, overflow="fold")
    for row in rows:
        drawn.add_row(*(styled(name, text) for name, text in zip(names, row, strict=True)))
    console(output).print(drawn)


def record(pairs: Sequence[tuple[str, str]], output: Output) -> None:
    """Write a field a line, with its name."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    drawn.add_column(style="bold", no_wrap=True)
    drawn.add_column(overflow="fold")
    for name, text in pairs:
        drawn.add_row(name, styled(name, text))
    console(output).print(drawn)
