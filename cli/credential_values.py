"""Values of credentials on a command line: in the clear of the line itself, or from a file that nobody else sees."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click

from cli.command import Options, option
from cli.environment import parse
from cli.output import Output
from cli.sources import text_from, value_from
from cli.values import PAIR

VALUES = (
    option("field", type=PAIR, multiple=True, metavar="KEY=VALUE", help="Value of a field; others may see it in `ps`."),
    option(
        "field-from",
        type=PAIR,
        multiple=True,
        metavar="KEY=PATH",
        help="Value of a field, from a file, from env:VARIABLE, or from - for standard input.",
    ),
    option("fields-file", metavar="PATH", help="Values from a file of KEY=VALUE lines or JSON; - is standard input."),
)
UNSET_OPTION = option("unset", multiple=True, metavar="KEY", help="Take the value of a field away.")


def given_values(options: Options) -> dict[str, Any]:
    """Return the values that options give, by field.

    Raises
    ------
    click.UsageError
        A file cannot be read or understood, or standard input is asked for twice.
    """
    values: dict[str, Any] = {}
    if options.fields_file:
        values |= _values_in(text_from(options.fields_file), options.fields_file)
    for key, path in options.field_from:
        values[key] = value_from(path)
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
