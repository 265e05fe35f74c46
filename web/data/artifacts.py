"""The files that a job left: what they are, whether they are still there, how they may be shown and sent."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import quote

import msgspec

from domain.job_events import JobFinished
from web.database import Connection
from web.queries import query

MIB = 2**20
LONGEST_TEXT = 4 * MIB
"""Bytes up to which a text is read to be shown."""

SHOWN_TEXT = 256 * 1024
"""Characters of a text that are shown."""

LARGEST_IMAGE = 8 * MIB

IMAGES = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}
"""Images that browsers show and that hold no script, with the bytes that each begins with."""

TEXTS = frozenset({"application/json", "application/xml", "application/yaml", "application/x-yaml", "image/svg+xml"})
SENT_AS_THEY_ARE = frozenset(
    {"application/json", "application/pdf", "application/zip", "application/gzip", "text/csv", "text/plain", *IMAGES}
)
"""Types that are named as they are when a file is sent; any other, as HTML, is sent as bytes."""

UNKNOWN = "application/octet-stream"
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"\\/:*?<>|]+')


class ArtifactShown(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a job.

    Attributes
    ----------
    number : int
        1-based place among the files of the job.
    content_type : str
        As its name told when it was kept; not to be trusted.
    digest : str
        SHA-256 of its content.
    removed : bool
        Whether the time for which the company keeps files is over.
    """

    number: int
    name: str
    content_type: str
    size: int
    digest: str
    removed: bool

    @property
    def bare_type(self) -> str:
        """Its type without parameters."""
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def kind(self) -> str:
        """``image``, ``text`` or ``file``: how it can be shown, whatever its size."""
        if self.bare_type in IMAGES:
            return "image"
        return "text" if self.bare_type.startswith("text/") or self.bare_type in TEXTS or self.structured else "file"

    @property
    def structured(self) -> bool:
        """Whether its type is built on JSON, XML or YAML (RFC 6839)."""
        return self.bare_type.endswith(("+json", "+xml", "+yaml"))

    @property
    def is_json(self) -> bool:
        """Whether it is shown as JSON."""
        return self.bare_type == "application/json" or self.bare_type.endswith("+json")

    @property
    def shows(self) -> bool:
        """Whether there is something to look at on its page."""
        largest = {"image": LARGEST_IMAGE, "text": LONGEST_TEXT}.get(self.kind, -1)
        return not self.removed and self.size <= largest

    @property
    def sent_type(self) -> str:
        """Type under which it is sent."""
        return self.bare_type if self.bare_type in SENT_AS_THEY_ARE else UNKNOWN


async def files_of(connection: Connection, end: JobFinished, *, removed: bool = False) -> list[ArtifactShown]:
    """Return the files that a job left, in their order, and which of them are still there.

    When retention has given them up (``removed``), none is, though other jobs may have left the same content.
    """
    digests = [each.digest for each in end.artifacts]
    kept = {record["digest"] for record in await connection.fetch(query("artifact.readable"), end.company_id, digests)}
    return [
        ArtifactShown(
            number=number,
            name=each.name,
            content_type=each.content_type,
            size=each.size,
            digest=each.digest,
            removed=removed or each.digest not in kept,
        )
        for number, each in enumerate(end.artifacts, 1)
    ]


def is_image(artifact: ArtifactShown, data: bytes) -> bool:
    """Tell whether a content begins as its type of image does."""
    return data.startswith(IMAGES.get(artifact.bare_type, ()))


def shown_text(artifact: ArtifactShown, data: bytes) -> tuple[str, bool]:
    """Return the text that is shown of a content, and whether it is not all of it.

    JSON is laid out over lines; what is no UTF-8 is replaced.
    """
    if artifact.is_json:
        try:
            data = msgspec.json.format(data, indent=2)
        except msgspec.DecodeError:
            pass  # shown as it is
    text = data.decode("utf-8", errors="replace").removeprefix("\N{BYTE ORDER MARK}")
    return text[:SHOWN_TEXT], len(text) > SHOWN_TEXT


def disposition(name: str) -> str:
    """Return the header that has a file saved under its name (RFC 6266, RFC 8187).

    Examples
    --------
    >>> disposition("out/výpis.csv")
    'attachment; filename="v_pis.csv"; filename*=UTF-8\\'\\'v%C3%BDpis.csv'
    """
    clean = _UNSAFE.sub("_", PurePosixPath(name).name).strip(". ") or "file"
    plain = "".join(letter if letter.isascii() else "_" for letter in clean)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"
