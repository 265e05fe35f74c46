"""Files of settings, ``KEY=VALUE`` lines, as systemd and Docker read them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

_PAIR = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*")


class SettingsFile(click.ParamType):
    """A file of settings.

    Parameters
    ----------
    pairs : bool
        Whether ``KEY=VALUE``, a setting of a job, may stand in its place.
    """

    name = "file"

    def __init__(self, *, pairs: bool) -> None:
        self.pairs = pairs
        self._file = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Path | tuple[str, str]:
        """Return the path of the file, or key and value."""
        if isinstance(value, tuple):
            return value
        if self.pairs and isinstance(value, str) and _PAIR.fullmatch(value):
            key, _, rest = value.partition("=")
            return key, rest
        return Path(self._file.convert(value, param, ctx))  # type: ignore[arg-type]


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
