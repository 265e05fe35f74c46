"""Progress of long work, on standard error while a person looks, and gone when the work is done."""

from __future__ import annotations

import sys
import time
from typing import Self

import click

from cli.output import Output

EVERY = 0.1
"""Seconds between two signs of progress."""


class Progress:
    """Told how much is done; shows it on a terminal.

    Parameters
    ----------
    what : str
        What is being done.
    output : Output
        The answer of the command; with ``--verbose`` progress is shown without a terminal too, a line each time.
    """

    def __init__(self, what: str, output: Output) -> None:
        self.what = what
        self.lines = bool(output.verbose) and not sys.stderr.isatty()
        self.shown = sys.stderr.isatty() or self.lines
        self.begun = time.monotonic()
        self.last = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.last and not self.lines:
            click.echo("\r\x1b[K", nl=False, err=True)

    def __call__(self, done: int, total: int | None = None) -> None:
        """Show how much is done of an estimate of all."""
        now = time.monotonic()
        if not self.shown or now - self.last < EVERY:
            return
        self.last = now
        text = f"{self.what}: {done:,}"
        if total:
            text += f" of about {total:,} ({min(100, 100 * done // total)} %)"
        if now > self.begun:
            text += f", {done / (now - self.begun):,.0f}/s"
        click.echo(text if self.lines else f"\r{text}\x1b[K", nl=self.lines, err=True)
