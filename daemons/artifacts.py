"""The files that a job leaves: found in its working folder, typed, stored, listed.

The value of ``RESULT_FILE`` names one, the patterns of the definition's ``artifacts`` find the others. Nothing outside
the folder can be reached: paths are opened component by component, without following symbolic links (open(2),
O_NOFOLLOW).
"""

from __future__ import annotations

import asyncio
import fnmatch
import mimetypes
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import structlog

from commands.job_environment import Plan
from domain.job_events import Artifact
from eventstore.artifacts import LARGEST, store_artifact
from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import DatabaseUnavailableError
from eventstore.store import EventStore

MOST_FILES = 100
"""Most files of a job that are kept; the others are counted."""

MOST_SEEN = 10_000
"""Most files of a folder that are looked at."""

DEEPEST = 16
RETRY_AFTER = 0.5
SNIFFED = 4096
"""Bytes that the kind of a file without a telling name is judged by."""

BINARY = "application/octet-stream"
BEGINNINGS = (
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)
"""First bytes of common formats, by the registrations of their media types (RFC 8118, RFC 6713 and others)."""

KNOWN_NAMES = mimetypes.MimeTypes()
for _type, _ending in (
    ("application/json", ".json"),
    ("text/csv", ".csv"),
    ("application/xml", ".xml"),
    ("text/plain", ".log"),
    ("text/markdown", ".md"),
    ("application/yaml", ".yaml"),
    ("application/yaml", ".yml"),
    ("application/x-isdoc", ".isdoc"),
):
    KNOWN_NAMES.add_type(_type, _ending)

log = structlog.get_logger(__name__)


class Collected(msgspec.Struct, frozen=True):
    """The artifacts of a job, and how many files that belong to them were left out."""

    artifacts: list[Artifact] = []
    left_out: int = 0


NO_FILES = Collected()


async def collect(
    store: EventStore, job: Mapping[str, Any], planned: Plan, folder: Path, given_up: Callable[[], bool]
) -> Collected:
    """Store the files that a job left, and list them; waits for a database that is away.

    Parameters
    ----------
    job : Mapping[str, Any]
        ``job_id`` and ``company_id``.
    planned : Plan
        What was started: its environment and definition.
    folder : Path
        Working directory of the job.
    given_up : Callable
        Whether the job is another's by now.
    """
    result = planned.environment.get("RESULT_FILE", "")
    patterns = patterns_of(planned.definition.document, planned.environment)
    if not result and not patterns:
        return Collected()
    names = await asyncio.to_thread(find, folder, result, patterns)
    artifacts: list[Artifact] = []
    left_out = max(0, len(names) - MOST_FILES)
    for name in names[:MOST_FILES]:
        data = await asyncio.to_thread(read_beneath, folder, name, largest())
        if data is None:
            left_out += 1
            continue
        digest = await store_patiently(store, job, data, given_up)
        if digest is None:
            return Collected()
        artifacts.append(
            Artifact(name=in_text(name), content_type=content_type(name, data), size=len(data), digest=digest)
        )
    if left_out:
        log.warning("files were left out", job=job["job_id"], files=left_out, most=MOST_FILES, largest=largest())
    return Collected(artifacts, left_out)


async def store_patiently(
    store: EventStore, job: Mapping[str, Any], data: bytes, given_up: Callable[[], bool]
) -> str | None:
    """Store a content as soon as the database is there; None if the job was given up meanwhile."""
    while not given_up():
        try:
            return await store_artifact(store, job["company_id"], job["job_id"], data)
        except (DatabaseUnavailableError, *DATABASE_ERRORS) as error:
            log.warning("the database is away; artifacts wait", error=str(error))
            await asyncio.sleep(RETRY_AFTER)
    return None


def largest() -> int:
    """Return the most bytes of an artifact: ``MULTIFLEXI_ARTIFACT_LIMIT``, or 64 MiB."""
    return min(LARGEST, int(os.environ.get("MULTIFLEXI_ARTIFACT_LIMIT") or 64 * 1024 * 1024))


def patterns_of(document: Mapping[str, Any], environment: Mapping[str, str]) -> list[re.Pattern[str]]:
    """Return what the paths of artifacts match; ``${NAME}`` stands for that variable's value, literally.

    A pattern that is no regular expression is read as the shell's.
    """
    found: list[re.Pattern[str]] = []
    for entry in document.get("artifacts") or ():
        path = entry.get("path") if isinstance(entry, Mapping) else entry
        if not isinstance(path, str) or not path:
            continue
        filled = re.sub(r"\$\{(\w+)\}", lambda match: re.escape(environment.get(match.group(1), "")), path)
        if not filled:
            continue
        try:
            found.append(re.compile(filled))
        except re.error:
            found.append(re.compile(fnmatch.translate(filled)))
    return found


