"""What a superuser could do to a log, past all triggers. Each returns the events that an audit may name first."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import asyncpg

Names = set[tuple[str, int]]

CONTENT = ("type", "company_id", "time", "data", "meta", "payload")
PLACE = ("epoch", "xid", "position")
COLUMNS = (*PLACE, "class", "stream", "version", *CONTENT, "hash")

EVENTS = "SELECT ctid, tableoid, * FROM events ORDER BY epoch, xid, position"
REHASH = """
    WITH RECURSIVE chain AS (
        SELECT s.version, s.tableoid, s.ctid, s.hash FROM events s WHERE s.stream = $1 AND s.version = $2
        UNION ALL
        SELECT e.version, e.tableoid, e.ctid, sha256(c.hash || event_digest(
                   e.stream, e.type, e.company_id, micros_of(e.time), e.data::text, e.meta::text, sha256(e.payload)))
          FROM chain c JOIN events e ON e.stream = $1 AND e.version = c.version + 1
    )
    UPDATE events e SET hash = c.hash FROM chain c
     WHERE e.tableoid = c.tableoid AND e.ctid = c.ctid AND e.stream = $1 AND e.version = c.version
"""
REHASH_FIRST = """
    UPDATE events e SET hash = sha256(decode(repeat('00', 32), 'hex') || event_digest(
           e.stream, e.type, e.company_id, micros_of(e.time), e.data::text, e.meta::text, sha256(e.payload)))
     WHERE e.stream = $1 AND e.version = 1
"""
FIX_HEAD = """
    UPDATE streams s SET version = e.version, hash = e.hash, xid = e.xid, last_time = e.time, company_id = e.company_id
      FROM (SELECT * FROM events WHERE stream = $1 ORDER BY version DESC LIMIT 1) e WHERE s.stream = $1
