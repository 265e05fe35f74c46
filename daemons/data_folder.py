"""The data folder: what lies in it, who may read it, and who has it.

======================  ================================================================================
``connection.json``     where the database is, for every process of this installation (mode 0600)
``master.key``          the key that opens all other keys; made once, never written again (mode 0600)
``postgres/``           the cluster of the embedded PostgreSQL
``log/``                one log a part
``*.lock``              held by the process that runs this folder
======================  ================================================================================
"""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import msgspec


class DataFolderError(Exception):
    """The data folder cannot be used; the message says what to do."""


class DataFolderInUseError(DataFolderError):
    """Another process has the folder.

    Attributes
    ----------
    holder : str
        What the other process wrote into its lock.
    """

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(
            f"Another process runs MultiFlexi in {folder}. Stop it first, or set MULTIFLEXI_DATA to another folder."
        )
        self.holder = holder


def prepare(folder: Path) -> None:
    """Make a data folder where it is missing.

    As root, others may pass through it (PostgreSQL runs as another user), but not list it.

    Raises
    ------
    DataFolderError
        It cannot be made, or is not ours to write in.
    """
    try:
        if not folder.exists():
            folder.mkdir(parents=True, mode=0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise DataFolderError(
            f"The data folder {folder} cannot be made ({error.strerror}). "
            "Set MULTIFLEXI_DATA to a folder that you may write."
        ) from None
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise DataFolderError(
            f"The data folder {folder} is not a folder that you may write. Run MultiFlexi as the user it belongs to, "
            "or set MULTIFLEXI_DATA to another folder."
        )


class Lock:
    """A lock on a data folder, held until it is released or the process ends, however it ends.

    Parameters
    ----------
    folder : Path
        Data folder.
    name : str
        What is locked; the file is ``NAME.lock``.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._path = folder / f"{name}.lock"
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """Take the lock.

        Returns
        -------
        bool
            True if this call took it, False if it was ours already.

        Raises
        ------
        DataFolderInUseError
            Another process holds it.
        """
        if self._file is not None:
            return False
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise DataFolderInUseError(self._folder, holder) from None
        file.truncate(0)
        self._file = file
        return True

    def tell(self, text: str) -> None:
        """Write who we are into the lock, for those who find it taken."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.write(text)
            self._file.flush()

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None


def write_connection(folder: Path, database_url: str, owner_url: str, daemon_urls: Mapping[str, str]) -> None:
    """Write ``connection.json``, from which processes without ``DATABASE_URL`` learn where the database is.

    Parameters
    ----------
    folder : Path
        Data folder.
    database_url, owner_url : str
        URLs of the logins of the application and of the owner.
    daemon_urls : Mapping[str, str]
        Of each kind of daemon the URL of its login.
    """
    urls = {"database_url": database_url, "owner_url": owner_url}
    urls |= {f"{kind}_url": url for kind, url in daemon_urls.items()}
    _write(folder / "connection.json", msgspec.json.encode(urls))


def write_master_key(folder: Path) -> None:
    """Make ``master.key`` (32 random bytes, base64) if there is none; an existing one is never touched."""
    _write(folder / "master.key", base64.b64encode(secrets.token_bytes(32)) + b"\n", replace=False)


def sync(folder: Path) -> None:
    """Make sure that new names in a folder outlive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file that only we may read, all of it or nothing."""
    if not replace and path.exists():
        return
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)
    except FileExistsError:
        return
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)
