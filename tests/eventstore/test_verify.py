"""The audit of the whole log: one that is as it was passes; what was altered beside the events is found as well."""

from __future__ import annotations

import asyncio
import hashlib
import random
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.company_events import CompanyCreated
from domain.job_events import OutputCaptured
from eventstore import tree_check
from eventstore.chain import ZERO, Chains
from eventstore.connection import server_settings
from eventstore.head import Head, Tree, load_head, read_heads
from eventstore.leaves import Leaf
from eventstore.log import NO_STREAM, Append
from eventstore.merkle import CompactRange, leaf_hash
from eventstore.tree_heads import Growth, TreeHeadSigner, public_keys
from eventstore.verify import Verification, verify
from tests.eventstore.appends import NOON, one
from tests.eventstore.logs import open_store, settings, superuser, write, write_history
from tests.eventstore.tamperings import EVENTS, Case
from tests.testbed.postgres import Database


async def test_a_payload_with_the_digest_of_another_is_found(database: Database) -> None:
    output = OutputCaptured(job_id=1, company_id=7, channel="stdout", offset=0, length=3, captured_at=NOON)
    false = hashlib.sha256(b"what it is not").digest()
    async with open_store(database) as store:
        await store.append(one("output-1", NO_STREAM, output, payloads=[b"abc"]))
        assert (await verify(store)).ok
        await store.append(one("output-1", 1, output, payloads=[b"abc"], payload_digests=[false]))
        found = await verify(store)
    assert not found.ok
    assert found.first_bad is not None
    assert "output-1" in str(found.first_bad)


