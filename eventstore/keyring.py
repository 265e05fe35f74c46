"""Keys of data subjects and companies: made when first needed, cached for a moment, destroyed for good.

A data key encrypts the personal fields of one data subject, or the output and secrets of one company. It is stored
wrapped by the master key. Destroying its row is what an erasure does: every ciphertext names its key, and a key that is
gone reads as :data:`~domain.event.ERASED`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.event import ERASED, Erased
from eventstore.codec import pack, unpack
from eventstore.connection import database_at_hand
from eventstore.errors import MasterKeyError, StreamCompanyError
from eventstore.master_key import NONCE, MasterKey

CACHED_FOR = 2.0
"""Seconds for which a key may be used without asking whether it still exists."""

ATTEMPTS = 5
"""How often a key is looked for and made until it is at hand."""

MOST_CACHED = 50_000
"""Keys at hand beyond which all are forgotten and asked for anew."""

PROOF = b"multiflexi"

INSERT_KEY = """
    INSERT INTO data_keys (owner, company_id, master_id, wrapped) VALUES ($1, $2, $3, $4)
    ON CONFLICT (owner) WHERE retired_at IS NULL DO NOTHING
"""
INSERT_KEYS = """
    INSERT INTO data_keys (owner, company_id, master_id, wrapped)
    SELECT k.owner, k.company_id, $3, k.wrapped
      FROM unnest($1::text[], $2::integer[], $4::bytea[]) AS k (owner, company_id, wrapped)
    ON CONFLICT (owner) WHERE retired_at IS NULL DO NOTHING
