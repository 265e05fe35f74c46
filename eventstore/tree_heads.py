"""Make signed tree heads: what arrived in the log since the last one, as new leaves of the trees, signed as one.

Runs in the projector. Any number may run: they take turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventstore.audit_errors import LogTamperedError
from eventstore.chain import ZERO
from eventstore.errors import EventStoreError
from eventstore.head import Head, Tree, load_head
from eventstore.keyring import Keyring
from eventstore.leaves import Leaf, pack
from eventstore.log import START, Cursor
from eventstore.merkle import CompactRange, leaf_hash
from eventstore.partitions import partitions
from eventstore.store import EventStore

INTERVAL = 60.0
"""Seconds between heads."""

PAGE = 5_000
"""Leaves read at a time."""

MOST = 100_000
"""Leaves under one head; a longer backlog gets several heads."""

CHUNK = 1_024
"""Leaf entries kept in one row."""

# Statistics lag behind the tail of a log, and a planner that believes it to be short would sort all of it each time.
BY_INDEX = """
    SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
    SET LOCAL plan_cache_mode = force_generic_plan
"""
LOCK = "SELECT pg_advisory_xact_lock(hashtext('multiflexi.tree_heads'))"
NEW_LEAVES = """
    SELECT e.tableoid::bigint, e.epoch, e.xid, e.position, e.version, e.stream, e.hash
      FROM events e
     WHERE (e.epoch, e.xid, e.position) > ($1, $2, $3)
       AND (e.epoch < (SELECT max(l.epoch) FROM log_epoch l) OR e.xid < pg_snapshot_xmin(pg_current_snapshot()))
     ORDER BY e.epoch, e.xid, e.position LIMIT $4
"""
SELECT_EDGES = "SELECT tree, size, edge FROM tree_edges"
SELECT_KEY = """
    SELECT id, public_key, master_id, wrapped FROM signing_keys WHERE retired_at IS NULL ORDER BY id DESC LIMIT 1
"""
INSERT_KEY = "INSERT INTO signing_keys (public_key, master_id, wrapped) VALUES ($1, $2, $3) RETURNING id"
INSERT_HEAD = """
    INSERT INTO tree_heads (id, time, epoch, xid, position, previous, key_id, signature)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
INSERT_SIZES = """
    INSERT INTO tree_sizes (head_id, tree, size, root)
    SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bytea[])
"""
INSERT_LEAVES = "INSERT INTO tree_leaves (tree, start, count, leaves) VALUES ($1, $2, $3, $4)"
UPSERT_EDGE = """
    INSERT INTO tree_edges (tree, size, edge) VALUES ($1, $2, $3)
    ON CONFLICT (tree) DO UPDATE SET size = excluded.size, edge = excluded.edge
"""
SELECT_PUBLIC_KEYS = "SELECT public_key FROM signing_keys ORDER BY id"

DATABASE_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a connection that breaks at a bad moment may raise."""

log = structlog.get_logger(__name__)


class SigningKey(NamedTuple):
    """An Ed25519 key pair with the id of its row."""

    id: int
    private: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The public half, 32 bytes."""
        return self.private.public_key().public_bytes_raw()


class Growth:
    """A tree with the leaves that it gets under the next head."""

    def __init__(self, size: int, edge: Sequence[bytes]) -> None:
        self.tree = CompactRange(size, edge)
        self.start = size
        self.entries: list[bytes] = []

    def chunks(self) -> list[tuple[int, int, bytes]]:
        """Return start, count and packed entries of the rows that keep the new leaves."""
        chunks: list[tuple[int, int, bytes]] = []
        for offset in range(0, len(self.entries), CHUNK):
            entries = self.entries[offset : offset + CHUNK]
            chunks.append((self.start + offset, len(entries), pack(entries)))
        return chunks


def purpose(public_key: bytes) -> str:
    """Return what the private half of a signing key is wrapped for: it is bound to its public half."""
    return f"signing key {public_key.hex()}"


async def public_keys(connection: asyncpg.Connection) -> list[bytes]:
    """Return the public keys that tree heads were ever signed with, to be handed to an auditor."""
    return [row["public_key"] for row in await connection.fetch(SELECT_PUBLIC_KEYS)]


