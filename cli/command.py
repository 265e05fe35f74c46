"""What a command is made of: options in both spellings, an output, and a function that is given both.

::

    @command(option("company_id", type=ID, help="Only this company."), *PAGING, FIELDS_OPTION)
    async def list_things(output: Output, options: Options) -> None:
        \"\"\"List the things.\"\"\"
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
from collections.abc import Callable, Collection, Coroutine, Sequence
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click

from cli import whom
from cli.environment import SettingsFile, read_environment
from cli.output import Output
from cli.values import FIELDS, ID, ORDER, Count

Options = SimpleNamespace
"""Values of the options of a command, by name."""

Action = Callable[[Output, Options], Coroutine[Any, Any, int | None] | int | None]

PROGRAM = "multiflexi-cli"

SETTINGS = ("env", "config")
"""Options for settings that also have the form of ``cli.sources.setting_options``."""

INTERRUPTED = 130
"""Exit code after Ctrl-C."""

NOBODY_READS = 141
"""Exit code when the reader of the answer went away, as a shell has it for SIGPIPE."""


def option(name: str, *shorts: str, **settings: Any) -> click.Option:
    """Return an option that may be written with ``_`` and with ``-``.

    Examples
    --------
    >>> option("company_id").opts
    ['--company_id', '--company-id']
    """
    other = name.replace("_", "-") if "_" in name else name.replace("-", "_")
    spellings = [f"--{name}"] if other == name else [f"--{name}", f"--{other}"]
    return click.Option([*shorts, *spellings, name.replace("-", "_")], **settings)


def flag(name: str, *shorts: str, **settings: Any) -> click.Option:
    """Return an option without a value."""
    return option(name, *shorts, is_flag=True, **settings)


def boolean(name: str, text: str) -> click.Option:
    """Return an option for yes or no; without a value it means yes."""
    return option(name, type=click.BOOL, is_flag=False, flag_value=True, default=None, metavar="true|false", help=text)


def one_id(thing: str) -> tuple[click.Parameter, click.Parameter]:
    """Return what names one thing by its id: the option ``--id``, or the first word."""
    return (
        click.Argument(["number"], type=ID, required=False, metavar="[ID]"),
        option("id", type=ID, help=f"Id of the {thing}."),
    )


def chosen_id(options: Options) -> int | None:
    """Return the id that was given as option or as word.

    Raises
    ------
    click.UsageError
        Both were given, and they differ.
    """
    if options.id is not None and options.number is not None and options.id != options.number:
        raise click.UsageError(f"Two ids were given, {options.number} and {options.id}. Give one.")
    return options.id if options.id is not None else options.number


def required_id(options: Options, thing: str) -> int:
    """Return the id that was given.

    Raises
    ------
    click.UsageError
        None was given.
    """
    number = chosen_id(options)
    if number is None:
        raise click.UsageError(f"Which {thing}? Give its id: --id 7.")
    return number


FIELDS_OPTION = option("fields", type=FIELDS, help="Only these fields, with commas.")
PAGING = (
    option("limit", type=Count(1), metavar="N", help="At most so many."),
    option("offset", type=Count(0), metavar="N", default=0, help="Leave out the first so many."),
    option("order", type=ORDER, metavar="A|D", help="A: ascending by id, D: descending."),
)
KEY_OPTION = option(
    "idempotency-key", metavar="KEY", help="Repeating a command with the same key does it once and answers the same."
)


def use_environment(
    _context: click.Context, _parameter: click.Parameter, given: Sequence[Path | tuple[str, str]]
) -> tuple[tuple[str, str], ...]:
    """Take on the environment that files hold before anything else looks at it; return the settings of a job."""
    for path in given:
        if isinstance(path, Path):
            read_environment(path)
    return tuple(pair for pair in given if isinstance(pair, tuple))


def common(*, pairs: bool = False, taken: Collection[str] = ()) -> list[click.Parameter]:
    """Return the options that every command has.

    Parameters
    ----------
    pairs : bool
        Whether the command takes settings of a job.
    taken : Collection[str]
        Letters that the command has for options of its own: where ``-f`` is one, the form of the answer is ``-F``.
    """
    formats = click.Choice(("text", "json"), case_sensitive=False)
    also = " Or KEY=VALUE, the same as --env." if pairs else ""
    return [
        option(
            "format",
            *(short for short in ("-f", "-F") if short not in taken),
            type=formats,
            default="text",
            help="Form of the answer: text (default) or json.",
        ),
        option("verbose", "-v", count=True, help="Say more; create and update answer the whole record."),
        flag("no-ansi", help="No colours."),
        flag("no-interaction", "-n", hidden=True),
        click.Option(["--as", "acting_as"], metavar="LOGIN", help="Act as this user, with what the user may do."),
        option(
            "environment",
            *(() if "-e" in taken else ("-e",)),
            type=SettingsFile(pairs=pairs),
            multiple=True,
            is_eager=True,
            callback=use_environment,
            help=f"Read settings from this file of KEY=VALUE lines.{also}",
        ),
    ]


def leave_pipe() -> None:
    """Give standard output another end, so that nothing is said at exit about the one that is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def command(*parameters: click.Parameter) -> Callable[[Action], click.Command]:
    """Make a command of a function; its docstring is the help.

    One with an option ``env`` takes the settings of a job by ``-e``, too. What ``--env-from`` or ``--config-from`` read
    comes to what ``--env`` or ``--config`` give.
    """
    pairs = any(parameter.name == "env" for parameter in parameters)
    taken = {word for parameter in parameters for word in parameter.opts}

    def build(action: Action) -> click.Command:
        def callback(**values: Any) -> int:
            output = Output(
                json=values.pop("format") == "json",
                verbose=values.pop("verbose"),
                colour=not values.pop("no_ansi"),
                fields=values.pop("fields", None),
            )
            values.pop("no_interaction")
            more = values.pop("environment")
            login, token = values.pop("acting_as"), os.environ.get(whom.TOKEN_VARIABLE)
            if pairs:
                values["env"] = (*values["env"], *more)
            for name in SETTINGS:
                if f"{name}_from" in values:
                    values[name] = (*values[name], *values.pop(f"{name}_from"))
            whom.ACTOR.set(None)
            whom.COMPANIES.set("*")
            whom.HIDDEN.set(None)
            try:
                if login or token:
                    name = click.get_current_context().command.name
                    import_module("cli.identity").admit(name, login, token, values)
                answer = action(output, Options(**values))
                code = asyncio.run(answer) if inspect.iscoroutine(answer) else answer
            except KeyboardInterrupt:
                return INTERRUPTED
            except BrokenPipeError:
                leave_pipe()
                return NOBODY_READS
            finally:
                if whom.HIDDEN.get() is not None:
                    import_module("cli.identity").put_down_hidden(sys.exception())
            return code if isinstance(code, int) else 0

        return click.Command(
            None,
            callback=callback,
            params=[*parameters, *common(pairs=pairs, taken=taken)],
            help=inspect.getdoc(action),
            context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
        )

    return build