@pytest.mark.postgres_versions(15, 18)
async def test_a_log_as_it_was_recorded_passes(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        assert (await verify(store)).to_json() == {"ok": True, "events": 0, "first_bad": None}
        await write_history(connection)
        unsigned = await verify(store)
        assert unsigned.ok
        assert unsigned.signed == 0
        await TreeHeadSigner(store).sign(most=30)
        found = await verify(store)
        count = await connection.fetchval("SELECT count(*) FROM events")
        assert (found.ok, found.events, found.signed, found.heads) == (True, count, count, -(-count // 30))
        for source in (database.app_url, connection):
            assert await verify(source) == found


async def test_the_auditor_reads_only(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=3)
        await TreeHeadSigner(store).sign()
    auditor = await asyncpg.connect(database.app_url, server_settings=server_settings("auditor", "*", "audit"))
    try:
        assert (await verify(auditor)).ok
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await auditor.execute("UPDATE streams SET version = 1")
    finally:
        await auditor.close()


async def test_progress_tells_how_many_of_how_many(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_check, "PAGE", 10)
    async with superuser(database) as connection:
        await write_history(connection, jobs=8)
        count = await connection.fetchval("SELECT count(*) FROM events")
        steps: list[tuple[int, int]] = []
        await verify(connection, progress=lambda done, of: steps.append((done, of)))
        assert steps[-1] == (count, count)
        assert [done for done, _ in steps] == sorted({done for done, _ in steps})
        assert len(steps) > count / 10


async def test_events_may_arrive_meanwhile(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_check, "PAGE", 5)
    async with superuser(database) as connection, superuser(database) as writing, open_store(database) as store:
        await write_history(connection, jobs=8)
        signer = TreeHeadSigner(store)
        await signer.sign()
        stopped = asyncio.Event()

        async def arrive() -> int:
            number = 0
            while not stopped.is_set():
                number += 1
                await write(writing, f"job-{1000 + number % 50}", datetime.now(UTC))
                if number % 10 == 0:
                    await signer.sign()
            return number

        arriving = asyncio.create_task(arrive())
        for _ in range(5):
            found = await verify(store)
            assert found.ok, found
        stopped.set()
        assert await arriving > 10
        assert (await verify(store)).ok


async def test_an_erasure_passes(database: Database) -> None:
    async with open_store(database, role="app") as store, open_store(database) as daemon:
        created = CompanyCreated(
            company_id=7, uuid="u", name="Acme", code="acme", time_zone="UTC", email="a@example.com"
        )
        await store.append(Append(stream="company-7", company_id=7, events=[created], expected=NO_STREAM))
        await TreeHeadSigner(daemon).sign()
        assert await store.keyring.destroy("company:7")
        found = await verify(store)
        assert (found.ok, found.events, found.signed) == (True, 1, 1)


async def test_chains_are_checked_with_little_memory_too(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_check, "PAGE", 7)
    monkeypatch.setattr(Chains.__init__, "__defaults__", (3,))
    async with superuser(database) as connection:
        await write_history(connection)
        assert (await verify(connection)).ok
        event = (await connection.fetch("SELECT * FROM events WHERE version = 2 AND class = 2 ORDER BY position"))[5]
        await connection.execute("UPDATE events SET type = 'Other' WHERE position = $1", event["position"])
        found = await verify(connection)
        assert found.found == 1
        assert named(found) == (event["stream"], 2, "altered")


def named(found: Verification) -> tuple[Any, ...]:
    first = found.first_bad
    assert first is not None
    return first.stream, first.version, first.problem


# What each statement does to the events that no head covers yet, and what the audit says.
UNSIGNED = {
    "altered": (
        "UPDATE events SET data = '{\"a\": 1}' WHERE stream = 'job-3' AND version = 2",
        ("job-3", 2, "altered"),
    ),
    "hash": ("UPDATE events SET hash = sha256(hash) WHERE stream = 'job-3' AND version = 2", ("job-3", 2, "altered")),
    "removed": ("DELETE FROM events WHERE stream = 'job-3' AND version = 2", ("job-3", 2, "removed")),
    "removed first": ("DELETE FROM events WHERE stream = 'job-3' AND version = 1", ("job-3", 1, "removed")),
    "cut off": ("DELETE FROM events WHERE stream = 'job-3' AND version > 1", ("job-3", 2, "cut off")),
    "all of a stream": ("DELETE FROM events WHERE stream = 'job-3'", ("job-3", 1, "cut off")),
    "renumbered": ("UPDATE events SET version = 9 WHERE stream = 'job-3' AND version = 2", ("job-3", 8, "removed")),
    "order": (
        "UPDATE events SET position = -1, xid = '3' WHERE stream = 'job-3' AND version = 3",
        ("job-3", 1, "swapped"),
    ),
    "inserted": (
        (
            "INSERT INTO events SELECT epoch, xid, position + 1000, class, stream, 4, type, company_id, time, data, "
            "meta, payload, hash FROM events WHERE stream = 'job-3' AND version = 3"
        ),
        ("job-3", 4, "altered"),
    ),
    "twice": (
        (
            "INSERT INTO events SELECT epoch, xid, position + 1000, class, stream, 2, type, company_id, "
            "time + '31 days', data, meta, payload, hash FROM events WHERE stream = 'job-3' AND version = 2"
        ),
        ("job-3", 2, "swapped"),
    ),
    "no time": (
        "UPDATE events SET time = '4000-01-01 BC' WHERE stream = 'company-1' AND version = 2",
        ("company-1", 2, "altered"),
    ),
    "no version": (
        "UPDATE events SET version = -2147483648 WHERE stream = 'job-3' AND version = 1",
        ("job-3", -2147483648, "swapped"),
    ),
    "head version": ("UPDATE streams SET version = 2 WHERE stream = 'job-3'", ("job-3", 3, "stream head")),
    "head hash": ("UPDATE streams SET hash = sha256(hash) WHERE stream = 'job-3'", ("job-3", 3, "stream head")),
    "head gone": ("DELETE FROM streams WHERE stream = 'job-3'", ("job-3", 1, "stream head")),
    "head invented": (
        (
            "INSERT INTO streams SELECT 'job-999', class, company_id, 1, hash, xid, first_time, last_time FROM streams "
            "WHERE stream = 'job-3'"
        ),
        ("job-999", 1, "cut off"),
    ),
}


@pytest.mark.parametrize("case", UNSIGNED)
async def test_without_heads_chains_and_stream_heads_still_tell(database: Database, case: str) -> None:
    statement, expected = UNSIGNED[case]
    async with superuser(database) as connection:
        await write_history(connection, jobs=5)
        await connection.execute(statement)
        assert named(await verify(connection)) == expected


async def forge(connection: asyncpg.Connection, private: Ed25519PrivateKey) -> None:
    """Sign the whole history anew, as it stands, as somebody would who has all rights and a key of their own."""
    public = private.public_key().public_bytes_raw()
    key_id = await connection.fetchval(
        "INSERT INTO signing_keys (public_key, master_id, wrapped) SELECT $1, master_id, wrapped FROM signing_keys "
        "LIMIT 1 RETURNING id",
        public,
    )
    heads = [head async for head in read_heads(connection)]
    trees: dict[str, CompactRange] = {}
    leaves: dict[str, list[Leaf]] = {}
    for name in heads[-1].trees:
        rows = await connection.fetch(
            "SELECT epoch, xid, position, version, stream, hash FROM events WHERE tableoid = $1::regclass "
            "ORDER BY epoch, xid, position",
            name,
        )
        trees[name], leaves[name] = CompactRange(), [Leaf(*row) for row in rows]
    await connection.execute("DELETE FROM tree_leaves")
    previous = ZERO
    for head in heads:
        grown: dict[str, Tree] = {}
        for name, tree in head.trees.items():
            start = trees[name].size
            growth = Growth(start, trees[name].edge)
            growth.entries = [leaf.entry() for leaf in leaves[name][start : tree.size]]
            trees[name].extend(map(leaf_hash, growth.entries))
            grown[name] = Tree(trees[name].size, trees[name].root())
            for chunk in growth.chunks():
                await connection.execute("INSERT INTO tree_leaves VALUES ($1, $2, $3, $4)", name, *chunk)
            await connection.execute(
                "UPDATE tree_sizes SET size = $3, root = $4 WHERE head_id = $1 AND tree = $2",
                *(head.id, name, grown[name].size, grown[name].root),
            )
            await connection.execute("UPDATE tree_edges SET edge = $2 WHERE tree = $1", name, trees[name].edge)
        forged = Head(id=head.id, time=head.time, cursor=head.cursor, previous=previous, trees=grown, public_key=public)
        signature = private.sign(forged.signed_bytes())
        previous = msgspec.structs.replace(forged, signature=signature).digest()
        await connection.execute(
            "UPDATE tree_heads SET previous = $2, signature = $3, key_id = $4 WHERE id = $1",
            *(head.id, forged.previous, signature, key_id),
        )


async def test_a_history_signed_anew_with_another_key_is_found_by_who_holds_a_key_outside(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=5)
        await TreeHeadSigner(store).sign(most=20)
        (key,) = await public_keys(connection)
        known = await load_head(connection, 2)
        assert (await verify(connection, public_key=key, known_head=known)).ok
        (event,) = await connection.fetch("SELECT ctid, tableoid, * FROM events WHERE stream = 'job-2' AND version = 1")
        case = Case(connection, random.Random(1), [])
        await case.set(event, "data", '{"forged": true}')
        await case.rehash("job-2", 1)
        assert named(await verify(connection)) == ("job-2", 1, "altered")
        await forge(connection, Ed25519PrivateKey.generate())
        assert (await verify(connection)).ok, "nothing in the database itself tells"
        for found in (
            await verify(connection, public_key=[key]),
            await verify(connection, known_head=known),
            await verify(store),
        ):
            assert not found.ok
            assert found.first_bad is not None
            assert found.first_bad.problem in ("tree head", "altered")


async def test_a_log_set_back_to_an_earlier_head_is_found_by_who_holds_a_later_one(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=5)
        signer = TreeHeadSigner(store)
        await signer.sign()
        edges = [tuple(row) for row in await connection.fetch("SELECT * FROM tree_edges")]
        await write(connection, "company-9", datetime.now(UTC))
        known = await signer.sign()
        for statement in (
            "DELETE FROM events WHERE stream = 'company-9'",
            "DELETE FROM streams WHERE stream = 'company-9'",
            "DELETE FROM tree_sizes WHERE head_id = 2",
            "DELETE FROM tree_heads WHERE id = 2",
            "DELETE FROM tree_edges",
            (
                "DELETE FROM tree_leaves WHERE tree = 'events_configuration' AND start = "
                "(SELECT max(start) FROM tree_leaves WHERE tree = 'events_configuration')"
            ),
        ):
            await connection.execute(statement)
        await connection.executemany("INSERT INTO tree_edges VALUES ($1, $2, $3)", edges)
        assert (await verify(connection)).ok
        found = await verify(connection, known_head=known)
        assert found.first_bad is not None
        assert "kept elsewhere" in found.first_bad.detail


EVIDENCE = {
    "signature": (
        "UPDATE tree_heads SET signature = set_byte(signature, 3, get_byte(signature, 3) # 1) WHERE id = 2",
        "head 2",
    ),
    "time": ("UPDATE tree_heads SET time = time + '1 us' WHERE id = 2", "head 2"),
    "cursor": ("UPDATE tree_heads SET position = position + 1 WHERE id = 2", "head 2"),
    "size": ("UPDATE tree_sizes SET size = size + 1 WHERE head_id = 2", "head 2"),
    "root": ("UPDATE tree_sizes SET root = sha256(root) WHERE head_id = 2", "head 2"),
    "head removed": ("DELETE FROM tree_heads WHERE id = 2", "heads 2 to 2 are missing"),
    "key": ("UPDATE signing_keys SET public_key = sha256(public_key)", "head 1"),
    "no time": ("UPDATE tree_heads SET time = '-infinity' WHERE id = 2", "head 2"),
    "no size": ("UPDATE tree_sizes SET size = -1, root = '' WHERE head_id = 2", "head 2"),
    "no edge": ("UPDATE tree_edges SET edge = array_fill('x'::bytea, ARRAY[3, 3])", "edge of tree"),
    "edge gone": ("DELETE FROM tree_edges", "edge of tree"),
    "no leaves": ("UPDATE tree_leaves SET leaves = '', count = 0", "as they were signed"),
    "edge": ("UPDATE tree_edges SET edge[1] = sha256(edge[1]) WHERE tree = 'events_configuration'", "edge of tree"),
    "leaves gone": (
        "DELETE FROM tree_leaves WHERE tree = 'events_configuration'",
        "Its events are as they were signed",
    ),
    "leaves": ("UPDATE tree_leaves SET leaves = set_byte(leaves, 9, get_byte(leaves, 9) # 4)", "as they were signed"),
    "archive": (
        "INSERT INTO archived_partitions SELECT 'events_job_2001_01', 2, now(), now(), 5, sha256('x'), true",
        "events_job_2001_01",
    ),
}


@pytest.mark.parametrize("case", EVIDENCE)
async def test_evidence_that_was_altered_is_found(database: Database, case: str) -> None:
    statement, expected = EVIDENCE[case]
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=5)
        await TreeHeadSigner(store).sign(most=30)
        await connection.execute(statement)
        found = await verify(connection)
        assert found.first_bad is not None
        assert expected in found.first_bad.detail


async def test_events_and_their_kept_leaves_altered_together_are_found_between_two_heads(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=5)
        await TreeHeadSigner(store).sign(most=30)
        events = await connection.fetch(EVENTS)
        victim = events[40]
        case = Case(connection, random.Random(1), events)
        await case.set(victim, "type", "Other")
        await case.rehash(victim["stream"], victim["version"])
        tree = await connection.fetchval("SELECT relname FROM pg_class WHERE oid = $1", victim["tableoid"])
        await connection.execute("DELETE FROM tree_leaves WHERE tree = $1", tree)
        found = await verify(connection)
        first = found.first_bad
        assert first is not None
        assert (first.problem, first.tree) == ("altered", tree)
        assert "which head 2 covers" in first.detail
        assert "cannot be told which" in first.detail


async def test_a_partition_that_vanished_is_found(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=5)
        await TreeHeadSigner(store).sign()
        name = await connection.fetchval(
            "SELECT tree FROM tree_edges WHERE tree LIKE 'events_job%' ORDER BY tree LIMIT 1"
        )
        await connection.execute(f"ALTER TABLE events DETACH PARTITION {name}")
        found = await verify(connection)
        assert any(name in each.detail and "was not archived" in each.detail for each in found.findings)


async def test_a_store_with_the_master_key_knows_its_own_signing_keys(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=3)
        await TreeHeadSigner(store).sign()
        assert (await verify(store)).ok
        await connection.execute("UPDATE signing_keys SET wrapped = set_byte(wrapped, 20, get_byte(wrapped, 20) # 1)")
        assert (await verify(settings(database).database_url)).ok
        found = await verify(store)
        assert found.first_bad is not None
        assert "is not one of this installation" in found.first_bad.detail