class TreeHeadSigner:
    """Makes signed tree heads of the log of a store.

    Parameters
    ----------
    store : EventStore
        Open, with role ``projector`` and the master key.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def sign(self, most: int = MOST) -> Head | None:
        """Make a head of what is new in the log, several if that is much; return the newest, None if nothing is new.

        Raises
        ------
        LogTamperedError
            The stored edges of the trees contradict the last head: nothing is signed on top of it.
        MasterKeyError
            The signing key does not open.
        """
        newest: Head | None = None
        while True:
            head, more = await self._sign_next(most)
            newest = head or newest
            if not more:
                return newest

    async def run(self, interval: float = INTERVAL) -> None:
        """Make a head every so many seconds if there is something new, for ever."""
        while True:
            try:
                await self.sign()
            except LogTamperedError as error:
                log.error("no tree head is signed: the log was tampered with", error=str(error))
            except (OSError, *DATABASE_ERRORS, EventStoreError) as error:
                log.warning("no tree head this time; trying again", error=str(error), seconds=interval)
            await asyncio.sleep(interval)

    async def _sign_next(self, most: int) -> tuple[Head | None, bool]:
        """Make one head; tell whether more events than that one covers may be waiting."""
        async with self._store.pool.acquire() as pooled, pooled.transaction():
            connection: Any = pooled
            await connection.execute(LOCK)
            await connection.execute(BY_INDEX)
            last = await load_head(connection)
            trees = await self._trees(connection, last)
            cursor, count = await read_new(connection, trees, last.cursor if last else START, most)
            if not count:
                return None, False
            # Only from here on does the transaction have an id that readers wait for.
            key = await signing_key(connection, self._store.keyring)
            head = await self._write(connection, key, last, cursor, trees)
            return head, count >= most

    async def _trees(self, connection: asyncpg.Connection, last: Head | None) -> dict[str, Growth]:
        rows = await connection.fetch(SELECT_EDGES)
        signed = dict(last.trees) if last else {}
        try:
            trees = {row["tree"]: Growth(row["size"], row["edge"]) for row in rows}
        except ValueError as error:
            raise _tampered(str(error)) from error
        stored = {name: Tree(growth.tree.size, growth.tree.root()) for name, growth in trees.items()}
        if stored != signed:
            differing = sorted(name for name in stored.keys() | signed.keys() if stored.get(name) != signed.get(name))
            raise _tampered(f"the edges of {', '.join(differing)} are not those of head {last.id if last else 0}")
        if last is not None and not last.is_genuine():
            raise _tampered(f"the signature of head {last.id} is wrong")
        return trees

    @staticmethod
    async def _write(
        connection: asyncpg.Connection,
        key: SigningKey,
        last: Head | None,
        cursor: Cursor,
        trees: Mapping[str, Growth],
    ) -> Head:
        now = await connection.fetchval("SELECT clock_timestamp()")
        head = Head(
            id=last.id + 1 if last else 1,
            time=max(now, last.time) if last else now,
            cursor=cursor,
            previous=last.digest() if last else ZERO,
            trees={name: Tree(growth.tree.size, growth.tree.root()) for name, growth in trees.items()},
            public_key=key.public,
        )
        signature = key.private.sign(head.signed_bytes())
        await connection.execute(INSERT_HEAD, head.id, head.time, *cursor, head.previous, key.id, signature)
        grown = [(name, growth) for name, growth in trees.items() if growth.entries]
        await connection.execute(
            INSERT_SIZES,
            head.id,
            [name for name, _ in grown],
            [growth.tree.size for _, growth in grown],
            [growth.tree.root() for _, growth in grown],
        )
        chunks = [(name, *chunk) for name, growth in grown for chunk in growth.chunks()]
        await connection.executemany(INSERT_LEAVES, chunks)
        await connection.executemany(
            UPSERT_EDGE, [(name, growth.tree.size, growth.tree.edge) for name, growth in grown]
        )
        return msgspec.structs.replace(head, signature=signature)


async def read_new(
    connection: asyncpg.Connection, trees: dict[str, Growth], after: Cursor, most: int
) -> tuple[Cursor, int]:
    """Let trees grow by the events after a cursor that no earlier one can precede any more, at most ``most``.

    Returns
    -------
    tuple[Cursor, int]
        Cursor of the last event, number of events.
    """
    names = {partition.oid: partition.name for partition in await partitions(connection)}
    count = 0
    while count < most:
        limit = min(PAGE, most - count)
        rows = await connection.fetch(NEW_LEAVES, *after, limit)
        fresh: dict[int, list[bytes]] = {}
        for oid, *columns in rows:
            fresh.setdefault(oid, []).append(Leaf(*columns).entry())
        for oid, entries in fresh.items():
            if oid not in names:
                names = {partition.oid: partition.name for partition in await partitions(connection)}
            growth = trees.setdefault(names[oid], Growth(0, ()))
            growth.entries += entries
            growth.tree.extend([leaf_hash(entry) for entry in entries])
        count += len(rows)
        if rows:
            after = Cursor(*rows[-1][1:4])
        if len(rows) < limit:
            break
        await asyncio.sleep(0)
    return after, count


async def signing_key(connection: asyncpg.Connection, keyring: Keyring) -> SigningKey:
    """Return the key that heads are signed with; make it if there is none.

    Raises
    ------
    MasterKeyError
        There is no master key, or it does not open the signing key.
    LogTamperedError
        The public half that is stored is not that of the private half.
    """
    row = await connection.fetchrow(SELECT_KEY)
    if row is None:
        private = Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        wrapped = keyring.master(keyring.master_id).wrap(private.private_bytes_raw(), purpose(public))
        return SigningKey(await connection.fetchval(INSERT_KEY, public, keyring.master_id, wrapped), private)
    opened = keyring.master(row["master_id"]).unwrap(row["wrapped"], purpose(row["public_key"]))
    key = SigningKey(row["id"], Ed25519PrivateKey.from_private_bytes(opened))
    if key.public != row["public_key"]:
        raise _tampered("the public key stored beside the signing key is another one")
    return key


def _tampered(what: str) -> LogTamperedError:
    return LogTamperedError(
        f"The log was tampered with: {what}. Nothing was signed. Run `multiflexi-cli audit:verify`."
    )


__all__ = ["SigningKey", "TreeHeadSigner", "public_keys", "purpose", "signing_key"]
