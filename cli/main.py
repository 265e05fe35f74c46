"""The entry point; it imports the commands only when one is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from cli import own_line
from cli.version import program_version


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Parameters
    ----------
    words : Sequence[str] or None
        The command line without the program; that of the process unless told.
    """
    if words is None:
        own_line.hide()
    arguments = list(sys.argv[1:] if words is None else words)
    if arguments in (["--version"], ["-V"]):
        print(f"multiflexi-cli {program_version()}")
        return 0
    code: int = import_module("cli.program").run(arguments)
    return code


if __name__ == "__main__":
    sys.exit(main())
