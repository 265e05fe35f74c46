"""Proofs that are checked offline: they hold for what is true, and for nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventstore.audit_errors import ProofError
from eventstore.head import Head, load_head
from eventstore.proofs import check_consistency, check_inclusion, prove_consistency, prove_inclusion
from eventstore.tree_heads import TreeHeadSigner, public_keys
from tests.eventstore.logs import open_store, superuser, write, write_history
from tests.testbed.postgres import Database

OTHER_KEY = Ed25519PrivateKey.generate().public_key().public_bytes_raw()


async def test_each_event_is_proven_under_each_head_that_covers_it(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=4)
        await TreeHeadSigner(store).sign(most=25)
        (key,) = await public_keys(connection)
        events = await connection.fetch("SELECT * FROM events ORDER BY epoch, xid, position")
        for number, event in enumerate(events[::3]):
            for head_id in (None, number * 3 // 25 + 1):
                proof = json.dumps(
                    await prove_inclusion(connection, event["stream"], event["version"], head_id=head_id)
                )
                proven, head = check_inclusion(proof, key)
                assert (proven.stream, proven.version) == (event["stream"], event["version"])
                assert (proven.data, proven.payload, proven.time) == (event["data"], event["payload"], event["time"])
                assert head_id in (None, head.id)
        assert (await prove_inclusion(store, "job-1", 1))["tree"].startswith("events_job_")


async def test_a_proof_does_not_hold_for_anything_else(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=4)
        await TreeHeadSigner(store).sign()
        (key,) = await public_keys(connection)
        proof = await prove_inclusion(connection, "output-3", 1)
        check_inclusion(proof, [OTHER_KEY, key])

        def forged(**changes: Any) -> dict[str, Any]:
            return {**proof, **changes}

        def forged_event(**changes: Any) -> dict[str, Any]:
            return forged(event={**proof["event"], **changes})

        cases = [
            (forged(format="other"), "not such a proof"),
            (forged(index=proof["index"] + 1), "is not leaf"),
            (forged(tree="events_configuration"), "is not leaf"),
            (forged(path=proof["path"][:-1]), "is not leaf"),
            (forged(path=["zz"]), "path of the proof is damaged"),
            (forged(head={**proof["head"], "id": 9}), "signature of head 9 is wrong"),
            (forged(head={}), "not a tree head"),
            (forged_event(data='{"a": 1}'), "not what its hash says"),
            (forged_event(payload="AAAA"), "not what its hash says"),
            (forged_event(time="2020-01-01T00:00:00Z"), "not what its hash says"),
            (forged_event(time="2020-01-01T00:00:00"), "not such a proof"),
            (forged_event(previous="00" * 31 + "01"), "not what its hash says"),
            (forged_event(version=2), "is not leaf"),
            (forged_event(cursor="1.3.3"), "is not leaf"),
            (forged_event(cursor="here"), "damaged"),
        ]
        for document, message in cases:
            with pytest.raises(ProofError, match=message):
                check_inclusion(document, key)
        with pytest.raises(ProofError, match="not the key that was expected"):
            check_inclusion(proof, OTHER_KEY)
        with pytest.raises(ProofError, match="damaged"):
            check_inclusion(json.dumps(proof)[:-9], key)


async def test_what_cannot_be_proven_says_why(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write(connection, "company-7", datetime.now(UTC))
        with pytest.raises(ProofError, match="no signed head yet"):
            await prove_inclusion(connection, "company-7", 1)
        await TreeHeadSigner(store).sign()
        await write(connection, "company-7", datetime.now(UTC))
        with pytest.raises(ProofError, match="no event company-7@9"):
            await prove_inclusion(connection, "company-7", 9)
        with pytest.raises(ProofError, match="does not cover company-7@2 yet"):
            await prove_inclusion(connection, "company-7", 2)
        with pytest.raises(ProofError, match="no head 5"):
            await prove_inclusion(connection, "company-7", 1, head_id=5)
        await connection.execute("UPDATE events SET type = 'Other' WHERE version = 1")
        with pytest.raises(ProofError, match="not what its hash says"):
            await prove_inclusion(connection, "company-7", 1)
        await connection.execute("DELETE FROM tree_leaves")
        with pytest.raises(ProofError, match="not all kept"):
            await prove_inclusion(connection, "company-7", 1)


async def test_heads_are_proven_to_grow_out_of_one_another(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=4)
        newest = await TreeHeadSigner(store).sign(most=17)
        assert newest is not None
        (key,) = await public_keys(connection)
        for first in range(1, newest.id + 1):
            for second in (None, first, (first + newest.id) // 2):
                proof = json.dumps(await prove_consistency(connection, first, second))
                before, after = check_consistency(proof, key)
                assert (before.id, after.id) == (first, second or newest.id)
        kept = await load_head(connection, 2)
        assert kept is not None
        assert check_consistency(await prove_consistency(store, Head.from_json(kept.to_json())), key)[0] == kept


async def test_a_log_that_was_rewritten_is_not_consistent_with_a_head_kept_elsewhere(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection, jobs=4)
        await TreeHeadSigner(store).sign(most=50)
        (key,) = await public_keys(connection)
        proof = await prove_consistency(connection, 1, 2)
        name = next(iter(proof["paths"]))
        for paths in ({}, {**proof["paths"], name: [*proof["paths"][name][::-1], "00" * 32]}):
            with pytest.raises(ProofError, match="did not grow out of"):
                check_consistency({**proof, "paths": paths}, key)
        with pytest.raises(ProofError, match="is not earlier"):
            check_consistency({**proof, "first": proof["second"], "second": proof["first"]}, key)
        with pytest.raises(ProofError, match="not the key"):
            check_consistency(proof, OTHER_KEY)
        with pytest.raises(ProofError, match="not such a proof"):
            check_consistency({}, key)
        # The same head numbers, but another past.
        other = await load_head(connection, 1)
        assert other is not None
        private = Ed25519PrivateKey.generate()
        trees = {tree: msgspec.structs.replace(state, root=bytes(32)) for tree, state in other.trees.items()}
        other = msgspec.structs.replace(other, trees=trees, public_key=private.public_key().public_bytes_raw())
        other = msgspec.structs.replace(other, signature=private.sign(other.signed_bytes()))
        with pytest.raises(ProofError, match="did not grow out of"):
            await prove_consistency(connection, other)
