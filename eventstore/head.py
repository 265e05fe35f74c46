"""A signed tree head: one statement about the whole log as it was at a moment.

It states size and root of every tree, months that were archived since included, and is signed by Ed25519 (RFC 8032) as
one canonical JSON text: keys sorted, no spaces, ASCII. Each head names the digest of the one before, so heads cannot be
taken out. Whoever keeps a head elsewhere can later show any rewriting of the log up to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from eventstore.audit_errors import ProofError
from eventstore.chain import ZERO
from eventstore.log import START, Cursor

FORMAT = "multiflexi-tree-head-1"

PAGE = 500
"""Heads read at a time."""

# A moment that Python cannot hold was not signed: it is read as another one that was not signed either.
SELECT_HEAD = """
    SELECT h.id, least(greatest(h.time, 'epoch'), '9999-01-01') AS time, h.epoch, h.xid, h.position, h.previous,
           h.signature, k.public_key
      FROM tree_heads h LEFT JOIN signing_keys k ON k.id = h.key_id
     WHERE h.id = coalesce($1::bigint, (SELECT max(id) FROM tree_heads))
"""
SELECT_TREES_OF_HEAD = """
    SELECT t.tree, s.size, s.root
      FROM tree_edges t
     CROSS JOIN LATERAL (SELECT z.size, z.root FROM tree_sizes z
                          WHERE z.tree = t.tree AND z.head_id <= $1 ORDER BY z.head_id DESC LIMIT 1) s
"""
SELECT_HEADS = """
    SELECT h.id, least(greatest(h.time, 'epoch'), '9999-01-01') AS time, h.epoch, h.xid, h.position, h.previous,
           h.signature, k.public_key,
           (SELECT array_agg(z.tree ORDER BY z.tree) FROM tree_sizes z WHERE z.head_id = h.id) AS trees,
           (SELECT array_agg(z.size ORDER BY z.tree) FROM tree_sizes z WHERE z.head_id = h.id) AS sizes,
           (SELECT array_agg(z.root ORDER BY z.tree) FROM tree_sizes z WHERE z.head_id = h.id) AS roots
      FROM tree_heads h LEFT JOIN signing_keys k ON k.id = h.key_id
     WHERE h.id > $1 ORDER BY h.id LIMIT $2
"""


class Tree(msgspec.Struct, frozen=True):
    """What a head states about one tree: number of leaves and root."""

    size: int
    root: bytes


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A signed tree head.

    Attributes
    ----------
    id : int
        Number of the head, from 1, without gaps.
    time : datetime
        When it was made, by the clock of the database.
    cursor : Cursor
        Last event of the log that it covers: it and all before.
    previous : bytes
        :meth:`digest` of the head before; zeros in the first.
    trees : Mapping[str, Tree]
        Every tree that has leaves, by the name of its partition.
    public_key : bytes
        Ed25519 key that it is signed with, 32 bytes.
    signature : bytes
        64 bytes over :meth:`signed_bytes`.
    """

    id: int
    time: datetime
    cursor: Cursor
    previous: bytes
    trees: Mapping[str, Tree]
    public_key: bytes
    signature: bytes = b""

    def statement(self) -> dict[str, Any]:
        """Return what is signed, as a JSON document."""
        return {
            "format": FORMAT,
            "id": self.id,
            "time": self.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "cursor": str(self.cursor),
            "previous": self.previous.hex(),
            "trees": {name: {"size": tree.size, "root": tree.root.hex()} for name, tree in self.trees.items()},
            "public_key": self.public_key.hex(),
        }

    def signed_bytes(self) -> bytes:
        """Return the canonical bytes that the signature covers."""
        return json.dumps(self.statement(), sort_keys=True, separators=(",", ":")).encode("ascii")

    def digest(self) -> bytes:
        """Return what the next head names as its previous one."""
        return hashlib.sha256(self.signed_bytes() + self.signature).digest()

    def is_genuine(self) -> bool:
        """Tell whether the signature is that of the head's own key. Whether to trust that key is another question."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(self.signature, self.signed_bytes())
        except (InvalidSignature, ValueError):
            return False
        return True

    def to_json(self) -> dict[str, Any]:
        """Return the head as a JSON document, to be kept elsewhere."""
        return {**self.statement(), "signature": self.signature.hex()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Head:
        """Read a head as :meth:`to_json` writes it.

        Raises
        ------
        ProofError
            It is not one.
        """
        try:
            if document["format"] != FORMAT:
                raise ProofError(f"This is a {document['format']}, expected {FORMAT}.")
            return cls(
                id=int(document["id"]),
                time=datetime.strptime(document["time"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC),
                cursor=Cursor.parse(document["cursor"]),
                previous=bytes.fromhex(document["previous"]),
                trees={
                    str(name): Tree(int(tree["size"]), bytes.fromhex(tree["root"]))
                    for name, tree in document["trees"].items()
                },
                public_key=bytes.fromhex(document["public_key"]),
                signature=bytes.fromhex(document["signature"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ProofError(f"This is not a tree head: {error!r}.") from error


async def load_head(connection: asyncpg.Connection, head_id: int | None = None) -> Head | None:
    """Return a head by its number, or the newest one; None if there is none. Its signature is not checked."""
    row = await connection.fetchrow(SELECT_HEAD, head_id)
    if row is None:
        return None
    trees = await connection.fetch(SELECT_TREES_OF_HEAD, row["id"])
    return _head(row, {tree["tree"]: Tree(tree["size"], tree["root"]) for tree in trees})


async def read_heads(connection: asyncpg.Connection, page: int = PAGE) -> AsyncIterator[Head]:
    """Yield all heads from the first to the newest as stored, nothing checked."""
    trees: dict[str, Tree] = {}
    after = -(2**63)
    while True:
        rows = await connection.fetch(SELECT_HEADS, after, page)
        for row in rows:
            grown = zip(row["trees"] or (), row["sizes"] or (), row["roots"] or (), strict=True)
            trees = {**trees, **{name: Tree(size, root) for name, size, root in grown}}
            yield _head(row, trees)
        if len(rows) < page:
            return
        after = rows[-1]["id"]


def missing(head: Head, before: Head | None) -> str:
    """Return which heads are missing between two; empty if none is."""
    expected = before.id + 1 if before else 1
    return "" if head.id == expected else f"heads {expected} to {head.id - 1} are missing before it"


def follows(head: Head, before: Head | None) -> str:
    """Return what is wrong with a head as the next one after another (None: as the first); empty if nothing is."""
    if head.previous != (before.digest() if before else ZERO):
        return "it does not follow from the head before"
    if before is not None and head.time < before.time:
        return "its time is before that of the head before"
    if head.cursor <= (before.cursor if before else START):
        return "it covers no more than the head before"
    for name, tree in before.trees.items() if before else ():
        if name not in head.trees or head.trees[name].size < tree.size:
            return f"tree {name} has shrunk"
    return ""


def _head(row: asyncpg.Record, trees: Mapping[str, Tree]) -> Head:
    return Head(
        id=row["id"],
        time=row["time"],
        cursor=Cursor(row["epoch"], row["xid"], row["position"]),
        previous=row["previous"],
        trees=trees,
        public_key=row["public_key"] or b"",
        signature=row["signature"],
    )
