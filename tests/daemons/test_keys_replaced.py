"""Master key and keys of companies replaced over 10,000 credentials while jobs run: no job fails, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from commands.actor import SYSTEM
from commands.credential_prototypes import import_prototype
from commands.reencryption import count_outdated
from commands.shell import Shell
from domain.application_events import ApplicationImported
from domain.company_events import CompanyCreated
from domain.credential_events import CredentialCreated
from domain.credential_type_events import CredentialTypeCreated
from domain.environment import stored_environment
from domain.job_events import JobScheduled
from domain.run_template_events import CredentialAssigned, RunTemplateCreated
from domain.sealed import Sealed
from eventstore.errors import MasterKeyError
from eventstore.log import NO_STREAM, Append
from eventstore.rotation import rotate
from eventstore.store import EventStore
from eventstore.vault import open_all, seal_all
from tests.testbed.credentials import prototype_text
from tests.testbed.executor_process import ExecutorProcess
from tests.testbed.postgres import Database
from tests.testbed.stores import MASTER_KEY, open_store, wait_until

PROJECT = Path(__file__).resolve().parents[2]
NEW_KEY = "a7" * 32
COMPANIES, EACH = 50, 200
WAITING = 8
"""Jobs that wait or run at any moment."""

SCRIPT = """-c 'test "$BANK_TOKEN" = "token-of-$NUMBER" && test "$SHOP" = "shop-of-$NUMBER"'"""
BOTH = {"ENCRYPTION_MASTER_KEY": NEW_KEY, "ENCRYPTION_MASTER_KEY_PREVIOUS": MASTER_KEY}
ENDS = """
    SELECT e.data->>'outcome' AS outcome, e.data->>'reason' AS reason, count(*) AS jobs
      FROM events e WHERE e.type = 'JobFinished' GROUP BY 1, 2
