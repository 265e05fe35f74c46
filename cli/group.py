"""The program as a Click group: commands are imported when they are called, and the help lists them by entity."""

from __future__ import annotations

import difflib
from importlib import import_module
from itertools import groupby

import click

from cli.catalogue import COMMANDS, ENTITIES, canonical, entities


def load(name: str) -> click.Command:
    """Return a command by the name that the catalogue has."""
    module, _, function = COMMANDS[name].place.partition(".")
    found: click.Command = getattr(import_module(f"cli.commands.{module}"), function)
    found.name = name
    return found


class Program(click.Group):
    """All commands of the catalogue."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by any of its names."""
        name = canonical(cmd_name)
        return None if name is None else load(name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first word names.

        Raises
        ------
        click.UsageError
            There is none; the message says which ones come near.
        """
        if args[0].startswith("-") or canonical(args[0]):
            return super().resolve_command(ctx, args)
        name = args[0]
        entity = ENTITIES.get(name.lower(), name.lower())
        if name.lower() in entities():
            actions = [other for other in COMMANDS if other.startswith(f"{entity}:")]
            raise click.UsageError(f"What about {name}? There are: {', '.join(actions)}.", ctx)
        near = difflib.get_close_matches(name, COMMANDS, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "`multiflexi-cli --help` lists those there are."
        raise click.UsageError(f"There is no command “{name}”. {hint}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by entity, importing none of them."""
        for entity, names in groupby(sorted(COMMANDS), key=lambda name: name.partition(":")[0]):
            with formatter.section(entity):
                formatter.write_dl([(name, COMMANDS[name].summary) for name in names])
