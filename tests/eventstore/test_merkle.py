"""Merkle trees against the plain definitions of RFC 9162, section 2.1, and against forged proofs."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore.leaves import Leaf, pack, unpack
from eventstore.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)


def naive_split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def naive_root(entries: list[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = naive_split(len(entries))
    return hashlib.sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def naive_path(m: int, entries: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162, section 2.1.3.1, word for word."""
    if len(entries) == 1:
        return []
    k = naive_split(len(entries))
    if m < k:
        return [*naive_path(m, entries[:k]), naive_root(entries[k:])]
    return [*naive_path(m - k, entries[k:]), naive_root(entries[:k])]


def naive_proof(m: int, entries: list[bytes], complete: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 9162, section 2.1.4.1, word for word."""
    n = len(entries)
    if m == n:
        return [] if complete else [naive_root(entries)]
    k = naive_split(n)
    if m <= k:
        return [*naive_proof(m, entries[:k], complete), naive_root(entries[k:])]
    return [*naive_proof(m - k, entries[k:], False), naive_root(entries[:k])]


ENTRIES = st.lists(st.binary(max_size=8), max_size=70)
SOME = st.lists(st.binary(max_size=8), min_size=1, max_size=70)


def ranges_to_path(ranges: list[tuple[int, int]], entries: list[bytes]) -> list[bytes]:
    return [root_of(map(leaf_hash, entries[start:end])) for start, end in ranges]


@given(ENTRIES)
def test_the_root_is_that_of_the_definition(entries: list[bytes]) -> None:
    assert root_of(map(leaf_hash, entries)) == naive_root(entries)


@given(ENTRIES, st.data())
def test_a_compact_range_grows_like_the_tree_wherever_it_is_interrupted(
    entries: list[bytes], data: st.DataObject
) -> None:
    tree = CompactRange()
    while tree.size < len(entries):
        upto = data.draw(st.integers(tree.size + 1, len(entries)))
        if data.draw(st.booleans()):
            tree.extend(leaf_hash(entry) for entry in entries[tree.size : upto])
        else:
            for entry in entries[tree.size : upto]:
                tree.append(leaf_hash(entry))
        assert tree.root() == naive_root(entries[: tree.size])
        tree = CompactRange(tree.size, tree.edge)
    assert tree.root() == naive_root(entries)


def test_an_edge_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="2 nodes, not 1"):
        CompactRange(3, [bytes(32)])


@given(SOME, st.data())
def test_inclusion_proofs_are_those_of_the_definition_and_hold(entries: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(entries) - 1))
    path = ranges_to_path(inclusion_ranges(index, len(entries)), entries)
    assert path == naive_path(index, entries)
    assert verify_inclusion(leaf_hash(entries[index]), index, len(entries), path, naive_root(entries))


@given(SOME, st.data())
def test_forged_inclusion_proofs_do_not_hold(entries: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(entries) - 1))
    size, root, path = len(entries), naive_root(entries), naive_path(index, entries)
    leaf = leaf_hash(entries[index])
    assert not verify_inclusion(leaf_hash(entries[index] + b"!"), index, size, path, root)
    assert not verify_inclusion(leaf, index, size, [*path, bytes(32)], root)
    assert not verify_inclusion(leaf, size, size, path, root)
    if path:
        assert not verify_inclusion(leaf, index, size, path[:-1], root)
        place = data.draw(st.integers(0, len(path) - 1))
        assert not verify_inclusion(leaf, index, size, [*path[:place], bytes(32), *path[place + 1 :]], root)
        other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
        if entries[other] != entries[index]:
            assert not verify_inclusion(leaf, other, size, naive_path(other, entries), root)


@given(SOME, st.data())
def test_consistency_proofs_are_those_of_the_definition_and_hold(entries: list[bytes], data: st.DataObject) -> None:
    first = data.draw(st.integers(1, len(entries)))
    path = ranges_to_path(consistency_ranges(first, len(entries)), entries)
    assert path == naive_proof(first, entries)
    assert verify_consistency(first, len(entries), naive_root(entries[:first]), naive_root(entries), path)


@given(st.lists(st.binary(max_size=8), min_size=2, max_size=70), st.data())
def test_forged_consistency_proofs_do_not_hold(entries: list[bytes], data: st.DataObject) -> None:
    first = data.draw(st.integers(1, len(entries) - 1))
    path = naive_proof(first, entries)
    before, after = naive_root(entries[:first]), naive_root(entries)
    place = data.draw(st.integers(0, first - 1))
    rewritten = naive_root([*entries[:place], entries[place] + b"!", *entries[place + 1 : first]])
    assert not verify_consistency(first, len(entries), rewritten, after, path)
    assert not verify_consistency(first, len(entries), before, bytes(32), path)
    assert not verify_consistency(first, len(entries), before, after, path[:-1])
    assert not verify_consistency(first, len(entries), before, after, [*path, bytes(32)])
    assert not verify_consistency(len(entries), first, after, before, path)


def test_every_tree_begins_with_the_empty_one_and_contains_itself() -> None:
    root = naive_root([b"a", b"b"])
    assert verify_consistency(0, 2, EMPTY_ROOT, root, [])
    assert not verify_consistency(0, 2, root, root, [])
    assert verify_consistency(2, 2, root, root, [])
    assert not verify_consistency(2, 2, root, EMPTY_ROOT, [])


LEAF = st.builds(
    Leaf,
    st.integers(-(2**15), 2**15 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.text(max_size=50),
    st.binary(max_size=40),
)


@given(LEAF, LEAF)
def test_leaf_entries_tell_all_leaves_apart(one: Leaf, other: Leaf) -> None:
    assert Leaf.parse(one.entry()) == one
    assert (one.entry() == other.entry()) == (one == other)


@given(st.lists(LEAF, max_size=20))
def test_kept_leaves_are_read_back_and_damage_is_noticed(leaves: list[Leaf]) -> None:
    entries = [leaf.entry() for leaf in leaves]
    kept = pack(entries)
    assert unpack(kept) == entries
    with pytest.raises(ValueError, match="kept leaves"):
        unpack(kept[:-1] if leaves else b"")
