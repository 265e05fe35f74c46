"""Audit the whole log: recompute everything and name the first event that is not as it was recorded and signed.

What is recomputed, in one consistent snapshot, while the log goes on growing:

- each event's digest, and the chain of its stream from version 1 on, without gaps;
- the leaves of every tree, and its root at every signed head;
- the signatures of all heads, and that each follows from the one before;
- that the stream heads, which appending goes by, agree with the last event of each stream;
- that months which are not there any more were archived as they were signed.

The heads prove what happened before they were made. Whoever may alter everything in the database could cut off the
newest heads together with the events under them, or sign anew with a key of their own: against that, an auditor keeps
the public key and a head outside and passes them in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import msgspec

from eventstore.chain import Chains
from eventstore.errors import MasterKeyError
from eventstore.findings import Difference, Finding, Report, explain
from eventstore.head import Head, Tree, follows, missing, read_heads
from eventstore.log import START, Cursor
from eventstore.merkle import CompactRange
from eventstore.partitions import Partition, partitions
from eventstore.snapshot import Source, snapshot
from eventstore.store import EventStore
from eventstore.tree_check import Context, Signed, check_tree
from eventstore.tree_heads import purpose

Progress = Callable[[int, int], None]
"""Told how many events were checked so far, and of how many."""

SELECT_KEYS = "SELECT public_key, master_id, wrapped FROM signing_keys"
SELECT_EDGES = "SELECT tree, size, edge FROM tree_edges"
SELECT_ARCHIVED = "SELECT partition, events, root FROM archived_partitions WHERE attached_at IS NULL"
COUNT_STREAMS = "SELECT coalesce(sum(version), 0)::bigint FROM streams"
WRONG_HEADS = """
    SELECT s.stream, s.version, e.hash IS NOT NULL AS found,
           coalesce((SELECT max(x.version) FROM events x WHERE x.class = s.class AND x.stream = s.stream),
                    (SELECT max(l.version) FROM archived_links l WHERE l.stream = s.stream), 0) AS last
      FROM streams s
      LEFT JOIN events e ON e.class = s.class AND e.stream = s.stream AND e.version = s.version
     WHERE (e.hash IS DISTINCT FROM s.hash OR e.company_id IS DISTINCT FROM s.company_id
            OR e.time IS DISTINCT FROM s.last_time)
       AND NOT EXISTS (SELECT FROM archived_links l
                        WHERE l.stream = s.stream AND l.version = s.version AND l.hash = s.hash)
     ORDER BY s.stream LIMIT 100
"""
BEYOND_HEADS = """
    SELECT e.epoch, e.xid, e.position, e.stream, e.version, coalesce(s.version, 0) AS head
      FROM events e LEFT JOIN streams s ON s.class = e.class AND s.stream = e.stream
     WHERE s.stream IS NULL OR e.version > s.version
     ORDER BY e.epoch, e.xid, e.position LIMIT 100
"""
TWICE = """
    SELECT e.stream, e.version, max(e.xid) AS xid, max(e.epoch) AS epoch, max(e.position) AS position FROM events e
     GROUP BY e.class, e.stream, e.version HAVING count(*) > 1
     ORDER BY e.stream, e.version LIMIT 100
"""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What an audit came to.

    Attributes
    ----------
    ok : bool
        Whether nothing was found.
    events : int
        Events that were checked.
    signed : int
        Events that a signed head covers, archived ones included.
    heads : int
        Signed heads that were checked.
    first_bad : Finding or None
        The first finding in the order of the log.
    findings : list[Finding]
        Up to 100 findings in the order of the log.
    found : int
        Number of findings.
    """

    ok: bool
    events: int
    signed: int
    heads: int
    first_bad: Finding | None
    findings: list[Finding]
    found: int

    def to_json(self) -> dict[str, Any]:
        """Return the answer of ``audit:verify``."""
        first = self.first_bad.to_json() if self.first_bad else None
        return {"ok": self.ok, "events": self.events, "first_bad": first}