def find(folder: Path, result: str, patterns: list[re.Pattern[str]]) -> list[str]:
    """Return the paths, relative to the folder, of the files that are artifacts: the result file, then by name."""
    first = relative(folder, result) if result else None
    names = [first] if first is not None and is_file(folder, first) else []
    if patterns:
        names += sorted(
            name for name in walk(folder) if name != first and any(pattern.search(name) for pattern in patterns)
        )
    return names


def relative(folder: Path, name: str) -> str | None:
    """Return the path of a result file relative to the folder; None if it lies outside.

    Examples
    --------
    >>> relative(Path("/srv/job"), "out/a.json"), relative(Path("/srv/job"), "/srv/job/b.json")
    ('out/a.json', 'b.json')
    >>> relative(Path("/srv/job"), "../other/a.json") is None
    True
    """
    whole = os.path.normpath(os.path.join(folder, name))  # noqa: PTH118 - without following links
    inside = os.path.relpath(whole, folder)
    return None if inside.startswith("..") or inside == "." else inside


def in_text(name: str) -> str:
    r"""Return a file's name as text; bytes of it that are no UTF-8 are written out.

    Examples
    --------
    >>> in_text(os.fsdecode(b"caf\xc3\xa9-\xe9.csv"))
    'café-\\xe9.csv'
    """
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def walk(folder: Path) -> Iterator[str]:
    """Yield the paths of the regular files below a folder, relative to it; links are not followed."""
    seen = 0
    open_ = [PurePosixPath()]
    while open_:
        below = open_.pop()
        with suppress(OSError), os.scandir(folder / below) as entries:
            for entry in entries:
                seen += 1
                if seen > MOST_SEEN:
                    return
                if entry.is_dir(follow_symlinks=False):
                    if len(below.parts) < DEEPEST:
                        open_.append(below / entry.name)
                elif entry.is_file(follow_symlinks=False):
                    yield str(below / entry.name)


def is_file(folder: Path, name: str) -> bool:
    """Return whether a path is a regular file in the folder."""
    descriptor = open_beneath(folder, name)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def open_beneath(folder: Path, name: str) -> int | None:
    """Open a regular file below a folder for reading; None if it is none, or a link is on the way to it."""
    *folders, last = PurePosixPath(name).parts
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        at = os.open(folder, flags | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        for part in folders:
            below = os.open(part, flags | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = below
        descriptor = os.open(last, flags, dir_fd=at)
    except OSError:
        return None
    finally:
        os.close(at)
    info = os.fstat(descriptor)
    # A further link to a file may lead to one that the job itself may not read.
    if stat.S_ISREG(info.st_mode) and info.st_nlink == 1:
        return descriptor
    os.close(descriptor)
    return None


def read_beneath(folder: Path, name: str, most: int) -> bytes | None:
    """Return the bytes of a file below a folder; None if it cannot be had or is larger than ``most`` bytes."""
    descriptor = open_beneath(folder, name)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(most + 1)
    return data if len(data) <= most else None


def content_type(name: str, data: bytes) -> str:
    r"""Return the media type of a file, by its name, else by how it begins.

    Examples
    --------
    >>> content_type("report.json", b"{}"), content_type("report", b'{"a": 1}'), content_type("x", b"\x00\x01")
    ('application/json', 'application/json', 'application/octet-stream')
    """
    known, encoding = KNOWN_NAMES.guess_type(name)
    if encoding is not None:
        return {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}.get(
            encoding, BINARY
        )
    if known is not None:
        return known
    for beginning, kind in BEGINNINGS:
        if data.startswith(beginning):
            return kind
    return text_type(data[:SNIFFED])


def text_type(head: bytes) -> str:
    """Return the media type of bytes that may be text."""
    try:
        # The last character may have been cut.
        text = head.decode("utf-8") if len(head) < SNIFFED else head[: -3 or None].decode("utf-8", errors="ignore")
    except UnicodeDecodeError:
        return BINARY
    if "\0" in text:
        return BINARY
    begins = text.lstrip()[:64].lower()
    if begins.startswith(("{", "[")):
        return "application/json"
    if begins.startswith("<?xml"):
        return "application/xml"
    return "text/html" if begins.startswith(("<!doctype html", "<html")) else "text/plain"
