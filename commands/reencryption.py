"""Keys of credentials and environments replaced by newer ones, and all values encrypted anew, while jobs run.

A company's new key encrypts from the moment it is there; what the older one encrypted is read until it is encrypted
anew, credential by credential. How far that has come is told by the values themselves: it may be interrupted at any
moment and goes on when it is started again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from commands.actor import Actor, authorise
from commands.facts import available, sql
from commands.shell import Shell
from domain.aggregates import CREDENTIAL, CREDENTIAL_TYPE, Aggregate
from domain.command import Command
from domain.company_events import CompanyChanged
from domain.credential import Credential, ReencryptCredential
from domain.credential_type import CredentialType, ReencryptCredentialType
from domain.environment import KEY
from domain.event import ERASED, Event
from domain.run_template_events import RunTemplateChanged
from domain.sealed import Sealed
from eventstore.errors import ConcurrencyError, MasterKeyError, SecretError
from eventstore.keyring import CACHED_FOR, Keyring
from eventstore.log import Append, Meta
from eventstore.store import EventStore
from eventstore.vault import open_all, seal_all, vault_owner

BATCH = 500
"""Credentials that are read, and encrypted anew at once."""

Progress = Callable[[int, int], None]
"""Told how many credentials and types were encrypted anew, and how many there are to be."""


class Reencrypted(msgspec.Struct, kw_only=True):
    """What was encrypted anew; of what could not be opened, the streams, which stay as they are."""

    done: int = 0
    damaged: list[str] = msgspec.field(default_factory=list[str])


async def companies_with_values(shell: Shell) -> list[int]:
    """Return the companies that have credentials, types of them, or an environment."""
    return await shell.facts.ids("companies_with_keys")


async def renew_keys(shell: Shell, companies: Sequence[int]) -> int:
    """Give companies fresh keys of credentials and environments, all of them or none; return how many companies."""
    owners = {vault_owner(company_id): company_id for company_id in companies}
    owners |= {KEY.format(company_id=company_id): company_id for company_id in companies}
    await shell.store.keyring.renew_all(owners)
    return len(companies)


async def reencrypt(
    shell: Shell, actor: Actor, *, batch: int = BATCH, company_id: int | None = None, progress: Progress | None = None
) -> Reencrypted:
    """Encrypt anew what keys encrypted that were replaced, until there is nothing left of it.

    Parameters
    ----------
    shell : Shell
        Of the whole installation.
    batch : int
        How many credentials are read at once.
    company_id : int or None
        Only those of this company.
    progress : Progress or None
        Called after each batch.
    """
    result = Reencrypted()
    total = await _outdated(shell, company_id)
    while await _pass(shell, actor, batch, company_id, result, total, progress):
        # Whoever had the older key at hand may have used it until now.
        await asyncio.sleep(CACHED_FOR)
    return result


async def count_outdated(shell: Shell, company_id: int | None = None) -> int:
    """Return how many credentials, types, companies and run templates have values under a key that was replaced."""
    return await _outdated(shell, company_id)


async def forget_old_keys(shell: Shell) -> int:
    """Destroy replaced keys of credentials that no value needs any more; what the log holds under them is erased."""
    async with available():
        return len(await shell.store.pool.fetch(sql("forget_old_keys")))


async def _outdated(shell: Shell, company_id: int | None) -> int:
    row = await shell.facts.row("count_outdated", company_id)
    return row["outdated"] if row is not None else 0


async def _pass(
    shell: Shell,
    actor: Actor,
    batch: int,
    company_id: int | None,
    result: Reencrypted,
    total: int,
    progress: Progress | None,
) -> bool:
    """Go through all that is outdated once; return whether there was anything that could be encrypted anew."""
    found = False
    meta = Meta(actor=str(actor), source="encryption", correlation=str(uuid.uuid4()))
    for kind in (TYPES, CREDENTIALS, COMPANIES, TEMPLATES):
        after = 0
        while True:
            async with available():
                rows = await shell.store.pool.fetch(sql(kind.query), after, batch, company_id)
            if not rows:
                break
            after = rows[-1]["id"]
            for company in {row["company_id"] for row in rows}:
                authorise(actor, ReencryptCredential(credential_id=0, sealed={}, replaced={}), company)
            # What was opened and sealed by itself is appended together: the store makes one transaction of many.
            done = await asyncio.gather(*(_encrypted_anew(shell.store, kind, row, meta, result) for row in rows))
            found = found or any(done)
            result.done += sum(done)
            if progress is not None:
                progress(result.done, max(total, result.done))
    return found


async def _encrypted_anew(
    store: EventStore, kind: Kind | Environments, row: Any, meta: Meta, result: Reencrypted
) -> bool:
    """Encrypt one thing anew; return whether it was, or is to be looked at once more."""
    if isinstance(kind, Environments):
        return await _environment(store, kind, row, meta, result)
    return await _values(store, kind, row, meta, result)


async def _values(store: EventStore, kind: Kind, row: Any, meta: Meta, result: Reencrypted) -> bool:
    values: dict[str, Sealed] = msgspec.json.decode(row["values"], type=dict[str, Sealed])
    stream = kind.aggregate.stream(row["id"])
    try:
        sealed = await _anew(store.keyring, row["company_id"], stream, values)
    except SecretError:
        if stream not in result.damaged:
            result.damaged.append(stream)
        return False
    events = kind.aggregate.decide(kind.state(row, values), kind.command(row["id"], values, sealed))
    append = Append(stream=stream, company_id=row["company_id"], events=events, expected=row["stream_version"])
    try:
        await store.append(append, meta=meta)
    except ConcurrencyError:
        # It was changed meanwhile: what is left of it under the older key is found when all is gone through once more.
        return True
    return True


async def _environment(store: EventStore, kind: Environments, row: Any, meta: Meta, result: Reencrypted) -> bool:
    """Record an environment as it is: what is recorded is encrypted under the key of today."""
    stream = f"{kind.category}-{row['id']}"
    try:
        (clear,) = await store.keyring.reveal([(msgspec.json.decode(row["environment"]), f"{stream}|environment")])
    except MasterKeyError:
        clear = ERASED
    if not isinstance(clear, str):
        if stream not in result.damaged:
            result.damaged.append(stream)
        return False
    events = [kind.event(row, clear)]
    with suppress(ConcurrencyError):
        append = Append(stream=stream, company_id=row["company_id"], events=events, expected=row["stream_version"])
        await store.append(append, meta=meta)
    return True


async def _anew(keyring: Keyring, company_id: int, stream: str, values: dict[str, Sealed]) -> dict[str, Sealed]:
    clear = await open_all(keyring, [(f"{stream}|{name}", value) for name, value in values.items()])
    sealed = await seal_all(keyring, company_id, stream, dict(zip(values, clear, strict=True)))
    return {name: value for name, value in sealed.items() if value is not None}


class Environments(NamedTuple):
    """Things that have an environment: the query for those that are outdated, and the event that records it again."""

    query: str
    category: str
    event: Callable[[Any, str], Event]


COMPANIES = Environments(
    "outdated_companies", "company", lambda row, clear: CompanyChanged(company_id=row["id"], environment=clear)
)
TEMPLATES = Environments(
    "outdated_run_templates",
    "run_template",
    lambda row, clear: RunTemplateChanged(run_template_id=row["id"], company_id=row["company_id"], environment=clear),
)


class Kind(NamedTuple):
    """Things that hold values: the query for those that are outdated, their state and the command from a row of it."""

    query: str
    aggregate: Aggregate
    state: Callable[[Any, dict[str, Sealed]], Any]
    command: Callable[[int, dict[str, Sealed], dict[str, Sealed]], Command]


TYPES = Kind(
    "outdated_types",
    CREDENTIAL_TYPE,
    lambda row, values: CredentialType(
        credential_type_id=row["id"],
        company_id=row["company_id"],
        uuid="",
        credential_prototype_id=0,
        name="",
        values=values,
    ),
    lambda number, old, new: ReencryptCredentialType(credential_type_id=number, replaced=old, sealed=new),
)
CREDENTIALS = Kind(
    "outdated_credentials",
    CREDENTIAL,
    lambda row, values: Credential(
        credential_id=row["id"],
        company_id=row["company_id"],
        uuid="",
        name="",
        credential_type_id=0,
        values=values,
    ),
    lambda number, old, new: ReencryptCredential(credential_id=number, replaced=old, sealed=new),
)
