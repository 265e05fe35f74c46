"""Check one partition of the log: each event against its stream's chain, the leaves against the signed heads."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple

import asyncpg

from eventstore.chain import ZERO, Chains, chained, event_digest
from eventstore.findings import MOST_DIFFERENCES, Difference, Finding, Report, differences
from eventstore.leaves import Leaf, place, unpack
from eventstore.log import Cursor
from eventstore.merkle import CompactRange
from eventstore.partitions import Partition

PAGE = 4_000
"""Events read at a time."""

CHUNKS = 64
"""Rows of kept leaves read at a time."""

READ_EVENTS = """
    SELECT e.epoch, e.xid, e.position, e.stream, e.version, e.type, e.company_id,
           CASE WHEN isfinite(e.time) THEN (extract(epoch FROM e.time) * 1000000)::bigint END AS micros,
           e.data, e.meta, e.payload, e.hash
      FROM events e
     WHERE e.class = $1 AND ($2::timestamptz IS NULL OR e.time >= $2) AND ($3::timestamptz IS NULL OR e.time < $3)
       AND (e.epoch, e.xid, e.position) > ($4, $5, $6)
     ORDER BY e.epoch, e.xid, e.position LIMIT $7
"""
READ_LEAVES = "SELECT start, count, leaves FROM tree_leaves WHERE tree = $1 AND start >= $2 ORDER BY start LIMIT $3"
SELECT_BEFORE = """
    SELECT w.stream, w.version, coalesce(e.hash, l.hash) AS hash
      FROM unnest($2::text[], $3::integer[]) AS w (stream, version)
      LEFT JOIN events e ON e.class = $1 AND e.stream = w.stream AND e.version = w.version
      LEFT JOIN archived_links l ON l.stream = w.stream AND l.version = w.version
