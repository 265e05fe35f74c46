"""Run a command line: arrange the words, run the command, tell what went wrong."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from cli import failure
from cli.arguments import arrange, wants_json
from cli.command import INTERRUPTED, PROGRAM
from cli.group import Program
from cli.output import Output

program = Program(
    PROGRAM,
    help="Schedule and run jobs of applications for companies, and look at what happened.",
    epilog="`multiflexi-cli COMMAND --help` tells the options of a command.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="COMMAND [OPTIONS]",
)


def run(arguments: Sequence[str]) -> int:
    """Run a command line, given without the program, and return its exit code."""
    try:
        answer = program.main(arrange(arguments) or ["--help"], PROGRAM, standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 (whatever it is, the user is told in words)
        return tell(error, as_json=wants_json(arrange(arguments)))
    return answer if isinstance(answer, int) else 0


def tell(error: Exception, *, as_json: bool) -> int:
    """Tell an error to the user and return the exit code."""
    told = failure.of(error)
    if told is None:
        if os.environ.get("MULTIFLEXI_TRACEBACK"):
            raise error
        told = failure.Failure(
            f"{type(error).__name__}: {error}. This is a fault of the program: please report it. With "
            "MULTIFLEXI_TRACEBACK=1 in the environment it tells where."
        )
    if as_json:
        field = {"field": told.field} if told.field else {}
        Output(json=True).document({"status": told.status, "message": told.message, **field, **told.more})
        return told.code
    context = getattr(error, "ctx", None)
    click.echo(f"Error: {told.message}", err=True)
    if told.code == 2 and isinstance(context, click.Context):
        click.echo(f"`{context.command_path} --help` tells what it takes.", err=True)
    return told.code
