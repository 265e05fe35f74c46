"""The file of an archived month: all events as stored, and the signed head that vouches for them.

JSON lines, compressed as one Zstandard frame with a checksum (RFC 8878). The first line is the manifest; each further
line is an event as an array: epoch, xid, position, stream, version, type, company, microseconds since 1970, data and
meta (JSON text exactly as stored), payload, hash, and the hash of the event before it in its stream (bytes as base64).
With ``zstd -dc FILE`` it can be read without any of our programs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal

import msgspec
import zstandard

from eventstore.audit_errors import ArchiveError, ProofError
from eventstore.chain import chained, event_digest
from eventstore.head import Head
from eventstore.leaves import Leaf
from eventstore.log import Cursor
from eventstore.merkle import CompactRange, leaf_hash

LEVEL = 6
"""Zstandard's level of compression."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

encoder = msgspec.json.Encoder()


class Row(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An event as stored, with its time as microseconds and the hash of the event before it in its stream."""

    epoch: int
    xid: int
    position: int
    stream: str
    version: int
    type: str
    company_id: int | None
    micros: int
    data: str
    meta: str
    payload: bytes | None
    hash: bytes
    previous: bytes

    def leaf(self) -> Leaf:
        """Return its leaf in the Merkle tree."""
        return Leaf(self.epoch, self.xid, self.position, self.version, self.stream, self.hash)

    @property
    def time(self) -> datetime:
        """When it was recorded."""
        return EPOCH + timedelta(microseconds=self.micros)


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename={"class_": "class"}):
    """What an archive says about itself.

    Attributes
    ----------
    partition : str
        Name of the partition.
    class_ : int
        Class of its events: 2 jobs, 3 output.
    from_time, until_time : datetime
        Its times: from the first to before the second.
    events : int
        Number of events.
    root : str
        Root of the Merkle tree of the events, in hex.
    head : dict[str, Any]
        The signed head that states this root.
    """

    format: Literal["multiflexi-archive-1"] = "multiflexi-archive-1"
    partition: str
    class_: int
    from_time: datetime
    until_time: datetime
    events: int
    root: str
    head: dict[str, Any]

    def signed_head(self, public_keys: Sequence[bytes] | None = None) -> Head:
        """Return the head, its signature checked, and that it states what the manifest says.

        Raises
        ------
        ArchiveError
            It does not, or is signed by another key.
        """
        try:
            head = Head.from_json(self.head)
        except ProofError as error:
            raise ArchiveError(f"The archive of {self.partition} holds no tree head: {error}") from error
        if not head.is_genuine():
            raise ArchiveError(f"The signature of head {head.id} in the archive of {self.partition} is wrong.")
        if public_keys is not None and head.public_key not in public_keys:
            raise ArchiveError(
                f"The archive of {self.partition} is signed by {head.public_key.hex()}, which is not the key that was "
                "expected."
            )
        tree = head.trees.get(self.partition)
        if tree is None or (tree.size, tree.root.hex()) != (self.events, self.root):
            raise ArchiveError(f"Head {head.id} states something else about {self.partition} than the archive does.")
        return head


class Checker:
    """Checks events of a month one by one in log order: their content, their order, and at the end their tree.

    Parameters
    ----------
    manifest : Manifest
        What they must come to.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._tree = CompactRange()
        self._last: Cursor | None = None

    def add(self, row: Row) -> bytes:
        """Check the next event; return its leaf entry.

        Raises
        ------
        ArchiveError
            It is not as its hash says, out of order, or of another month.
        """
        leaf = row.leaf()
        name = f"Event {row.stream}@{row.version}, number {self._tree.size + 1} of {self._manifest.partition},"
        digest = event_digest(row.stream, row.type, row.company_id, row.micros, row.data, row.meta, row.payload)
        if chained(row.previous, digest) != row.hash:
            raise ArchiveError(f"{name} was altered: its content is not what its hash says.")
        if self._last is not None and leaf.cursor <= self._last:
            raise ArchiveError(f"{name} is out of order.")
        if not self._manifest.from_time <= row.time < self._manifest.until_time:
            raise ArchiveError(f"{name} is of {row.time.isoformat()}, which is another month.")
        self._last = leaf.cursor
        entry = leaf.entry()
        self._tree.append(leaf_hash(entry))
        return entry

    def finish(self) -> None:
        """Check that these were all events, and those that were signed.

        Raises
        ------
        ArchiveError
            Some are missing, too many, or others than those under the signed root.
        """
        if self._tree.root().hex() != self._manifest.root:
            raise ArchiveError(
                f"The events of {self._manifest.partition} are not those that were signed: some were altered, removed, "
                "inserted or swapped."
            )


class Writer:
    """Writes an archive; use it as a context manager. The file has its name only once it is complete and on disk.

    Parameters
    ----------
    path : Path
        File to make.
    manifest : Manifest
        First line of it.
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.part = path.with_name(path.name + ".part")
        self._file = self.part.open("wb")
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self._stream: Any = compressor.stream_writer(self._file, closefd=False)
        self._line(manifest)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            self._stream.close()
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
            if kind is not None:
                self.part.unlink()

    def add(self, row: Row) -> None:
        """Write one event."""
        self._line(row)

    def _line(self, value: Manifest | Row) -> None:
        self._stream.write(encoder.encode(value) + b"\n")

    def publish(self) -> None:
        """Give the file its name."""
        self.part.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Archive:
    """An archive being read; use it as a context manager.

    Attributes
    ----------
    manifest : Manifest
        What it says about itself; nothing is checked yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise ArchiveError(f"The archive {path} cannot be read: {error.strerror}.") from error
        self._lines = BufferedReader(zstandard.ZstdDecompressor().stream_reader(self._file), 1 << 20)  # type: ignore[arg-type]
        try:
            self.manifest = self._decode(self._line(), Manifest)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def rows(self) -> Iterator[Row]:
        """Yield the events, unchecked.

        Raises
        ------
        ArchiveError
            The file is damaged or cut off.
        """
        for number in range(self.manifest.events):
            line = self._line()
            if not line.endswith(b"\n"):
                raise ArchiveError(
                    f"The archive {self._path} is cut off after {number} of {self.manifest.events} events. Take "
                    "another copy."
                )
            yield self._decode(line, Row)
        if self._line():
            raise ArchiveError(f"The archive {self._path} goes on after its {self.manifest.events} events.")

    def _line(self) -> bytes:
        try:
            return self._lines.readline()
        except (zstandard.ZstdError, OSError) as error:
            raise ArchiveError(f"The archive {self._path} is damaged: {error}. Take another copy.") from error

    def _decode(self, line: bytes, kind: type[Any]) -> Any:
        try:
            return msgspec.json.decode(line, type=kind)
        except msgspec.DecodeError as error:
            raise ArchiveError(f"{self._path} is no archive, or damaged: {error}. Take another copy.") from error


def verify_archive(path: Path, public_key: bytes | Sequence[bytes] | None = None) -> Manifest:
    """Check an archive, offline: every event, their order, the tree, and the signed head.

    Parameters
    ----------
    path : Path
        The file.
    public_key : bytes, Sequence[bytes] or None
        Ed25519 keys that its head may be signed with. Without it, only that the head was signed by the key it names.

    Returns
    -------
    Manifest
        What the archive holds.

    Raises
    ------
    ArchiveError
        It is damaged, cut off, or was tampered with; the message says what is wrong.
    """
    keys = [public_key] if isinstance(public_key, bytes) else public_key
    with Archive(path) as archive:
        archive.manifest.signed_head(keys)
        checker = Checker(archive.manifest)
        for row in archive.rows():
            checker.add(row)
        checker.finish()
        return archive.manifest