"""
BEGINNING = Cursor(-(2**15), 0, -(2**63))
"""Before every place that a row can have, whatever was done to it."""

_sha256 = hashlib.sha256
_NONE = (0, ZERO)


class Signed(NamedTuple):
    """What a head that can be trusted states about a tree."""

    head: int
    size: int
    root: bytes


class Context(NamedTuple):
    """What the checks of all partitions share.

    Attributes
    ----------
    until : Cursor
        Place in the log up to which the newest trusted head covers it.
    broken : list[Finding]
        Events that do not follow from the one before them in their stream.
    differing : list[Difference]
        Leaves that differ from those that were signed.
    report : Report
        What is found otherwise.
    progress : Callable[[int], None]
        Told how many more events were read.
    """

    connection: asyncpg.Connection
    until: Cursor
    progress: Callable[[int], None]
    report: Report
    chains: Chains
    broken: list[Finding]
    differing: list[Difference]


class Events:
    """The events of a partition in log order, read in pages, their chains checked on the way.

    Attributes
    ----------
    entries : list[bytes]
        Leaf entries of events that were read and not taken yet.
    count : int
        Events read so far.
    """

    def __init__(self, context: Context, partition: Partition) -> None:
        self._context = context
        self._partition = partition
        self._after = BEGINNING
        self._ended = False
        self.entries: list[bytes] = []
        self.count = 0

    async def have(self, number: int) -> bool:
        """Read until there are so many entries, or no more events; tell which."""
        while len(self.entries) < number and not self._ended:
            await self._read()
        return len(self.entries) >= number

    def take(self, number: int) -> list[bytes]:
        """Return the next entries and drop them."""
        taken, self.entries = self.entries[:number], self.entries[number:]
        return taken

    async def take_until(self, last: Cursor) -> list[bytes]:
        """Return the next entries up to a place in the log and drop them."""
        taken: list[bytes] = []
        while await self.have(1):
            for number, entry in enumerate(self.entries):
                if Leaf.parse(entry).cursor > last:
                    return taken + self.take(number)
            taken += self.take(len(self.entries))
        return taken

    async def _read(self) -> None:
        partition = self._partition
        bounds = partition.class_, partition.from_time, partition.until_time
        rows = await self._context.connection.fetch(READ_EVENTS, *bounds, *self._after, PAGE)
        self._ended = len(rows) < PAGE
        if not rows:
            return
        self._after = Cursor(*rows[-1][:3])
        await self._recall(rows)
        self.entries += self._check(rows)
        self.count += len(rows)
        self._context.progress(len(rows))

    async def _recall(self, rows: Sequence[Any]) -> None:
        """Have the event before the first of each stream of a page at hand."""
        first: dict[str, int] = {}
        for row in rows:
            first.setdefault(row[3], row[4])
        chains = self._context.chains
        chains.recall(first)
        missing = {
            stream: version - 1 for stream, version in first.items() if version > 1 and stream not in chains.young
        }
        if missing:
            await self._look_up(missing)

    async def _look_up(self, wanted: dict[str, int]) -> None:
        class_, streams, versions = self._partition.class_, list(wanted), list(wanted.values())
        for stream, version, digest in await self._context.connection.fetch(SELECT_BEFORE, class_, streams, versions):
            if digest is not None:
                self._context.chains.young[stream] = (version, digest)

    def _check(self, rows: Sequence[Any]) -> list[bytes]:
        """Return the leaf entries of a page; report events that do not follow from those before them."""
        young = self._context.chains.young
        entries: list[bytes] = []
        for epoch, xid, position, stream, version, kind, company, micros, data, meta, payload, stored in rows:
            name = stream.encode()
            entries.append(place(epoch, xid, position, version, len(name)) + name + stored)
            before = young.get(stream, _NONE)
            digest = event_digest(stream, kind, company, micros, data, meta, payload)
            if before[0] != version - 1 or _sha256(before[1] + digest).digest() != stored:
                cursor = Cursor(epoch, xid, position)
                self._doubt(Leaf(*cursor, version, stream, stored), before, digest)
            young[stream] = (version, stored)
        return entries

    def _doubt(self, leaf: Leaf, before: tuple[int, bytes], digest: bytes) -> None:
        """Report what is wrong with an event that does not follow from the one before it."""
        doubtful = self._context.chains.doubtful
        computed = chained(before[1], digest)
        if before[0] != leaf.version - 1:
            self._report_gap(leaf, before[0])
        elif chained(doubtful.get(leaf.stream, b""), digest) == leaf.hash:
            return  # The hash of the event before was altered, this one is as it was.
        else:
            self._add(
                "altered", leaf, leaf.version, "is not what its hash says, or does not follow from the event before"
            )
        doubtful[leaf.stream] = computed

    def _report_gap(self, leaf: Leaf, before: int) -> None:
        if before < leaf.version - 1:
            what = f"is missing: {leaf.stream}@{leaf.version} follows on {before}" if before else "is missing"
            self._add("removed", leaf, leaf.version - 1, what)
        else:
            self._add("swapped", leaf, leaf.version, f"comes after version {before} in the log")

    def _add(self, problem: str, leaf: Leaf, version: int, what: str) -> None:
        detail = f"Event {leaf.stream}@{version} at {leaf.cursor} {what}."
        finding = Finding(
            problem=problem,
            detail=detail,
            stream=leaf.stream,
            version=version,
            cursor=leaf.cursor,
            tree=self._partition.name,
        )
        if len(self._context.broken) < MOST_DIFFERENCES:
            self._context.broken.append(finding)


async def kept_leaves(connection: asyncpg.Connection, tree: str) -> AsyncIterator[list[bytes]]:
    """Yield the kept leaf entries of a tree, chunk by chunk, up to where they are damaged or end."""
    start = 0
    while True:
        rows = await connection.fetch(READ_LEAVES, tree, start, CHUNKS)
        for row in rows:
            try:
                entries = unpack(row["leaves"])
            except ValueError:
                return
            if row["start"] != start or not 0 < len(entries) == row["count"]:
                return
            start += len(entries)
            yield entries
        if len(rows) < CHUNKS:
            return


async def check_tree(context: Context, partition: Partition, signed: Sequence[Signed]) -> int:
    """Check the events of a partition.

    Parameters
    ----------
    context : Context
        Where findings go.
    partition : Partition
        Partition to read.
    signed : Sequence[Signed]
        What the trusted heads state about it, in their order.

    Returns
    -------
    int
        Number of events.
    """
    events = Events(context, partition)
    tree = CompactRange()
    unproven: list[tuple[int, list[Difference]]] = []
    proven: list[Difference] = []
    reached = 0
    async for kept in kept_leaves(context.connection, partition.name):
        if await events.have(len(kept)) and events.entries[: len(kept)] == kept:
            events.take(len(kept))
        else:
            found = await events.take_until(Leaf.parse(kept[-1]).cursor)
            unproven.append((tree.size + len(kept), differences(partition.name, kept, found)))
        held = hold_against(tree, kept, signed[reached:])
        reached += held
        while unproven and reached and unproven[0][0] <= signed[reached - 1].size:
            proven += unproven.pop(0)[1]
        if reached < len(signed) and tree.size >= signed[reached].size:
            break
    context.differing.extend(proven[: MOST_DIFFERENCES - len(context.differing)])
    if reached < len(signed):
        await compare_events(context, partition, signed)
    else:
        inserted = await events.take_until(context.until)
        context.differing.extend(differences(partition.name, [], inserted[:MOST_DIFFERENCES]))
    while await events.have(1):
        events.take(len(events.entries))
    return events.count


def hold_against(tree: CompactRange, entries: Sequence[bytes], signed: Sequence[Signed]) -> int:
    """Let a tree grow by leaf entries; return how many of the next signed roots it has on the way."""
    leaves = [_sha256(b"\0" + entry).digest() for entry in entries]
    start, held = 0, 0
    for head in signed:
        end = start + head.size - tree.size
        if end > len(leaves):
            break
        tree.extend(leaves[start:end])
        start = end
        if tree.root() != head.root:
            break
        held += 1
    tree.extend(leaves[start:])
    return held


async def compare_events(context: Context, partition: Partition, signed: Sequence[Signed]) -> None:
    """Hold the events themselves against the signed roots, as the kept leaves are not those that were signed."""
    events = Events(context._replace(chains=Chains(), broken=[], progress=_ignore), partition)
    tree = CompactRange()
    for head in signed:
        first = tree.size
        whole = await events.have(head.size - first)
        entries = events.take(head.size - first)
        if hold_against(tree, entries, [head]):
            continue
        context.report.add(
            _stretch(partition, head, (first + 1, head.size), entries, whole=whole),
            until=Leaf.parse(entries[-1]).cursor if entries else None,
        )
        return
    detail = f"The kept leaves of {partition.name} are not those that were signed. Its events are as they were signed."
    context.report.add(Finding(problem="tree", detail=detail, tree=partition.name))


def _stretch(
    partition: Partition, head: Signed, numbers: tuple[int, int], entries: Sequence[bytes], *, whole: bool
) -> Finding:
    """Return the finding that somewhere in a stretch of the log something is wrong."""
    start = Leaf.parse(entries[0]) if entries else None
    what = "altered, inserted or swapped" if whole else "removed"
    detail = (
        f"Among the events {numbers[0]} to {numbers[1]} of {partition.name}, which head {head.head} covers, some were "
        f"{what}. The kept leaves were altered too, so it cannot be told which."
    )
    return Finding(
        problem="altered" if whole else "removed",
        detail=detail,
        stream=start.stream if start else None,
        version=start.version if start else None,
        cursor=start.cursor if start else None,
        tree=partition.name,
    )


def _ignore(_count: int) -> None:
    """Take no notice of progress."""
