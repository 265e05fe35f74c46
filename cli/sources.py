"""Values that a command line names the source of, in place of the values: others on the machine may see the line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from cli.command import option
from cli.values import PAIR, Pair

LARGEST = 1_048_576
VARIABLE = "env:"
"""What the name of a variable of the environment begins with, where a file may be named, too."""

STANDARD_INPUT = "-"
_READ = "cli.sources.standard_input"


def text_from(source: str) -> str:
    """Return the text of a source: a file, ``env:NAME`` for a variable of the environment, ``-`` for standard input.

    Raises
    ------
    click.UsageError
        There is no such source, it cannot be read, or standard input was read before.
    """
    if source.startswith(VARIABLE):
        name = source.removeprefix(VARIABLE)
        if name not in os.environ:
            raise click.UsageError(f"There is no variable {name} in the environment.")
        return os.environ[name]
    try:
        if source == STANDARD_INPUT:
            _once()
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise click.UsageError(f"{source} has more than {LARGEST} bytes.")
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8"
        raise click.UsageError(f"{source} cannot be read: {reason}.") from None


def value_from(source: str) -> str:
    """Return the value that a source holds: its text, without the line break of a single line."""
    text = text_from(source)
    return text[:-1] if text.endswith("\n") and text.count("\n") == 1 else text


class PairFrom(Pair):
    """A setting with the source of its value, ``KEY=PATH``; it is read at once."""

    name = "key=source"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return key and value."""
        if isinstance(value, tuple):
            return value
        key, source = super().convert(value, param, ctx)
        return key, value_from(source)


def setting_options(name: str, what: str) -> tuple[click.Option, click.Option]:
    """Return the options for settings: on the line itself, and from elsewhere; both are read as one."""
    return (
        option(name, type=PAIR, multiple=True, metavar="KEY=VALUE", help=f"{what}; several times for more."),
        option(
            f"{name}-from",
            type=PairFrom(),
            multiple=True,
            metavar="KEY=PATH",
            help=f"The same, where others shall not see the value, as they may with --{name}: from a file, from "
            "env:VARIABLE, or from - for standard input.",
        ),
    )


def _once() -> None:
    """Refuse to read standard input twice."""
    known = click.get_current_context().meta
    if known.setdefault(_READ, False):
        raise click.UsageError("Standard input can be read once only.")
    known[_READ] = True
