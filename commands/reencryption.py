"""Keys of credentials replaced by newer ones, and all values encrypted anew, while jobs run.

A company's new key encrypts from the moment it is there; what the older one encrypted is read until it is encrypted
anew, credential by credential. How far that has come is told by the values themselves: it may be interrupted at any
moment and goes on when it is started again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from commands.actor import Actor
from commands.facts import available, sql
from commands.shell import Shell
from domain.command import Command
from domain.credential import ReencryptCredential
from domain.credential_type import ReencryptCredentialType
from domain.errors import NotFoundError
from domain.sealed import Sealed
from eventstore.errors import SecretError
from eventstore.keyring import CACHED_FOR, Keyring
from eventstore.vault import open_all, seal_all, vault_owner

BATCH = 200
"""Credentials that are read, and encrypted anew at once."""

Progress = Callable[[int, int], None]
"""Told how many credentials and types were encrypted anew, and how many there are to be."""


class Reencrypted(msgspec.Struct, kw_only=True):
    """What was encrypted anew; of what could not be opened, the streams, which stay as they are."""

    done: int = 0
    damaged: list[str] = msgspec.field(default_factory=list[str])


async def companies_with_values(shell: Shell) -> list[int]:
    """Return the companies that have credentials or types."""
    return await shell.facts.ids("companies_with_credentials")


async def renew_keys(shell: Shell, companies: Sequence[int]) -> int:
    """Give companies fresh keys of credentials; return how many."""
    for company_id in companies:
        await shell.store.keyring.renew(vault_owner(company_id), company_id)
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
    """Return how many credentials and types have values under a key that was replaced."""
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
    for query, reencrypted in (("outdated_types", _of_type), ("outdated_credentials", _of_credential)):
        after = 0
        while True:
            async with available():
                rows = await shell.store.pool.fetch(sql(query), after, batch, company_id)
            if not rows:
                break
            after = rows[-1]["id"]
            done = await asyncio.gather(*(_one(shell, actor, reencrypted, row, result) for row in rows))
            found = found or any(done)
            result.done += sum(done)
            if progress is not None:
                progress(result.done, max(total, result.done))
    return found


async def _one(shell: Shell, actor: Actor, reencrypted: Any, row: Any, result: Reencrypted) -> bool:
    values: dict[str, Sealed] = msgspec.json.decode(row["values"], type=dict[str, Sealed])
    category = "credential" if reencrypted is _of_credential else "credential_type"
    stream = f"{category}-{row['id']}"
    try:
        sealed = await _anew(shell.store.keyring, row["company_id"], stream, values)
        await shell.execute(reencrypted(row["id"], values, sealed), actor, source="encryption")
    except SecretError:
        if stream not in result.damaged:
            result.damaged.append(stream)
        return False
    except NotFoundError:
        return False  # it was removed meanwhile
    return True


async def _anew(keyring: Keyring, company_id: int, stream: str, values: dict[str, Sealed]) -> dict[str, Sealed]:
    clear = await open_all(keyring, [(f"{stream}|{name}", value) for name, value in values.items()])
    sealed = await seal_all(keyring, company_id, stream, dict(zip(values, clear, strict=True)))
    return {name: value for name, value in sealed.items() if value is not None}


def _of_credential(number: int, old: dict[str, Sealed], new: dict[str, Sealed]) -> Command:
    return ReencryptCredential(credential_id=number, replaced=old, sealed=new)


def _of_type(number: int, old: dict[str, Sealed], new: dict[str, Sealed]) -> Command:
    return ReencryptCredentialType(credential_type_id=number, replaced=old, sealed=new)
