"""Merkle trees as in RFC 9162 (Certificate Transparency 2.0), section 2.1, with SHA-256. Pure computation, no I/O.

Leaves and inner nodes are hashed with different prefixes, and a tree of n leaves is split at the largest power of two
below n, so a tree that grows keeps every complete subtree. Ranges of leaves are half-open, ``(start, end)``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

HASH = 32
"""Bytes of a hash."""

EMPTY_ROOT = hashlib.sha256().digest()
"""Root of a tree without leaves (section 2.1.1)."""

_sha256 = hashlib.sha256


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf (section 2.1.1)."""
    return _sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (section 2.1.1)."""
    return _sha256(b"\1" + left + right).digest()


class CompactRange:
    """The right edge of a growing tree: the roots of its complete subtrees, the largest first.

    One hash for each bit that is set in ``size``: this is all that is needed to append, and to tell the root.

    Parameters
    ----------
    size : int
        Leaves so far.
    edge : Iterable[bytes]
        Roots of the complete subtrees, the largest first; anything else is refused with a ValueError.

    Examples
    --------
    >>> tree = CompactRange()
    >>> tree.extend([leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")])
    >>> tree.size, len(tree.edge)
    (3, 2)
    """

    __slots__ = ("edge", "size")

    def __init__(self, size: int = 0, edge: Iterable[Any] = ()) -> None:
        nodes = list(edge)
        self.size = size
        self.edge: list[bytes] = nodes
        if len(self.edge) != size.bit_count() or size < 0:
            raise ValueError(f"The edge of a tree of {size} leaves has {size.bit_count()} nodes, not {len(self.edge)}.")
        if not all(isinstance(node, bytes) and len(node) == HASH for node in nodes):
            raise ValueError(f"The edge of a tree of {size} leaves holds something that is no hash.")

    def append(self, leaf: bytes) -> None:
        """Append one leaf, given as its hash."""
        edge, size = self.edge, self.size
        while size & 1:
            leaf = _sha256(b"\1" + edge.pop() + leaf).digest()
            size >>= 1
        edge.append(leaf)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaves, given as their hashes."""
        edge, size, sha256 = self.edge, self.size, _sha256
        for leaf in leaves:
            node, bits = leaf, size
            while bits & 1:
                node = sha256(b"\1" + edge.pop() + node).digest()
                bits >>= 1
            edge.append(node)
            size += 1
        self.size = size

    def root(self) -> bytes:
        """Return the root of the tree as it is now."""
        if not self.edge:
            return EMPTY_ROOT
        root = self.edge[-1]
        for left in reversed(self.edge[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Return the root of a tree, given the hashes of its leaves."""
    tree = CompactRange()
    tree.extend(leaves)
    return tree.root()


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Return the ranges of leaves whose roots make the inclusion proof of a leaf, in the order of the proof.

    Source: RFC 9162, section 2.1.3.1 (``PATH``).

    Examples
    --------
    >>> inclusion_ranges(5, 7)
    [(4, 5), (6, 7), (0, 4)]
    """
    if not 0 <= index < size:
        raise ValueError(f"A tree of {size} leaves has no leaf {index}.")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(first: int, second: int) -> list[tuple[int, int]]:
    """Return the ranges of leaves whose roots prove that a tree grew out of a smaller one, in the order of the proof.

    Source: RFC 9162, section 2.1.4.1 (``PROOF``, ``SUBPROOF``).

    Examples
    --------
    >>> consistency_ranges(3, 7)
    [(2, 3), (3, 4), (0, 2), (4, 7)]
    """
    if not 0 < first <= second:
        raise ValueError(f"A tree of {second} leaves did not grow out of one of {first}.")
    ranges: list[tuple[int, int]] = []
    start, end, complete = 0, second, True
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, complete = middle, False
    if not complete:
        ranges.append((start, end))
    return ranges[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Tell whether a leaf, given as its hash, stands at ``index`` in the tree of ``size`` leaves with this root.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    fn, sn, computed = index, size - 1, leaf
    for node in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            computed = node_hash(node, computed)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            computed = node_hash(computed, node)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and computed == root


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Tell whether the tree of ``second`` leaves grew out of the one of ``first`` leaves.

    Source: RFC 9162, section 2.1.4.2. A tree without leaves is the beginning of every tree, with an empty path.
    """
    if first == 0:
        return not path and first_root == EMPTY_ROOT
    if first == second:
        return not path and first_root == second_root
    if not 0 < first < second or not path:
        return False
    nodes = list(path) if first & (first - 1) else [first_root, *path]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = nodes[0]
    for node in nodes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(node, fr), node_hash(node, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, node)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


def _split(size: int) -> int:
    """Return the largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1
