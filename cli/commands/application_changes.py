"""Application definitions checked, and applications removed."""

from __future__ import annotations

import sys
from pathlib import Path

import schema
from cli.acting import acting
from cli.checked import answer_checked
from cli.command import KEY_OPTION, Options, command, flag, one_id, option, required_id
from cli.failure import MissingError
from cli.output import Output
from commands.applications import file_text
from domain import definition
from domain.application import RemoveApplication

CASCADE = flag("cascade", help="Its run templates go with it.")
FILE_OPTION = option("file", required=True, metavar="PATH", help="JSON file with the definition; - is standard input.")
SCHEMA = Path(schema.__file__).resolve().parent / "json" / "application.json"


@command(FILE_OPTION)
def validate_json(output: Output, options: Options) -> int:
    """Check an application definition.

    Nothing is imported. Exits with 0 if it can be imported and with 1 if not; every place that is wrong is named.
    """
    source = content(options.file)
    return answer_checked(output, options.file, source, SCHEMA, definition.read, "definition")


@command(*one_id("application"), CASCADE, KEY_OPTION)
async def delete_application(output: Output, options: Options) -> None:
    """Take an application out of the catalogue.

    It is refused while run templates use it, unless they are to go with it; what happened stays in the history.
    """
    number = required_id(options, "application")
    async with acting() as act:
        await act.execute(RemoveApplication(application_id=number, cascade=options.cascade), options.idempotency_key)
    output.answer({"deleted": True, "application_id": number}, f"Application {number} was removed.")


@command(FILE_OPTION, CASCADE, KEY_OPTION)
async def remove_json(output: Output, options: Options) -> None:
    """Take the application of a definition out of the catalogue.

    It is known by its UUID.
    """
    found = definition.read(content(options.file))
    async with acting() as act:
        application = await act.reader.row("application.find", None, found.uuid, None)
        if application is None:
            raise MissingError(f"There is no application {found.uuid} ({found.name}); nothing was removed.")
        number: int = application["id"]
        await act.execute(RemoveApplication(application_id=number, cascade=options.cascade), options.idempotency_key)
    output.answer({"removed": number}, f"Application {number} ({found.name}) was removed.")


def content(path: str) -> bytes:
    """Return the bytes of a file, or of standard input.

    Raises
    ------
    ValidationError
        It cannot be read, or is larger than any definition.
    """
    if path == "-":
        return sys.stdin.buffer.read(definition.LARGEST + 1)
    return file_text(path)
