"""What an audit finds: each finding says which event, and what was done to it.

The signed roots vouch for the leaf entries that are kept beside the log. Where events differ from these entries, the
differences of all trees together tell what was done: an entry without an event was removed (or cut off, if it was the
end of its stream), an event without an entry was inserted, two that stand in each other's place were swapped.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import asyncpg
import msgspec

from eventstore.leaves import Leaf
from eventstore.log import Cursor

MOST = 100
"""Findings that are kept; the rest is counted."""

MOST_DIFFERENCES = 10_000
"""Differences that are kept for telling what was done."""

NEXT_OF_STREAM = """
    SELECT e.epoch, e.xid, e.position, e.version, e.stream, e.hash FROM events e
     WHERE e.stream = $1 AND e.version >= $2 ORDER BY e.version LIMIT 1
"""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it was recorded and signed.

    Attributes
    ----------
    problem : str
        ``altered``, ``removed``, ``inserted``, ``swapped``, ``moved`` (its place in the log), ``cut off`` (the end of a
        stream was removed); ``stream head``, ``tree head``, ``tree``, ``archive`` when not an event is wrong but what
        is kept about events.
    detail : str
        A sentence for people.
    stream, version
        The event, if it is known.
    cursor : Cursor or None
        Its place in the log.
    tree : str or None
        Partition in which it was found.
    """

    problem: str
    detail: str
    stream: str | None = None
    version: int | None = None
    cursor: Cursor | None = None
    tree: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the finding as a JSON document."""
        return {
            "problem": self.problem,
            "stream": self.stream,
            "version": self.version,
            "position": self.cursor.position if self.cursor else None,
            "cursor": str(self.cursor) if self.cursor else None,
            "partition": self.tree,
            "detail": self.detail,
        }


class Report:
    """Collects findings; says which comes first in the log."""

    def __init__(self) -> None:
        self._findings: list[tuple[Cursor | None, Finding]] = []
        self._named: set[tuple[str | None, int | None]] = set()
        self._places: set[Cursor] = set()
        self.count = 0

    def add(self, finding: Finding, *, until: Cursor | None = None) -> None:
        """Add a finding, unless the same event is named already.

        Parameters
        ----------
        finding : Finding
            What was found.
        until : Cursor or None
            End of the stretch of the log in which the fault lies, if it is not known better.
        """
        name = (finding.stream, finding.version)
        if finding.stream is not None and (name in self._named or finding.cursor in self._places):
            return
        self.count += 1
        if len(self._findings) >= MOST:
            return
        self._findings.append((until or finding.cursor, finding))
        if finding.stream is not None and until is None:
            self._named.add(name)
            if finding.cursor is not None:
                self._places.add(finding.cursor)

    def sorted(self) -> list[Finding]:
        """Return the findings in the order of the log; those without a place in it last."""
        end = Cursor(2**15, 2**64, 2**63)
        return [finding for _, finding in sorted(self._findings, key=lambda item: item[0] or end)]


class Difference(NamedTuple):
    """A leaf that differs: as it was kept under a signed head (None: no such), and as it is now (None: gone)."""

    tree: str
    cursor: Cursor
    kept: Leaf | None
    found: Leaf | None


def differences(tree: str, kept: list[bytes], found: list[bytes]) -> list[Difference]:
    """Return how two stretches of leaf entries, each in log order, differ."""
    before = {leaf.cursor: leaf for leaf in map(Leaf.parse, kept)}
    now = {leaf.cursor: leaf for leaf in map(Leaf.parse, found)}
    return [
        Difference(tree, cursor, before.get(cursor), now.get(cursor))
        for cursor in sorted(before.keys() | now.keys())
        if before.get(cursor) != now.get(cursor)
    ]


def _identity(leaf: Leaf) -> tuple[str, int, bytes]:
    return leaf.stream, leaf.version, leaf.hash


async def explain(
    connection: asyncpg.Connection,
    differing: list[Difference],
    broken: list[Finding],
    until: Cursor,
    report: Report,
) -> None:
    """Tell what was done to the events, and add it to the report.

    Parameters
    ----------
    connection : asyncpg.Connection
        Where the log is.
    differing : list[Difference]
        Leaves of all trees that differ from those that were signed.
    broken : list[Finding]
        Events that do not follow from the one before them in their stream.
    until : Cursor
        Place up to which the heads vouch for the order of the log.
    report : Report
        Where the findings go.
    """
    gone = {_identity(each.kept): each for each in differing if each.kept}
    come = {_identity(each.found): each for each in differing if each.found}
    altered = {(finding.stream, finding.version) for finding in broken if finding.problem == "altered"}
    for each in sorted(differing, key=lambda difference: difference.cursor):
        if report.count >= MOST:
            report.count += 1
        elif each.kept is None:
            if each.found is not None and _identity(each.found) not in gone:
                report.add(_finding("inserted", each.tree, each.found, "was not there when the log was signed"))
        elif each.found is None:
            finding = await _explain_gone(connection, each.tree, each.kept, come.get(_identity(each.kept)))
            if finding.problem == "moved" and (finding.stream, finding.version) in altered:
                finding = _finding("altered", each.tree, each.kept, "was altered: it belongs elsewhere now")
            report.add(finding)
        elif _identity(each.kept) in come and _identity(each.found) in gone:
            other = come[_identity(each.kept)].cursor
            report.add(_finding("swapped", each.tree, each.kept, f"stands at {other} now"))
        else:
            report.add(_finding("altered", each.tree, each.kept, _what_differs(each.kept, each.found)))
    for finding in broken[:MOST]:
        explained = await _explain_gap(connection, finding) if finding.problem == "removed" else finding
        if not (differing and explained.problem == "swapped" and explained.cursor and explained.cursor <= until):
            report.add(explained)


async def _explain_gone(connection: asyncpg.Connection, tree: str, kept: Leaf, elsewhere: Difference | None) -> Finding:
    if elsewhere is not None:
        return _finding("moved", tree, kept, f"stands at {elsewhere.cursor} in {elsewhere.tree} now")
    after = await _next_of_stream(connection, kept.stream, kept.version)
    if after is None:
        return _finding("cut off", tree, kept, "is gone, and so is all of its stream after it")
    if _identity(after) == _identity(kept):
        return _finding("moved", tree, kept, f"stands at {after.cursor} now")
    return _finding("removed", tree, kept, "is gone")


async def _explain_gap(connection: asyncpg.Connection, finding: Finding) -> Finding:
    """Tell an event that is missing from one that only comes too late in the log."""
    stream, version = finding.stream or "", finding.version or 0
    late = await _next_of_stream(connection, stream, version)
    if late is None or late.version != version:
        return finding
    return _finding(
        "swapped", finding.tree or "", late, f"comes after later events of its stream (from {finding.cursor})"
    )


async def _next_of_stream(connection: asyncpg.Connection, stream: str, version: int) -> Leaf | None:
    row = await connection.fetchrow(NEXT_OF_STREAM, stream, version)
    return None if row is None else Leaf(*row)


def _finding(problem: str, tree: str, leaf: Leaf, what: str) -> Finding:
    return Finding(
        problem=problem,
        detail=f"Event {leaf.stream}@{leaf.version} at {leaf.cursor} {what}.",
        stream=leaf.stream,
        version=leaf.version,
        cursor=leaf.cursor,
        tree=tree,
    )


def _what_differs(kept: Leaf, found: Leaf) -> str:
    if kept.stream != found.stream:
        return f"was altered: its stream is {found.stream[:80]} now"
    if kept.version != found.version:
        return f"was altered: its version is {found.version} now"
    return "was altered: its hash is not the one that was signed"
