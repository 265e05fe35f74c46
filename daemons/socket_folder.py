"""The folder of the embedded PostgreSQL's socket: short, its own, and nobody else's."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

from daemons.postgres_binaries import PostgresError, ServerUser

_PATH_LIMIT = 107
_SOCKET = ".s.PGSQL.5432"


def of(folder: Path) -> Path:
    """Return the socket folder of a data folder: always the same one, whatever the length of its path.

    The path of a Unix socket ends at 107 bytes (``unix(7)``), so it cannot lie in the data folder itself.

    Raises
    ------
    PostgresError
        There is no place for one.
    """
    us = os.geteuid()
    name = f"multiflexi-{us}-{hashlib.sha256(f'{us} {folder}'.encode()).hexdigest()[:12]}"
    runtime = os.environ.get("XDG_RUNTIME_DIR", "") if us else ""  # root's may be another user's, through sudo
    for parent in filter(None, (runtime, tempfile.gettempdir(), "/tmp")):  # noqa: S108 - see `make`
        path = Path(parent, name)
        if path.parent.is_dir() and len(os.fsencode(path / _SOCKET)) <= _PATH_LIMIT:
            return path
    raise PostgresError("There is no folder for the socket of PostgreSQL: /tmp is missing.")


def make(path: Path, user: ServerUser) -> None:
    """Make a socket folder that only its user, and root, may enter.

    Parameters
    ----------
    path : Path
        The folder.
    user : ServerUser
        Who PostgreSQL runs as.

    Raises
    ------
    PostgresError
        Somebody else has made it before us.
    """
    with contextlib.suppress(FileExistsError):  # from a run before, or somebody else's: looked at next
        path.mkdir(mode=0o700)
    status = path.lstat()
    if path.is_symlink() or not path.is_dir() or status.st_uid not in {user.uid, os.geteuid()}:
        raise PostgresError(
            f"{path} belongs to somebody else, so the socket of PostgreSQL would not be safe there. "
            "Remove it, or set TMPDIR to a folder of your own."
        )
    path.chmod(0o700)
    user.own(path)


def remove(path: Path) -> None:
    """Remove a socket folder; one in which a killed server left its socket stays for the next start."""
    with contextlib.suppress(OSError):
        path.rmdir()
