"""Files of settings, ``KEY=VALUE`` lines, as systemd and Docker read them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


def read_environment(path: Path) -> None:
    """Set the variables that a file names, over those that the process was given.

    Raises
    ------
    click.UsageError
        The file cannot be read, or a line is no setting.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}.") from None
    os.environ.update(parse(text, str(path)))


def parse(text: str, source: str) -> dict[str, str]:
    r"""Return the settings in a text.

    Examples
    --------
    >>> parse('# database\nDATABASE_URL="postgresql:///multiflexi"\n', "multiflexi.env")
    {'DATABASE_URL': 'postgresql:///multiflexi'}
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise click.UsageError(f"{source}, line {number}: expected KEY=VALUE.")
        key, value = match.groups()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[key] = value
    return found
