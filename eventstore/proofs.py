"""Proofs to hand out: that an event is in the log, and that the log only grew between two heads.

A proof is a JSON document that is checked offline, with nothing but the public key: no database, no trust in who made
it. Sources: RFC 9162, sections 2.1.3 (inclusion) and 2.1.4 (consistency); the form of a head: :mod:`eventstore.head`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

import asyncpg
import msgspec

from eventstore.audit_errors import ProofError
from eventstore.chain import ZERO, chained, event_digest
from eventstore.head import Head, load_head
from eventstore.leaves import Leaf
from eventstore.log import Cursor, class_of
from eventstore.merkle import (
    CompactRange,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from eventstore.partitions import Partition, partitions
from eventstore.snapshot import Source, snapshot
from eventstore.tree_check import kept_leaves

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SELECT_EVENT = """
    SELECT e.tableoid::bigint AS oid, e.epoch, e.xid, e.position, e.stream, e.version, e.type, e.company_id, e.time,
           e.data, e.meta, e.payload, e.hash,
           coalesce((SELECT b.hash FROM events b
                      WHERE b.class = e.class AND b.stream = e.stream AND b.version = e.version - 1),
                    (SELECT l.hash FROM archived_links l
                      WHERE l.stream = e.stream AND l.version = e.version - 1)) AS previous
      FROM events e
     WHERE e.class = $1 AND e.stream = $2 AND e.version = $3
"""
COUNT_BEFORE = """
    SELECT count(*) FROM events e
     WHERE e.class = $1 AND ($2::timestamptz IS NULL OR e.time >= $2) AND ($3::timestamptz IS NULL OR e.time < $3)
       AND (e.epoch, e.xid, e.position) < ($4, $5, $6)
"""


Kind = TypeVar("Kind", "InclusionProof", "ConsistencyProof")


class ProvenEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event as stored, with all that its leaf and its hash cover.

    Attributes
    ----------
    cursor : str
        Its place in the log.
    time : datetime
        When it was recorded, to the microsecond.
    data, meta : str
        JSON text exactly as stored.
    payload : bytes or None
        Raw bytes; base64 in JSON.
    hash, previous : str
        Hash of the event, and of the one before it in its stream (zeros for the first); hex.
    """

    stream: str
    version: int
    cursor: str
    type: str
    company_id: int | None
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    data: str
    meta: str
    payload: bytes | None
    hash: str
    previous: str

    def leaf(self) -> Leaf:
        """Return the leaf that the event claims to be.

        Raises
        ------
        ProofError
            Its content is not what its hash says.
        """
        try:
            leaf = Leaf(*Cursor.parse(self.cursor), self.version, self.stream, bytes.fromhex(self.hash))
            previous = bytes.fromhex(self.previous)
        except ValueError as error:
            raise ProofError(f"The event in the proof is damaged: {error}.") from error
        micros = (self.time - EPOCH) // timedelta(microseconds=1)
        digest = event_digest(self.stream, self.type, self.company_id, micros, self.data, self.meta, self.payload)
        if chained(previous, digest) != leaf.hash:
            raise ProofError(f"The content of {self.stream}@{self.version} is not what its hash says.")
        return leaf


class InclusionProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The proof that an event is leaf ``index`` of ``tree`` under a signed head; ``path`` as in RFC 9162, in hex."""

    format: Literal["multiflexi-inclusion-proof-1"] = "multiflexi-inclusion-proof-1"
    event: ProvenEvent
    tree: str
    index: int
    path: list[str]
    head: dict[str, Any]


class ConsistencyProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The proof that the log of one head grew into that of another; ``paths`` of the trees that grew, in hex."""

    format: Literal["multiflexi-consistency-proof-1"] = "multiflexi-consistency-proof-1"
    first: dict[str, Any]
    second: dict[str, Any]
    paths: dict[str, list[str]]


