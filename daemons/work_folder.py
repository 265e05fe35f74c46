"""The working folders of jobs: one for each, clean, its own, gone when the job is over.

``MULTIFLEXI_WORK_FOLDER`` says where they are; on a file system in memory (tmpfs) making one costs least.
"""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import structlog

from daemons.folder_removal import remove_tree

FULL = {errno.ENOSPC, errno.EDQUOT}

log = structlog.get_logger(__name__)


def default_place() -> Path:
    """Return ``MULTIFLEXI_WORK_FOLDER``, or ``multiflexi-jobs-UID`` among the temporary files."""
    chosen = os.environ.get("MULTIFLEXI_WORK_FOLDER")
    return Path(chosen).absolute() if chosen else Path(tempfile.gettempdir()) / f"multiflexi-jobs-{os.geteuid()}"


class WorkFolders:
    """Makes and removes the folders of jobs.

    Parameters
    ----------
    place : Path or None
        Where they are; :func:`default_place` unless told.
    """

    def __init__(self, place: Path | None = None) -> None:
        self.place = place or default_place()

    def path(self, job_id: int, token: str) -> str:
        """Return the folder of a job, by its mark."""
        return f"{self.place}/job-{job_id}-{token[:12]}"

    def make(self, job_id: int, token: str) -> str:
        """Make the folder of a job.

        Raises
        ------
        OSError
            It cannot be made.
        """
        # On the path of every job: os.mkdir takes a fifth of the time of Path.mkdir.
        path = self.path(job_id, token)
        try:
            os.mkdir(path, 0o700)  # noqa: PTH102
        except FileNotFoundError:
            # Others may pass through the place, not look around in it: a job may run as another user.
            self.place.mkdir(0o711, parents=True, exist_ok=True)
            os.mkdir(path, 0o700)  # noqa: PTH102
        return path

    async def remove(self, path: str) -> None:
        """Remove a folder with all that is in it."""
        try:
            os.rmdir(path)  # noqa: PTH106
        except FileNotFoundError:
            return
        except OSError:
            if not await asyncio.to_thread(remove_tree, path):
                log.warning("the folder of a job could not be removed", folder=path)

    def is_full(self) -> bool:
        """Return whether nothing more can be written where the folders are."""
        with suppress(OSError):
            stat = os.statvfs(self.place)
            return stat.f_bavail == 0 or (stat.f_files > 0 and stat.f_favail == 0)
        return False


def refusal(error: OSError, place: Path) -> str:
    """Return why a folder could not be made, and what to do."""
    hint = "Free some space" if error.errno in FULL else "Let the executor write there"
    return (
        f"The job's working folder cannot be made in {place}: {error.strerror}. {hint}, or set MULTIFLEXI_WORK_FOLDER."
    )
