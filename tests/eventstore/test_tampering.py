"""Whatever a superuser does to the log past all triggers, the audit finds it and names the event."""

from __future__ import annotations

import random

from eventstore.tree_heads import TreeHeadSigner
from eventstore.verify import verify
from tests.eventstore.logs import open_store, superuser, write_history
from tests.eventstore.tamperings import EVENTS, TAMPERINGS, Case
from tests.testbed.postgres import Database

CASES = 1_000


async def test_a_thousand_random_tamperings_are_each_found_and_named(database: Database) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        await write_history(connection)
        signer = TreeHeadSigner(store)
        await signer.sign(most=100)
        events = await connection.fetch(EVENTS)
        assert (await verify(connection)).ok
        wrong: list[str] = []
        for seed in range(CASES):
            chance = random.Random(seed)
            tampering = chance.choice(TAMPERINGS)
            transaction = connection.transaction()
            await transaction.start()
            names = await tampering(Case(connection, chance, events))
            found = await verify(connection)
            await transaction.rollback()
            first = found.first_bad
            if found.ok or first is None or (first.stream, first.version) not in names:
                wrong.append(f"{seed} {tampering.__name__}: expected {names}, found {first}")
        assert not wrong, "\n".join(wrong)
        assert (await verify(connection)).ok