async def prove_inclusion(source: Source, stream: str, version: int, *, head_id: int | None = None) -> dict[str, Any]:
    """Return the proof that an event stands in the log under a signed head.

    Parameters
    ----------
    source : Source
        Where the log is: a store, a URL, or a connection.
    stream, version
        The event.
    head_id : int or None
        Number of the head; the newest unless told.

    Raises
    ------
    ProofError
        There is no such event or head, the head does not cover it, or the log was tampered with.
    """
    async with snapshot(source) as connection:
        row = await connection.fetchrow(SELECT_EVENT, class_of(stream), stream, version)
        if row is None:
            raise ProofError(
                f"There is no event {stream}@{version} in the log. If its month was archived, attach it first."
            )
        head = await _head(connection, head_id)
        (partition,) = [each for each in await partitions(connection) if each.oid == row["oid"]]
        index = await _count_before(connection, partition, Cursor(row["epoch"], row["xid"], row["position"]))
        tree = head.trees.get(partition.name)
        if tree is None or index >= tree.size:
            raise ProofError(
                f"Head {head.id} does not cover {stream}@{version} yet. Wait for the next head, or name a newer one."
            )
        ranges = inclusion_ranges(index, tree.size)
        leaf, *path = await _roots(connection, partition.name, [(index, index + 1), *ranges])
        proof = InclusionProof(
            event=_proven_event(row),
            tree=partition.name,
            index=index,
            path=[node.hex() for node in path],
            head=head.to_json(),
        )
        if leaf_hash(proof.event.leaf().entry()) != leaf:
            raise ProofError(f"The kept leaf of {stream}@{version} is another one. Run `multiflexi-cli audit:verify`.")
        document: dict[str, Any] = msgspec.to_builtins(proof)
        check_inclusion(document, head.public_key)
        return document


def check_inclusion(
    document: Mapping[str, Any] | bytes | str, public_keys: bytes | Sequence[bytes]
) -> tuple[ProvenEvent, Head]:
    """Check an inclusion proof, offline.

    Parameters
    ----------
    document : Mapping[str, Any], bytes or str
        What :func:`prove_inclusion` returned, or its JSON.
    public_keys : bytes or Sequence[bytes]
        Ed25519 keys that the head may be signed with.

    Returns
    -------
    tuple[ProvenEvent, Head]
        The event, and the head that covers it.

    Raises
    ------
    ProofError
        It does not prove that the event is in the log; the message says what is wrong.
    """
    proof = _read(document, InclusionProof)
    head = _genuine(proof.head, public_keys)
    leaf = proof.event.leaf()
    tree = head.trees.get(proof.tree)
    path = _nodes(proof.path)
    if tree is None or not verify_inclusion(leaf_hash(leaf.entry()), proof.index, tree.size, path, tree.root):
        raise ProofError(
            f"{leaf.stream}@{leaf.version} is not leaf {proof.index} of tree {proof.tree} under head {head.id}."
        )
    return proof.event, head


async def prove_consistency(source: Source, first: int | Head, second: int | None = None) -> dict[str, Any]:
    """Return the proof that the log of one head grew into that of another: nothing before the first was touched.

    Parameters
    ----------
    source : Source
        Where the log is: a store, a URL, or a connection.
    first : int or Head
        Number of the earlier head, or the head itself as it was kept elsewhere.
    second : int or None
        Number of the later head; the newest unless told.

    Raises
    ------
    ProofError
        There is no such head, or the log was tampered with.
    """
    async with snapshot(source) as connection:
        before = first if isinstance(first, Head) else await _head(connection, first)
        after = await _head(connection, second)
        trees: dict[str, list[str]] = {}
        for name, tree in before.trees.items():
            grown = after.trees.get(name)
            if grown is None or grown.size < tree.size:
                raise ProofError(f"Tree {name} has shrunk between head {before.id} and head {after.id}.")
            if grown.size > tree.size:
                path = await _roots(connection, name, consistency_ranges(tree.size, grown.size))
                trees[name] = [node.hex() for node in path]
        proof = ConsistencyProof(first=before.to_json(), second=after.to_json(), paths=trees)
        document: dict[str, Any] = msgspec.to_builtins(proof)
        check_consistency(document, [before.public_key, after.public_key])
        return document


