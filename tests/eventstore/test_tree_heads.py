"""Signed tree heads: what they cover, who may sign, and that signers take turns."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from eventstore import tree_heads
from eventstore.audit_errors import LogTamperedError, ProofError
from eventstore.chain import ZERO
from eventstore.errors import MasterKeyError
from eventstore.head import Head, Tree, follows, load_head, missing, read_heads
from eventstore.leaves import Leaf, unpack
from eventstore.log import Cursor
from eventstore.merkle import leaf_hash, root_of
from eventstore.store import EventStore
from eventstore.tree_heads import TreeHeadSigner, public_keys
from tests.eventstore.logs import month, open_store, settings, superuser, write, write_history
from tests.testbed.postgres import Database

LEAVES = """
    SELECT epoch, xid, position, version, stream, hash FROM events WHERE tableoid = $1::regclass
     ORDER BY epoch, xid, position LIMIT $2
"""


async def test_a_head_states_size_and_root_of_every_partition_in_log_order(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection)
        head = await TreeHeadSigner(store).sign()
        assert head is not None
        assert len(head.trees) == 9
        for name, tree in head.trees.items():
            leaves = [Leaf(*row) for row in await connection.fetch(LEAVES, name, 10_000)]
            assert tree == Tree(len(leaves), root_of(leaf_hash(leaf.entry()) for leaf in leaves))
        last = await connection.fetchrow(
            "SELECT epoch, xid, position FROM events ORDER BY 1 DESC, 2 DESC, 3 DESC LIMIT 1"
        )
        assert last is not None
        assert head.cursor == tuple(last)
        assert await load_head(connection) == head


async def test_the_signature_is_ed25519_over_canonical_json(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write(connection, "company-7", datetime.now(UTC))
        head = await TreeHeadSigner(store).sign()
        assert head is not None
        document = head.to_json()
        signature = bytes.fromhex(document.pop("signature"))
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
        (key,) = await public_keys(connection)
        Ed25519PublicKey.from_public_bytes(key).verify(signature, canonical)
        assert Head.from_json(json.loads(json.dumps(head.to_json()))) == head
        assert not msgspec.structs.replace(head, id=2).is_genuine()
        with pytest.raises(ProofError, match="not a tree head"):
            Head.from_json({**document, "signature": "zz"})


async def test_heads_grow_out_of_one_another_reading_only_what_is_new(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree_heads, "PAGE", 7)
    async with superuser(database) as connection, open_store(database) as store:
        signer = TreeHeadSigner(store)
        assert await signer.sign() is None
        await write_history(connection, jobs=5)
        first = await signer.sign(most=20)
        assert first is not None
        assert first.id == -(-await connection.fetchval("SELECT count(*) FROM events") // 20)
        assert await signer.sign() is None
        await write(connection, "company-7", datetime.now(UTC))
        second = await signer.sign()
        assert second is not None
        assert second.previous == first.digest()
        grown = [
            row["tree"] for row in await connection.fetch("SELECT tree FROM tree_sizes WHERE head_id = $1", second.id)
        ]
        assert grown == ["events_configuration"]
        assert {name for name, tree in second.trees.items() if first.trees.get(name) != tree} == {
            "events_configuration"
        }
        heads = [head async for head in read_heads(connection, page=2)]
        assert [head.id for head in heads] == list(range(1, second.id + 1))
        assert all(head.is_genuine() for head in heads)
        assert heads[-1] == second


async def test_kept_leaves_are_those_under_the_roots(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=5)
        head = await TreeHeadSigner(store).sign(most=50)
        assert head is not None
        for name, tree in head.trees.items():
            rows = await connection.fetch(
                "SELECT start, count, leaves FROM tree_leaves WHERE tree = $1 ORDER BY start", name
            )
            entries = [entry for row in rows for entry in unpack(row["leaves"])]
            assert root_of(map(leaf_hash, entries)) == tree.root
            assert [row["start"] for row in rows] == [sum(row["count"] for row in rows[:n]) for n in range(len(rows))]


async def test_what_a_running_transaction_may_still_precede_is_not_covered(database: Database) -> None:
    async with superuser(database) as connection, superuser(database) as slow, open_store(database) as store:
        async with slow.transaction():
            await write(slow, "company-1", datetime.now(UTC))
            await write(connection, "company-2", datetime.now(UTC))
            assert await TreeHeadSigner(store).sign() is None
        head = await TreeHeadSigner(store).sign()
        assert head is not None
        assert head.trees["events_configuration"].size == 2


async def test_concurrent_signers_take_turns(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as one, open_store(database) as other:
        await write_history(connection, jobs=5)
        await asyncio.gather(*(TreeHeadSigner(store).sign(most=10) for store in (one, other, one, other)))
        heads = [head async for head in read_heads(connection)]
        count = await connection.fetchval("SELECT count(*) FROM events")
        assert sum(tree.size for tree in heads[-1].trees.values()) == count
        assert len(heads) == -(-count // 10)


async def covers(connection: asyncpg.Connection, number: int) -> bool:
    """Tell whether a head covers so many events of configuration."""
    head = await load_head(connection)
    return head is not None and head.trees["events_configuration"].size >= number


async def test_a_signer_runs_on_while_events_arrive_and_outlives_failures(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        task = asyncio.create_task(TreeHeadSigner(store).run(interval=0.01))
        for number in range(1, 4):
            await write(connection, "company-7", datetime.now(UTC))
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND datname = current_database() AND backend_type = 'client backend'"
            )
            async with asyncio.timeout(10):
                while not await covers(connection, number):
                    await asyncio.sleep(0.01)
        task.cancel()


async def test_a_clock_that_goes_back_does_not_take_heads_back(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write(connection, "company-7", datetime.now(UTC))
        await TreeHeadSigner(store).sign()
        first = await load_head(connection)
        assert first is not None
        # As if the first head had been made by a clock that went ahead.
        key = await tree_heads.signing_key(connection, store.keyring)
        ahead = msgspec.structs.replace(first, time=first.time + timedelta(hours=1))
        signature = key.private.sign(ahead.signed_bytes())
        await connection.execute("UPDATE tree_heads SET time = $1, signature = $2", ahead.time, signature)
        await write(connection, "company-7", datetime.now(UTC))
        second = await TreeHeadSigner(store).sign()
        assert second is not None
        assert second.time == ahead.time


def test_a_head_that_does_not_follow_from_the_one_before_is_told() -> None:
    trees = {"a": Tree(2, bytes(32)), "b": Tree(5, bytes(32))}
    now = datetime.now(UTC)
    first = Head(id=1, time=now, cursor=Cursor(1, 9, 9), previous=ZERO, trees=trees, public_key=b"", signature=b"1")
    second = msgspec.structs.replace(first, id=2, cursor=Cursor(1, 9, 10), previous=first.digest())
    assert not missing(first, None) and not follows(first, None)
    assert not missing(second, first) and not follows(second, first)
    assert missing(second, None) == "heads 1 to 1 are missing before it"
    for changes, message in (
        ({"previous": ZERO}, "does not follow from the head before"),
        ({"time": now - timedelta(seconds=1)}, "time is before"),
        ({"cursor": first.cursor}, "covers no more"),
        ({"trees": {"a": Tree(3, bytes(32))}}, "tree b has shrunk"),
        ({"trees": {**trees, "a": Tree(1, bytes(32))}}, "tree a has shrunk"),
    ):
        assert message in follows(msgspec.structs.replace(second, **changes), first)


async def test_nothing_is_signed_on_top_of_edges_that_were_altered(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=5)
        await TreeHeadSigner(store).sign()
        await write(connection, "company-7", datetime.now(UTC))
        for statement in (
            "UPDATE tree_edges SET edge[1] = sha256(edge[1]) WHERE tree = 'events_configuration'",
            "UPDATE tree_edges SET size = size + 64 WHERE tree = 'events_configuration'",
            "UPDATE tree_edges SET edge = '{}' WHERE tree = 'events_configuration'",
            "DELETE FROM tree_edges WHERE tree = 'events_configuration'",
            "UPDATE tree_heads SET signature = sha512(signature)",
        ):
            kept = await connection.fetch("SELECT * FROM tree_edges")
            signature = await connection.fetchval("SELECT signature FROM tree_heads")
            await connection.execute(statement)
            with pytest.raises(LogTamperedError, match="audit:verify"):
                await TreeHeadSigner(store).sign()
            await connection.execute("DELETE FROM tree_edges")
            await connection.executemany("INSERT INTO tree_edges VALUES ($1, $2, $3)", [tuple(row) for row in kept])
            await connection.execute("UPDATE tree_heads SET signature = $1", signature)
        assert await TreeHeadSigner(store).sign() is not None


async def test_the_private_key_is_bound_to_its_public_half_and_the_master_key(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write(connection, "company-7", datetime.now(UTC))
        await TreeHeadSigner(store).sign()
        await write(connection, "company-7", datetime.now(UTC))
        forged = (
            "INSERT INTO signing_keys (public_key, master_id, wrapped) SELECT $1, master_id, wrapped FROM signing_keys"
        )
        await connection.execute(forged, os.urandom(32))
        with pytest.raises(MasterKeyError, match="signing key"):
            await TreeHeadSigner(store).sign()


async def test_without_a_master_key_nothing_is_signed(database: Database) -> None:
    async with superuser(database) as connection:
        await write(connection, "company-7", datetime.now(UTC))
        async with EventStore(settings(database, master_key=""), role="owner") as store:
            with pytest.raises(MasterKeyError, match="ENCRYPTION_MASTER_KEY"):
                await TreeHeadSigner(store).sign()
        assert await connection.fetchval("SELECT count(*) FROM tree_heads") == 0


async def test_events_of_the_past_that_arrive_late_get_their_place_at_the_end(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await connection.execute("SELECT ensure_partitions($1, 1)", month(-1))
        await write(connection, "job-2", datetime.now(UTC))
        first = await TreeHeadSigner(store).sign()
        await write(connection, "job-1", month(-1))
        second = await TreeHeadSigner(store).sign()
        assert first is not None
        assert second is not None
        assert len(second.trees) == 2
        assert second.cursor > first.cursor