"""
QUEUED = "SELECT count(*) FROM job_queue"
KEYS = "SELECT k.id, k.owner, k.master_id, k.wrapped, k.retired_at FROM multiflexi.data_keys k ORDER BY k.id"
MASTERS = "SELECT m.id, m.proof, m.retired_at FROM multiflexi.master_keys m ORDER BY m.id"
REENCRYPTED = "SELECT count(*) FROM events e WHERE e.type = 'CredentialReencrypted'"
LEFT = "SELECT count(*) FROM data_keys k WHERE k.master_id <> (SELECT max(m.id) FROM master_keys m)"


async def set_up(store: EventStore) -> None:
    """Make companies with a template each, and credentials of which the first is assigned to that template."""
    prototype = (await import_prototype(Shell(store), prototype_text(), SYSTEM)).id
    application = ApplicationImported(
        application_id=1, uuid=str(uuid.uuid4()), name="Check", version="1.0", executable="/bin/sh", digest="1",
        definition={"name": "Check", "executable": "/bin/sh", "cmdparams": SCRIPT, "environment": {}},
    )  # fmt: skip
    await store.append(Append(stream="application-1", events=[application], expected=NO_STREAM))
    for company in range(1, COMPANIES + 1):
        made = CompanyCreated(
            company_id=company, uuid=str(uuid.uuid4()), name=f"Company {company}", code=f"c{company}", time_zone="UTC",
            environment=stored_environment({"SHOP": f"shop-of-{first(company)}"}),
        )  # fmt: skip
        kind = CredentialTypeCreated(
            credential_type_id=company, company_id=company, uuid=str(uuid.uuid4()), name="Bank",
            credential_prototype_id=prototype, values={}, valued_at=None,
        )  # fmt: skip
        await store.append_all(
            [begin("company", company, made, company), begin("credential_type", company, kind, company)]
        )
        numbers = range(first(company), first(company) + EACH)
        await store.append_all([await credential(store, number, company) for number in numbers])
        template = RunTemplateCreated(
            run_template_id=company, company_id=company, uuid=str(uuid.uuid4()), application_id=1, name="Check",
            environment=stored_environment({"NUMBER": str(first(company))}), overlap_policy="allow",
        )  # fmt: skip
        assigned = CredentialAssigned(
            run_template_id=company, company_id=company, credential_id=first(company), removed=[]
        )
        events = [template, assigned]
        await store.append(Append(stream=f"run_template-{company}", company_id=company, events=events))


def first(company: int) -> int:
    return (company - 1) * EACH + 1


def begin(category: str, number: int, event: Any, company: int) -> Append:
    return Append(stream=f"{category}-{number}", company_id=company, events=[event], expected=NO_STREAM)


async def credential(store: EventStore, number: int, company: int) -> Append:
    values = await seal_all(store.keyring, company, f"credential-{number}", {"BANK_TOKEN": f"token-of-{number}"})
    created = CredentialCreated(
        credential_id=number, company_id=company, uuid=str(uuid.uuid4()), name=f"Bank {number}",
        credential_type_id=company, values={name: value for name, value in values.items() if value},
        valued_at=datetime.now(UTC),
    )  # fmt: skip
    return begin("credential", number, created, company)


async def jobs_all_the_time(store: EventStore) -> None:
    """Keep some jobs waiting, of one company after the other, until cancelled."""
    number = 0
    while True:
        if await store.pool.fetchval(QUEUED) >= WAITING:
            await asyncio.sleep(0.02)
            continue
        number += 1
        company, now = (number - 1) % COMPANIES + 1, datetime.now(UTC)
        scheduled = JobScheduled(
            job_id=number, company_id=company, run_template_id=company, uuid=str(uuid.uuid4()), application_id=1,
            application_version="1.0", scheduled_at=now, not_before=now,
        )  # fmt: skip
        await store.append(begin("job", number, scheduled, company))


async def ended(store: EventStore) -> int:
    """Return how many jobs have ended; fail if one did not succeed."""
    rows = await store.pool.fetch(ENDS)
    assert {row["outcome"] for row in rows} <= {"success"}, [dict(row) for row in rows]
    return sum(row["jobs"] for row in rows)


async def more_jobs(store: EventStore, count: int = 20) -> None:
    """Wait until so many more jobs have succeeded."""
    before = await ended(store)

    async def over() -> bool:
        return await ended(store) >= before + count

    await wait_until(over, f"the end of {count} more jobs")


async def cli(database: Database, *words: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", *words, "--format", "json", cwd=PROJECT,
        env={**os.environ, **database.variables, "MULTIFLEXI_DATA": "/nonexistent", **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def answered(process: asyncio.subprocess.Process) -> str:
    output, errors = await process.communicate()
    assert process.returncode == 0, (output, errors)
    return output.decode()


async def stopped(executor: ExecutorProcess) -> None:
    executor.process.terminate()
    assert await asyncio.to_thread(executor.process.wait, 20) == 0, executor.log


@pytest.mark.slow
async def test_both_are_replaced_over_10000_credentials_while_jobs_run_and_none_fails(database: Database) -> None:
    async with open_store(database, inline=True) as store:
        await set_up(store)
        assert await store.pool.fetchval("SELECT count(*) FROM credential") == COMPANIES * EACH
        jobs = asyncio.create_task(jobs_all_the_time(store))
        with ExitStack() as running:
            running.callback(jobs.cancel)
            old = running.enter_context(ExecutorProcess(database))
            await more_jobs(store)
            both = running.enter_context(ExecutorProcess(database, **BOTH))
            await more_jobs(store)
            await stopped(old)
            await replace_master_key(database, store)
            await replace_keys_of_companies(database, store)
            new = running.enter_context(ExecutorProcess(database, ENCRYPTION_MASTER_KEY=NEW_KEY))
            await stopped(both)
            await more_jobs(store, 2 * COMPANIES)
            assert new.process.poll() is None, new.log
            jobs.cancel()
            with suppress(asyncio.CancelledError):
                await jobs
    async with open_store(database, master_key=NEW_KEY) as store:
        await nothing_is_lost(store)


async def replace_master_key(database: Database, store: EventStore) -> None:
    """Replace it while jobs run; the first attempt is interrupted."""

    def interrupted(done: int, total: int) -> None:
        assert done == 10 < total
        raise InterruptedError

    with pytest.raises(InterruptedError):
        await rotate(database.owner_url, MASTER_KEY, NEW_KEY, batch=10, progress=interrupted)
    await more_jobs(store)
    told = msgspec.json.decode(await answered(await cli(database, "encryption:rewrap", **BOTH)))
    keys = await store.pool.fetchval("SELECT count(*) FROM data_keys")
    assert keys >= 2 * COMPANIES
    assert 0 < told["keys"] < keys
    assert await store.pool.fetchval(LEFT) == 0


async def replace_keys_of_companies(database: Database, store: EventStore) -> None:
    """Replace them while jobs run; the first attempt is killed midway, another goes on from there."""
    shell, key = Shell(store), {"ENCRYPTION_MASTER_KEY": NEW_KEY}
    first_try = await cli(database, "encryption:init", "--force", "--batch-size", "100", **key)

    async def midway() -> bool:
        return await store.pool.fetchval(REENCRYPTED) > 0

    await wait_until(midway, "the first credentials encrypted anew")
    first_try.kill()
    await first_try.wait()
    left = await count_outdated(shell)
    assert 0 < left < COMPANIES * (EACH + 2), "it was killed midway"
    second_try = await cli(database, "credential:encrypt-existing", "--verbose", **key)
    output, errors = await second_try.communicate()
    assert second_try.returncode == 0, (output, errors)
    assert 0 < msgspec.json.decode(output)["reencrypted"] <= left
    assert b"Encrypted anew: " in errors
    assert await count_outdated(shell) == 0


async def nothing_is_lost(store: EventStore) -> None:
    """See that each value is what it was, under a key that is not replaced and by the new master key alone."""
    rows = await store.pool.fetch(
        "SELECT c.id, c.document->'values'->'BANK_TOKEN' AS value FROM credential c ORDER BY c.id"
    )
    sealed = [msgspec.json.decode(row["value"], type=Sealed) for row in rows]
    clear = await open_all(
        store.keyring, [(f"credential-{row['id']}|BANK_TOKEN", one) for row, one in zip(rows, sealed, strict=True)]
    )
    assert clear == [f"token-of-{number}" for number in range(1, COMPANIES * EACH + 1)]
    old = await store.pool.fetch("SELECT k.id FROM data_keys k WHERE k.retired_at IS NOT NULL")
    assert len(old) == 2 * COMPANIES
    assert not {row["id"] for row in old} & {one.key for one in sealed}


async def test_with_a_wrong_master_key_nothing_starts_and_nothing_is_overwritten(database: Database) -> None:
    async with open_store(database, inline=True) as store:
        await seal_all(store.keyring, 1, "credential-1", {"TOKEN": "hunter2"})

    def keys() -> list[Any]:
        with psycopg.connect(database.superuser_url) as connection:
            return [*connection.execute(KEYS), *connection.execute(MASTERS)]

    before = keys()
    for wrong in ("77" * 32, ""):
        with ExecutorProcess(database, ENCRYPTION_MASTER_KEY=wrong, MULTIFLEXI_DATA="/nonexistent") as executor:
            assert await asyncio.to_thread(executor.process.wait, 20) == 1
            assert "ENCRYPTION_MASTER_KEY" in executor.log
        with pytest.raises(MasterKeyError):
            await rotate(database.owner_url, wrong, NEW_KEY)
    assert keys() == before