async def verify(
    source: Source,
    *,
    public_key: bytes | Sequence[bytes] | None = None,
    known_head: Head | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Audit the whole log. Reads only; memory does not grow with the log.

    Parameters
    ----------
    source : Source
        Where the log is: a store, a URL, or a connection.
    public_key : bytes, Sequence[bytes] or None
        Ed25519 keys that heads may be signed with. Without it, those in the database are believed.
    known_head : Head or None
        A head that was kept elsewhere: the log must still contain it.
    progress : Progress or None
        Called after each page.

    Returns
    -------
    Verification
        What was found; nothing is raised for a log that was tampered with.
    """
    trusted = None if public_key is None else {public_key} if isinstance(public_key, bytes) else set(public_key)
    async with snapshot(source) as connection:
        audit = _Audit(connection, progress)
        wrapped = await audit.trusted_keys(source if isinstance(source, EventStore) else None)
        heads = await audit.check_heads(wrapped if trusted is None else trusted, known_head)
        await audit.check_trees(heads)
        await audit.check_streams()
        findings = audit.report.sorted()
        return Verification(
            ok=not audit.report.count,
            events=audit.events,
            signed=sum(tree.size for tree in heads.trees.values()),
            heads=heads.count,
            first_bad=findings[0] if findings else None,
            findings=findings,
            found=audit.report.count,
        )


def mistrust(head: Head, trusted: set[bytes]) -> str:
    """Return why a head cannot be believed; empty if it can."""
    if not head.is_genuine():
        return "its signature is wrong: it was altered"
    if head.public_key not in trusted:
        return f"it is signed by {head.public_key.hex() or 'an unknown key'}, which is not a trusted key"
    return ""


class _Heads:
    """What the heads that can be trusted state."""

    def __init__(self) -> None:
        self.count = 0
        self.until: Cursor = START
        self.trees: dict[str, Tree] = {}
        self.signed: dict[str, list[Signed]] = {}

    def take(self, head: Head) -> None:
        """Believe a head."""
        self.until = head.cursor
        for name, tree in head.trees.items():
            if self.trees.get(name) != tree:
                self.signed.setdefault(name, []).append(Signed(head.id, tree.size, tree.root))
        self.trees = dict(head.trees)


class _Audit:
    """One run of the audit."""

    def __init__(self, connection: asyncpg.Connection, progress: Progress | None) -> None:
        self._connection = connection
        self._progress = progress
        self._total = 0
        self._archived = 0
        self.events = 0
        self.report = Report()

    async def trusted_keys(self, store: EventStore | None) -> set[bytes]:
        """Return the signing keys in the database; of a store with a master key, only those that this one made."""
        keys: set[bytes] = set()
        for public_key, master_id, wrapped in await self._connection.fetch(SELECT_KEYS):
            if store is not None and store.settings.master_key:
                try:
                    store.keyring.master(master_id).unwrap(wrapped, purpose(public_key))
                except MasterKeyError as error:
                    self._found("tree head", f"Signing key {public_key.hex()} is not one of this installation: {error}")
                    continue
            keys.add(public_key)
        return keys

    async def check_heads(self, trusted: set[bytes], known: Head | None) -> _Heads:
        """Check all heads: who signed them, and that each follows from the one before."""
        heads = _Heads()
        before: Head | None = None
        seen = known is None
        async for head in read_heads(self._connection):
            heads.count += 1
            if wrong := missing(head, before) or mistrust(head, trusted) or follows(head, before):
                self._found("tree head", f"Tree head {head.id} of {head.time.isoformat()}: {wrong}.")
            else:
                heads.take(head)
            seen = seen or head == known
            before = head
        if not seen and known is not None:
            detail = f"Tree head {known.id}, which was kept elsewhere, is not in the log: it was rewritten or cut off."
            self._found("tree head", detail)
        return heads

    async def check_trees(self, heads: _Heads) -> None:
        """Check every partition, and that those which are gone were archived."""
        attached = await partitions(self._connection)
        await self._check_archived(heads, {partition.name for partition in attached})
        await self._check_edges(heads)
        self._total = await self._connection.fetchval(COUNT_STREAMS) - self._archived
        broken: list[Finding] = []
        differing: list[Difference] = []
        context = Context(self._connection, heads.until, self._advance, self.report, Chains(), broken, differing)
        for partition in attached:
            await check_tree(context, partition, heads.signed.get(partition.name, ()))
        await explain(self._connection, differing, broken, heads.until, self.report)

    async def _check_archived(self, heads: _Heads, attached: set[str]) -> None:
        rows = await self._connection.fetch(SELECT_ARCHIVED)
        archived = {
            row["partition"]: Tree(row["events"], row["root"]) for row in rows if row["partition"] not in attached
        }
        self._archived = sum(tree.size for tree in archived.values())
        for name, tree in archived.items():
            if heads.trees.get(name) != tree:
                self._found(
                    "archive", f"What is recorded about the archived partition {name} is not what was signed.", name
                )
        for name in sorted(heads.trees.keys() - attached - archived.keys()):
            detail = f"Partition {name} with {heads.trees[name].size} events is gone, but was not archived."
            self._found("removed", detail, name)

    async def _check_edges(self, heads: _Heads) -> None:
        edges: dict[str, Tree | None] = {}
        for name, size, edge in await self._connection.fetch(SELECT_EDGES):
            try:
                edges[name] = Tree(size, CompactRange(size, edge).root())
            except ValueError:
                edges[name] = None
        for name in sorted(heads.trees.keys() | edges.keys()):
            if name not in edges or edges[name] != heads.trees.get(name):
                detail = f"The edge of tree {name}, on which the next head builds, is not what was signed."
                self._found("tree", detail, name)

    async def check_streams(self) -> None:
        """Check that the head of each stream, which appending goes by, agrees with its last event."""
        for stream, version, found, last in await self._connection.fetch(WRONG_HEADS):
            if found or last > version:
                detail = f"The head of stream {stream} does not agree with its event {version}."
                self.report.add(Finding(problem="stream head", detail=detail, stream=stream, version=version))
            else:
                detail = f"Stream {stream} ends at version {last}; its head says {version}."
                self.report.add(Finding(problem="cut off", detail=detail, stream=stream, version=last + 1))
        if self.events == self._total:
            return
        for epoch, xid, position, stream, version, head in await self._connection.fetch(BEYOND_HEADS):
            detail = f"Event {stream}@{version} is beyond the head of its stream, which says {head}."
            cursor = Cursor(epoch, xid, position)
            self.report.add(
                Finding(problem="stream head", detail=detail, stream=stream, version=version, cursor=cursor)
            )
        for stream, version, xid, epoch, position in await self._connection.fetch(TWICE):
            detail = f"Event {stream}@{version} is there twice."
            cursor = Cursor(epoch, xid, position)
            self.report.add(Finding(problem="inserted", detail=detail, stream=stream, version=version, cursor=cursor))
        if not self.report.count:
            detail = f"There are {self.events} events; the stream heads and archives account for {self._total}."
            self._found("stream head", detail)

    def _advance(self, count: int) -> None:
        self.events += count
        if self._progress is not None:
            self._progress(self.events, self._total)

    def _found(self, problem: str, detail: str, tree: str | None = None) -> None:
        self.report.add(Finding(problem=problem, detail=detail, tree=tree))


__all__ = ["Finding", "Partition", "Progress", "Verification", "verify"]
