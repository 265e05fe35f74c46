"""Values of credentials on a command line: in the clear of the line itself, or from a file that nobody else sees."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from cli.command import Options, option
from cli.environment import parse
from cli.output import Output
from cli.values import PAIR

VALUES = (
    option("field", type=PAIR, multiple=True, metavar="KEY=VALUE", help="Value of a field; others may see it in `ps`."),
    option(
        "field-from",
        type=PAIR,
        multiple=True,
        metavar="KEY=PATH",
        help="Value of a field, from a file; - is standard input.",
    ),
    option("fields-file", metavar="PATH", help="Values from a file of KEY=VALUE lines or JSON; - is standard input."),
)
UNSET_OPTION = option("unset", multiple=True, metavar="KEY", help="Take the value of a field away.")
LARGEST = 1_048_576


def given_values(options: Options) -> dict[str, Any]:
    """Return the values that options give, by field.

    Raises
    ------
    click.UsageError
        A file cannot be read or understood, or standard input is asked for twice.
    """
    sources = [path for _, path in options.field_from] + ([options.fields_file] if options.fields_file else [])
    if sources.count("-") > 1:
        raise click.UsageError("Standard input can be read once only.")
    values: dict[str, Any] = {}
    if options.fields_file:
        values |= _values_in(_text(options.fields_file), options.fields_file)
    for key, path in options.field_from:
        text = _text(path)
        values[key] = text[:-1] if text.endswith("\n") and text.count("\n") == 1 else text
    values |= dict(options.field)
    values |= dict.fromkeys(getattr(options, "unset", ()))
    return values


def warn_of_line(options: Options, secrets: Iterable[str], output: Output) -> None:
    """Warn of secrets that stood on the command line, where others on this machine may have seen them."""
    seen = sorted({name for name, _ in options.field} & set(secrets))
    if seen:
        output.warn(
            f"{', '.join(seen)} stood on the command line, where others on this machine may have seen it. "
            f"--field-from {seen[0]}=- reads it from standard input, --fields-file from a file."
        )


def _text(path: str) -> str:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise click.UsageError(f"{path} has more than {LARGEST} bytes.")
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8"
        raise click.UsageError(f"{path} cannot be read: {reason}.") from None


def _values_in(text: str, source: str) -> dict[str, Any]:
    if not text.lstrip().startswith("{"):
        return dict(parse(text, source))
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise click.UsageError(f"{source}, line {error.lineno}: it is no JSON.") from None
    if not isinstance(document, Mapping):
        raise click.UsageError(f"{source} holds no JSON object.")
    found: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, bool):
            found[key] = "true" if value else "false"
        elif value is None or isinstance(value, str):
            found[key] = value
        elif isinstance(value, int | float):
            found[key] = str(value)
        else:
            raise click.UsageError(f"{source}: the value of {key} is neither text nor a number.")
    return found
