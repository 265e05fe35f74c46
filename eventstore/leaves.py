"""Leaves of the Merkle trees: what of an event a leaf is made of, and how it is kept.

A leaf entry is ``epoch (2 bytes) xid (8) position (8) version (4) length of stream (4) stream (UTF-8) hash``, numbers
big-endian. The event's hash covers its content and, through the chain, all earlier events of its stream; the rest fixes
its place in the log, so that neither can be altered under a signed head.

Entries are kept in chunks beside the log. That costs some 45 bytes an event, and lets an audit name an event that is
gone: the signed roots vouch for the entries, the entries for the events.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import zstandard

from eventstore.log import Cursor

PLACE = struct.Struct(">hQqiI")
LENGTH = struct.Struct(">I")

place = PLACE.pack
"""Packs epoch, xid, position, version and the length of the stream's name: the beginning of a leaf entry."""


class Leaf(NamedTuple):
    """A leaf entry taken apart."""

    epoch: int
    xid: int
    position: int
    version: int
    stream: str
    hash: bytes

    @property
    def cursor(self) -> Cursor:
        """Place of the event in the log."""
        return Cursor(self.epoch, self.xid, self.position)

    def entry(self) -> bytes:
        """Return the bytes that the leaf hash covers."""
        stream = self.stream.encode()
        return place(self.epoch, self.xid, self.position, self.version, len(stream)) + stream + self.hash

    @classmethod
    def parse(cls, entry: bytes) -> Leaf:
        """Take an entry apart.

        Examples
        --------
        >>> leaf = Leaf(1, 742, 16, 3, "job-7", bytes(32))
        >>> Leaf.parse(leaf.entry()) == leaf
        True
        """
        epoch, xid, position, version, length = PLACE.unpack_from(entry)
        start = PLACE.size
        stream = entry[start : start + length].decode(errors="replace")
        return cls(epoch, xid, position, version, stream, entry[start + length :])


def leaf_of(row: Sequence[Any]) -> Leaf:
    """Return the leaf of a row that holds epoch, xid, position, version, stream and hash, in this order."""
    return Leaf(*row)


def pack(entries: Iterable[bytes]) -> bytes:
    """Return leaf entries as they are kept."""
    return zstandard.ZstdCompressor(level=1).compress(joined(entries))


def joined(entries: Iterable[bytes]) -> bytes:
    """Return leaf entries as one, each after its length."""
    return b"".join([part for entry in entries for part in (LENGTH.pack(len(entry)), entry)])


def unpack(kept: bytes) -> list[bytes]:
    """Return the leaf entries of a chunk.

    Raises
    ------
    ValueError
        The chunk was damaged.
    """
    try:
        whole = zstandard.ZstdDecompressor().decompress(kept)
    except zstandard.ZstdError as error:
        raise ValueError(f"the kept leaves do not decompress: {error}") from error
    entries: list[bytes] = []
    offset, end = 0, len(whole)
    while offset < end:
        if offset + LENGTH.size > end:
            raise ValueError("the kept leaves are cut off")
        (length,) = LENGTH.unpack_from(whole, offset)
        offset += LENGTH.size
        if length < PLACE.size or offset + length > end:
            raise ValueError("the kept leaves are cut off")
        entries.append(whole[offset : offset + length])
        offset += length
    return entries