"""
RETIRE_OWNED = (
    "UPDATE data_keys SET retired_at = clock_timestamp() WHERE owner = ANY ($1::text[]) AND retired_at IS NULL"
)
SELECT_OWNER = "SELECT id, owner, master_id, wrapped FROM data_keys WHERE owner = $1 AND retired_at IS NULL"
SELECT_IDS = "SELECT id, owner, master_id, wrapped FROM data_keys WHERE id = ANY ($1::bigint[])"
SELECT_MASTERS = "SELECT id, proof FROM master_keys WHERE retired_at IS NULL ORDER BY id"


class DataKey(NamedTuple):
    """A data key in clear, with the moment (monotonic seconds) until which it may be used unasked."""

    id: int
    cipher: AESGCM
    until: float


class Keyring:
    """The keys of one database, opened by its master key.

    Parameters
    ----------
    pool : asyncpg.Pool
        Where the wrapped keys are.
    secret : str
        The master key; ``previous`` is the one before it, while a rotation is under way.
    """

    def __init__(self, pool: asyncpg.Pool, secret: str, previous: str = "") -> None:
        self._pool = pool
        self._secrets = [text for text in (secret, previous) if text]
        self._masters: dict[int, MasterKey] = {}
        self._current = 0
        self._by_owner: dict[str, DataKey] = {}
        self._by_id: dict[int, DataKey | None] = {}
        self._checked: dict[int, float] = {}

    async def open(self) -> None:
        """Prove the master key against the database; the first one ever is put down as the right one.

        Raises
        ------
        MasterKeyError
            There is none, or it is not the one that this database was set up with.
        """
        with database_at_hand():
            rows = await self._pool.fetch(SELECT_MASTERS)
            if not rows and self._secrets:
                # The scheduler may not, and needs no key: another part will do it.
                with suppress(asyncpg.InsufficientPrivilegeError):
                    await self._put_down_first()
                rows = await self._pool.fetch(SELECT_MASTERS)
        if not rows:
            return
        candidates = [MasterKey(secret) for secret in self._secrets]
        for row in rows:
            for candidate in candidates:
                try:
                    candidate.unwrap(row["proof"], "proof")
                except MasterKeyError:
                    continue
                self._masters[row["id"]] = candidate
        newest = rows[-1]["id"]
        if newest not in self._masters:
            if not candidates:
                MasterKey("")
            candidates[0].unwrap(rows[-1]["proof"], "the master key's proof")
        self._current = newest

    async def _put_down_first(self) -> None:
        proof = MasterKey(self._secrets[0]).wrap(PROOF, "proof")
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('multiflexi.master_keys'))")
            if not await connection.fetchval("SELECT count(*) FROM master_keys"):
                await connection.execute("INSERT INTO master_keys (proof) VALUES ($1)", proof)

    @property
    def master_id(self) -> int:
        """Id of the master key in use."""
        return self._current

    def master(self, master_id: int) -> MasterKey:
        """Return a master key by its id.

        Raises
        ------
        MasterKeyError
            This process does not have it.
        """
        master = self._masters.get(master_id)
        if master is None:
            if not self._secrets:
                MasterKey("")
            raise MasterKeyError(
                f"Keys are wrapped by master key {master_id}, which this process does not have. Start it with that "
                "ENCRYPTION_MASTER_KEY."
            )
        return master

    def mac(self, data: bytes) -> bytes:
        """Return a digest of secrets that cannot be tried out by who has the database alone."""
        return self.master(self._current).mac(data)

    async def ensure(self, owner: str, company_id: int | None = None) -> DataKey:
        """Return the key of an owner (``company:7``, ``user:3``); make it if it has none."""
        cached = self._by_owner.get(owner)
        if cached is not None and cached.until > time.monotonic():
            return cached
        row = await self._found_or_made(owner, company_id)
        await self._know_masters([row])
        key = self._remember(row)
        self._by_owner[owner] = key
        return key

    async def secret(self, owner: str, company_id: int | None = None) -> bytes:
        """Return the key of an owner in clear, for what is not AES-GCM; make it if it has none."""
        row = await self._found_or_made(owner, company_id)
        await self._know_masters([row])
        return self.master(row["master_id"]).unwrap(row["wrapped"], row["owner"])

    async def renew(self, owner: str, company_id: int | None = None) -> DataKey:
        """Return a fresh key of an owner, which from now on encrypts; see :meth:`renew_all`."""
        await self.renew_all({owner: company_id})
        return await self.ensure(owner, company_id)

    async def renew_all(self, owners: Mapping[str, int | None]) -> None:
        """Give owners, each with its company, fresh keys that from now on encrypt: all of them, or none.

        What older ones encrypted stays readable; whoever has an older one at hand uses it for a moment longer
        (:data:`CACHED_FOR`).
        """
        for attempt in (1, 2):
            master = self.master(self._current)
            wrapped = [master.wrap(os.urandom(32), owner) for owner in owners]
            try:
                with database_at_hand():
                    async with self._pool.acquire() as connection, connection.transaction():
                        await connection.execute(RETIRE_OWNED, list(owners))
                        await connection.execute(
                            INSERT_KEYS, list(owners), list(owners.values()), self._current, wrapped
                        )
                break
            except asyncpg.ObjectNotInPrerequisiteStateError:
                if attempt == 2:
                    raise
                await self.open()
        for owner in owners:
            self._by_owner.pop(owner, None)

    def ready(self, owner: str) -> DataKey | None:
        """Return the key of an owner if it is at hand without asking the database."""
        cached = self._by_owner.get(owner)
        return cached if cached is not None and cached.until > time.monotonic() else None

    async def load(self, ids: Iterable[int]) -> None:
        """Have the keys with these ids at hand; those that are gone are known to be gone."""
        wanted = set(ids)
        if len(self._by_id) > MOST_CACHED:
            self._by_id.clear()
            self._checked.clear()
            self._by_owner.clear()
        now = time.monotonic()
        # While some are waited for, another task may have made room: then those at hand before are asked for, too.
        while missing := [key_id for key_id in wanted if self._checked.get(key_id, 0.0) <= now]:
            with database_at_hand():
                rows = await self._pool.fetch(SELECT_IDS, missing)
            await self._know_masters(rows)
            found = {row["id"]: self._remember(row) for row in rows}
            for key_id in missing:
                self._by_id[key_id] = found.get(key_id)
                self._checked[key_id] = now + CACHED_FOR

    def known(self, key_id: int) -> DataKey | None:
        """Return a key that was loaded, or None if it is gone."""
        return self._by_id.get(key_id)

    async def destroy(self, owner: str) -> bool:
        """Destroy the key of an owner: all that it encrypted is erased. Returns whether there was one."""
        with database_at_hand():
            gone = await self._pool.fetch("DELETE FROM data_keys WHERE owner = $1 RETURNING id", owner)
        self._by_owner.pop(owner, None)
        for row in gone:
            self._by_id[row["id"]] = None
        return bool(gone)

    def seal(self, key: DataKey, owner: str, place: str, clear: str) -> dict[str, Any]:
        """Return the envelope of a clear text; ``place`` is bound in, e.g. ``company-7|email``."""
        nonce = os.urandom(NONCE)
        ciphertext = nonce + key.cipher.encrypt(nonce, clear.encode(), place.encode())
        return {"enc": pack(ciphertext), "key": key.id, "sub": owner}

    def unseal(self, envelope: dict[str, Any], place: str) -> str | Erased:
        """Return the clear text of an envelope whose key was loaded, or ERASED if the key is gone.

        Raises
        ------
        MasterKeyError
            The envelope was altered, or moved from another place.
        """
        key = self._by_id.get(envelope["key"])
        if key is None:
            return ERASED
        sealed = unpack(envelope["enc"])
        try:
            return key.cipher.decrypt(sealed[:NONCE], sealed[NONCE:], place.encode()).decode()
        except InvalidTag:
            raise MasterKeyError(
                f"The personal field {place} does not open with the key of {envelope['sub']}: it was altered. "
                "Run `multiflexi-cli audit:verify`."
            ) from None

    async def reveal(self, envelopes: list[tuple[dict[str, Any] | None, str]]) -> list[str | Erased | None]:
        """Return the clear texts of envelopes of a read model, each given with its place (``company-7|email``)."""
        await self.load(envelope["key"] for envelope, _ in envelopes if envelope)
        return [self.unseal(envelope, place) if envelope else None for envelope, place in envelopes]

    async def _found_or_made(self, owner: str, company_id: int | None) -> asyncpg.Record:
        with database_at_hand(), suppress(asyncpg.InsufficientPrivilegeError):
            for _ in range(ATTEMPTS):
                if row := await self._pool.fetchrow(SELECT_OWNER, owner):
                    return row
                # One that is destroyed at this moment is made once more.
                await self._make(owner, company_id)
        raise StreamCompanyError(
            f"Personal data of {owner} cannot be written for company {company_id}: this session does not act for the "
            "company that its key belongs to."
        )

    async def _make(self, owner: str, company_id: int | None) -> None:
        """Make a key; once more under the new master key if a rotation has retired the one at hand."""
        for attempt in (1, 2):
            wrapped = self.master(self._current).wrap(os.urandom(32), owner)
            try:
                await self._pool.execute(INSERT_KEY, owner, company_id, self._current, wrapped)
                return
            except asyncpg.ObjectNotInPrerequisiteStateError:
                if attempt == 2:
                    raise
                await self.open()

    async def _know_masters(self, rows: Iterable[asyncpg.Record]) -> None:
        """Look again which master keys there are if a key is wrapped by one that came since."""
        if any(row["master_id"] not in self._masters for row in rows):
            await self.open()

    def _remember(self, row: asyncpg.Record) -> DataKey:
        key = self.master(row["master_id"]).unwrap(row["wrapped"], row["owner"])
        known = DataKey(row["id"], AESGCM(key), time.monotonic() + CACHED_FOR)
        self._by_id[known.id] = known
        self._checked[known.id] = known.until
        return known
