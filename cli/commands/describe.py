"""The commands described for programs."""

from __future__ import annotations

from typing import Any

import click

from cli.catalogue import COMMANDS
from cli.command import Options, command
from cli.group import load
from cli.output import Output


@command()
def describe_commands(output: Output, options: Options) -> None:
    """Describe all commands and their options in JSON."""
    output.document({name: described(load(name), entry.summary) for name, entry in COMMANDS.items()})


def described(found: click.Command, summary: str) -> dict[str, Any]:
    """Return what a command is and takes."""
    return {
        "description": summary,
        "arguments": {
            str(one.name): {
                "name": one.name,
                "is_required": one.required,
                "is_array": one.nargs != 1,
                "description": one.make_metavar(click.Context(found)),
            }
            for one in found.params
            if isinstance(one, click.Argument)
        },
        "options": {
            longs(one)[0]: option_of(one) for one in found.params if isinstance(one, click.Option) and not one.hidden
        },
    }


def longs(option: click.Option) -> list[str]:
    """Return the long spellings of an option, without their dashes."""
    return [name.lstrip("-") for name in option.opts if name.startswith("--")]


def option_of(option: click.Option) -> dict[str, Any]:
    """Return what an option is and takes."""
    choices = option.type.choices if isinstance(option.type, click.Choice) else None
    return {
        "name": longs(option)[0],
        "shortcut": next((name.lstrip("-") for name in option.opts if not name.startswith("--")), None),
        "spellings": longs(option),
        "is_value_required": not option.is_flag and not option.count,
        "is_array": option.multiple,
        "description": option.help or "",
        "default": option.default if isinstance(option.default, str | int | bool) else None,
        "choices": list(choices) if choices else None,
    }
