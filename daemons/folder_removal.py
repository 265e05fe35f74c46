"""Remove a folder that programs of others have filled, whatever they have made of it.

No recursion and no more than three descriptors, however deep it is; no path longer than a name, and none that leads
through a link. What takes rights away (modes of folders) is put right on the way, as far as the user may.
"""

from __future__ import annotations

import os
from contextlib import suppress
from stat import S_IRWXU

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_Place = tuple[int, int]  # device and inode, which say what a descriptor is of


def remove_tree(path: str) -> bool:
    """Remove a folder with all that is in it, or the file or link that has taken its place.

    Returns
    -------
    bool
        Whether it is gone.
    """
    try:
        os.unlink(path)  # noqa: PTH108 - by the same calls as what is in it
    except FileNotFoundError:
        return True
    except OSError:
        _empty(path)
        with suppress(OSError):
            os.rmdir(path)  # noqa: PTH106
    return not os.path.lexists(path)


def _empty(path: str) -> None:
    """Remove what is in a folder, from the depth up, until nothing is left or something cannot be removed."""
    names: list[str] = []
    places: list[_Place] = []
    at = _open(path, None)
    while at is not None:
        below = _clear(at)
        if below is not None:
            places.append(_place(at))
            names.append(below)
            at = _step(at, _open(below, at))
        elif names:
            at = _step(at, _open("..", at))
            # Somebody may have moved it: what is above it then is none of ours.
            if at is None or _place(at) != places.pop() or not _rmdir(names.pop(), at):
                break
        else:
            break
    if at is not None:
        os.close(at)


def _step(before: int, to: int | None) -> int | None:
    os.close(before)
    return to


def _clear(at: int) -> str | None:
    """Remove the files and the empty folders in a folder, up to the first folder that holds something; return that."""
    removed = True
    while removed:  # what is removed while it is listed may hide others
        removed = False
        with os.scandir(at) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not _rmdir(entry.name, at):
                        return entry.name
                    removed = True
                else:
                    with suppress(OSError):
                        os.unlink(entry.name, dir_fd=at)
                        removed = True
    return None


def _open(name: str, at: int | None) -> int | None:
    """Open a folder, with all rights that its owner can have; None if it cannot be had."""
    try:
        handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    except OSError:
        return None
    try:
        if os.fstat(handle).st_mode & S_IRWXU != S_IRWXU:
            with suppress(OSError):
                os.chmod(f"/proc/self/fd/{handle}", S_IRWXU)  # noqa: PTH101 - of what is open, not of what has its name
        return os.open(name, FOLDER, dir_fd=at)
    except OSError:
        return None
    finally:
        os.close(handle)


def _rmdir(name: str, at: int) -> bool:
    try:
        os.rmdir(name, dir_fd=at)
    except OSError:
        return False
    return True


def _place(at: int) -> _Place:
    found = os.fstat(at)
    return found.st_dev, found.st_ino