"""
DROP_HEAD = "DELETE FROM streams s WHERE s.stream = $1 AND NOT EXISTS (SELECT FROM events e WHERE e.stream = $1)"


class Case(NamedTuple):
    """The log that is tampered with."""

    connection: asyncpg.Connection
    chance: random.Random
    events: list[asyncpg.Record]

    def pick(self, wanted: Callable[[asyncpg.Record], bool] = lambda _: True) -> asyncpg.Record:
        """Return a random event."""
        return self.chance.choice([event for event in self.events if wanted(event)])

    async def set(self, event: asyncpg.Record, column: str, value: Any) -> None:
        """Change one column of one event."""
        # Tests build this statement from names of their own.
        statement = f"UPDATE events SET {column} = $1 WHERE tableoid = $2 AND ctid = $3"
        await self.connection.execute(statement, value, event["tableoid"], event["ctid"])

    async def remove(self, event: asyncpg.Record) -> None:
        """Remove one event."""
        await self.connection.execute(
            "DELETE FROM events WHERE tableoid = $1 AND ctid = $2", event["tableoid"], event["ctid"]
        )

    async def rehash(self, stream: str, version: int) -> None:
        """Make the chain of a stream right from a version on, and its head with it."""
        if version <= 1:
            await self.connection.execute(REHASH_FIRST, stream)
        await self.connection.execute(REHASH, stream, max(1, version - 1))
        await self.fix_head(stream)

    async def fix_head(self, stream: str) -> None:
        """Make the head of a stream agree with its last event."""
        await self.connection.execute(FIX_HEAD, stream)
        await self.connection.execute(DROP_HEAD, stream)


def name(event: asyncpg.Record) -> tuple[str, int]:
    """Return how an audit names an event."""
    return event["stream"], event["version"]


def flipped(chance: random.Random, value: bytes) -> bytes:
    """Return bytes with one bit changed."""
    place = chance.randrange(len(value))
    return value[:place] + bytes([value[place] ^ 1 << chance.randrange(8)]) + value[place + 1 :]


async def alter(case: Case, event: asyncpg.Record, column: str) -> None:
    """Change a column of an event a little."""
    value, chance = event[column], case.chance
    if column in ("position", "xid"):
        value += chance.choice([-1, 1]) * 1_000_000 * chance.randint(1, 9)
        value = value if column == "position" else max(3, value)
    elif column == "epoch":
        value += chance.choice([-1, 1])
    elif column == "version":
        value += 1000
    elif column == "company_id":
        value = None if chance.random() < 0.3 else value + 1
    elif column in ("data", "meta"):
        value = value[:-1] + ', "x": 1}' if len(value) > 2 else '{"x": 1}'
    elif column == "payload":
        value = flipped(chance, value) if value else b"\0"
    elif column == "hash":
        value = flipped(chance, value)
    elif column == "class":
        value = {1: 1, 2: 3, 3: 2}[value]
    elif column == "time":
        value = value.replace(microsecond=(value.microsecond + chance.randint(1, 999)) % 1_000_000)
    else:
        value = value.replace(value[0], chr(ord(value[0]) ^ 1), 1)
    await case.set(event, column, value)


async def change(case: Case) -> Names:
    """Change a byte in any column of any event."""
    column = case.chance.choice(COLUMNS)
    event = case.pick(lambda each: column != "class" or each["class"] != 1)
    await alter(case, event, column)
    return {name(event)}


async def change_and_rehash(case: Case) -> Names:
    """Change the content of an event and make the chain after it right again."""
    event = case.pick()
    await alter(case, event, case.chance.choice([column for column in CONTENT if column != "time"]))
    await case.rehash(*name(event))
    return {name(event)}


async def remove(case: Case) -> Names:
    """Remove an event."""
    event = case.pick()
    await case.remove(event)
    return {name(event)}


async def remove_and_rehash(case: Case) -> Names:
    """Remove an event, close the gap in the versions, and make chain and head right again."""
    event = case.pick()
    await case.remove(event)
    for later in case.events:
        if later["stream"] == event["stream"] and later["version"] > event["version"]:
            await case.set(later, "version", later["version"] - 1)
    # Updated rows stand elsewhere; what follows goes by stream and version.
    await case.rehash(*name(event))
    return {name(event)}


async def insert(case: Case) -> Names:
    """Insert an event at the end of a stream, at an earlier place in the log, with the right hash."""
    event = case.pick(lambda each: each["xid"] < case.events[-1]["xid"])
    last = max((each for each in case.events if each["stream"] == event["stream"]), key=lambda each: each["version"])
    stream, version = last["stream"], last["version"] + 1
    columns = [column for column in COLUMNS if column not in ("version", "position", "xid")]
    await case.connection.execute(
        f"INSERT INTO events (version, position, xid, {', '.join(columns)}) "
        f"SELECT version + 1, $3 + 500000, $4, {', '.join(columns)} FROM events WHERE stream = $1 AND version = $2",
        stream,
        last["version"],
        event["position"],
        event["xid"],
    )
    if case.chance.random() < 0.7:
        await case.rehash(stream, version)
    return {(stream, version)}


async def insert_stream(case: Case) -> Names:
    """Insert a stream that never was, at an earlier place in the log."""
    event = case.pick(lambda each: each["xid"] < case.events[-1]["xid"])
    stream = f"{event['stream'].partition('-')[0]}-99{case.chance.randrange(1000)}"
    columns = ", ".join(column for column in COLUMNS if column not in ("version", "stream", "position"))
    await case.connection.execute(
        f"INSERT INTO events (version, stream, position, {columns}) "
        f"SELECT 1, $1, position + 500000, {columns} FROM events WHERE tableoid = $2 AND ctid = $3",
        stream,
        event["tableoid"],
        event["ctid"],
    )
    if case.chance.random() < 0.7:
        await case.connection.execute(REHASH_FIRST, stream)
        await case.connection.execute(
            "INSERT INTO streams SELECT stream, class, company_id, version, hash, xid, time, time FROM events "
            "WHERE stream = $1",
            stream,
        )
    return {(stream, 1)}


SWAPS = (("data",), ("data", "meta", "type"), ("hash",), ("type", "data", "meta", "payload"), PLACE, PLACE)


async def swap(case: Case) -> Names:
    """Swap two events: what they say, or where they stand in the log."""
    columns = case.chance.choice(SWAPS)
    first = case.pick()
    second = case.pick()
    while [first[column] for column in columns] == [second[column] for column in columns]:
        first, second = case.pick(), case.pick()
    # No two events may stand in one place, not even for a moment.
    await case.connection.execute("UPDATE events SET position = -1 WHERE stream = $1 AND version = $2", *name(first))
    places = "position" in columns
    for event, other in ((second, first), (first, second)):
        taken = {column: other[column] for column in columns}
        if not places and event is first:
            taken["position"] = first["position"]
        for column, value in taken.items():
            await case.connection.execute(
                f"UPDATE events SET {column} = $1 WHERE stream = $2 AND version = $3", value, *name(event)
            )
    return {name(first), name(second)}


async def cut_stream(case: Case) -> Names:
    """Cut off the end of a stream; a clever one sets its head back."""
    event = case.pick()
    for later in case.events:
        if later["stream"] == event["stream"] and later["version"] >= event["version"]:
            await case.remove(later)
    if case.chance.random() < 0.7:
        await case.fix_head(event["stream"])
    return {name(event)}


async def cut_log(case: Case) -> Names:
    """Cut off the end of the log, with all heads set back."""
    start = case.chance.randrange(len(case.events) * 3 // 4, len(case.events))
    for event in case.events[start:]:
        await case.remove(event)
    for stream in {event["stream"] for event in case.events[start:]}:
        await case.fix_head(stream)
    return {name(case.events[start])}


TAMPERINGS: tuple[Callable[[Case], Awaitable[Names]], ...] = (
    change, change, change, change_and_rehash, remove, remove_and_rehash, insert, insert_stream, swap, swap,
    cut_stream, cut_log,
)  # fmt: skip