def check_consistency(
    document: Mapping[str, Any] | bytes | str, public_keys: bytes | Sequence[bytes]
) -> tuple[Head, Head]:
    """Check a consistency proof, offline; return its two heads.

    Raises
    ------
    ProofError
        It does not prove that the first log grew into the second; the message says what is wrong.
    """
    proof = _read(document, ConsistencyProof)
    first, second = _genuine(proof.first, public_keys), _genuine(proof.second, public_keys)
    if first.id > second.id or first.time > second.time or first.cursor > second.cursor:
        raise ProofError(f"Head {first.id} is not earlier than head {second.id}.")
    for name, tree in first.trees.items():
        grown = second.trees.get(name)
        path = _nodes(proof.paths.get(name, []))
        if grown is None or not verify_consistency(tree.size, grown.size, tree.root, grown.root, path):
            raise ProofError(f"Tree {name} of head {second.id} did not grow out of that of head {first.id}.")
    return first, second


def _read(document: Mapping[str, Any] | bytes | str, kind: type[Kind]) -> Kind:
    try:
        if isinstance(document, bytes | str):
            return msgspec.json.decode(document, type=kind)
        return msgspec.convert(document, type=kind)
    except msgspec.DecodeError as error:
        raise ProofError(f"This is not such a proof, or a damaged one: {error}.") from error


def _genuine(document: Mapping[str, Any], public_keys: bytes | Sequence[bytes]) -> Head:
    head = Head.from_json(document)
    if head.public_key not in ([public_keys] if isinstance(public_keys, bytes) else public_keys):
        raise ProofError(
            f"Head {head.id} is signed by {head.public_key.hex()}, which is not the key that was expected."
        )
    if not head.is_genuine():
        raise ProofError(f"The signature of head {head.id} is wrong.")
    return head


def _nodes(path: Sequence[str]) -> list[bytes]:
    try:
        return [bytes.fromhex(node) for node in path]
    except ValueError as error:
        raise ProofError(f"The path of the proof is damaged: {error}.") from error


def _proven_event(row: asyncpg.Record) -> ProvenEvent:
    return ProvenEvent(
        cursor=str(Cursor(row["epoch"], row["xid"], row["position"])),
        hash=row["hash"].hex(),
        previous=(row["previous"] or ZERO).hex(),
        **{name: row[name] for name in ("stream", "version", "type", "company_id", "time", "data", "meta", "payload")},
    )


async def _head(connection: asyncpg.Connection, head_id: int | None) -> Head:
    head = await load_head(connection, head_id)
    if head is None:
        which = "no signed head yet" if head_id is None else f"no head {head_id}"
        raise ProofError(f"There is {which}. The projector makes one every minute.")
    return head


async def _count_before(connection: asyncpg.Connection, partition: Partition, cursor: Cursor) -> int:
    bounds = partition.class_, partition.from_time, partition.until_time
    return await connection.fetchval(COUNT_BEFORE, *bounds, *cursor)


async def _roots(connection: asyncpg.Connection, tree: str, ranges: Iterable[tuple[int, int]]) -> list[bytes]:
    """Return the roots of ranges of a tree that do not overlap, reading its kept leaves once."""
    wanted = list(ranges)
    roots: dict[tuple[int, int], bytes] = {}
    remaining = sorted(wanted)
    part, start = CompactRange(), 0
    async for entries in kept_leaves(connection, tree):
        end = start + len(entries)
        while remaining and remaining[0][0] + part.size < end:
            low, high = remaining[0]
            part.extend([leaf_hash(entry) for entry in entries[low + part.size - start : high - start]])
            if part.size < high - low:
                break
            roots[remaining.pop(0)] = part.root()
            part = CompactRange()
        start = end
        if not remaining:
            break
    if remaining:
        raise ProofError(
            f"The leaves of {tree} are not all kept. If its month was archived, attach it first; otherwise run "
            "`multiflexi-cli audit:verify`."
        )
    return [roots[each] for each in wanted]
