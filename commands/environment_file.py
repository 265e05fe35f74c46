"""The system file: values that every job of this host gets, unless a later layer has its own.

The file is the one that systemd reads for the daemons (systemd.exec(5), EnvironmentFile=), so it also holds what only
they may know: the database's login, the master key. Those names never reach a job.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import structlog

DEFAULT_PATH = "/etc/multiflexi/multiflexi.env"

OWN = re.compile(r"(DB|DATABASE|PG|ENCRYPTION|MULTIFLEXI)_|PG[A-Z]+$|(LD_|PYTHON)")
"""Names that configure MultiFlexi itself, or the programs that a job consists of."""

SECRET = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|APIKEY|(^|_)KEY($|_)|PRIVATE|CREDENTIAL", re.IGNORECASE)
"""Names whose values must not be shown; the file has no types."""

NO_VALUES: dict[str, str] = {}

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$", re.DOTALL)

log = structlog.get_logger(__name__)


class SystemFile:
    """The values of the system file, read anew when it has changed.

    Parameters
    ----------
    path : str or None
        Where it is: ``MULTIFLEXI_ENV_FILE``, or ``/etc/multiflexi/multiflexi.env``, unless told.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = Path(path or os.environ.get("MULTIFLEXI_ENV_FILE") or DEFAULT_PATH)
        self._path = str(self.path)
        self._seen: tuple[int, int] | None = None
        self._values: dict[str, str] = NO_VALUES

    def values(self) -> dict[str, str]:
        """Return the values meant for jobs, the same object until they change; none if there is no such file."""
        try:
            stat = os.stat(self._path)  # noqa: PTH116 - on the path of every job
            seen = (stat.st_mtime_ns, stat.st_size)
            if seen != self._seen:
                self._values = {
                    name: value for name, value in parse(self.path.read_text()).items() if not OWN.match(name)
                }
                self._seen = seen
        except FileNotFoundError:
            self._values, self._seen = NO_VALUES, None
        except (OSError, UnicodeDecodeError) as error:
            log.warning("the system file cannot be read; jobs go without it", path=str(self.path), error=str(error))
            self._values, self._seen = NO_VALUES, None
        return self._values


def parse(text: str) -> dict[str, str]:
    r"""Read the lines ``NAME=value`` of an environment file.

    Examples
    --------
    >>> parse("# a comment\nA=1\nexport B='x y'\nC=\"say \\\"hi\\\"\"\n; another\nno assignment\n")
    {'A': '1', 'B': 'x y', 'C': 'say "hi"'}
    """
    values: dict[str, str] = {}
    for line in text.splitlines():
        if line.lstrip()[:1] in ("#", ";") or (match := _LINE.match(line)) is None:
            continue
        values[match.group(1)] = unquote(match.group(2))
    return values


def unquote(value: str) -> str:
    """Return a value without the quotes around it; in double quotes a backslash escapes."""
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value
