"""Rotate the master key: every stored key is wrapped anew by another one, while the program runs. No event is touched.

How an operator does it: start all processes with the new key and the old one as the previous; rotate; start them with
the new key alone. It can be interrupted at any moment and run again. Once no stored key needs the old master key, it is
retired, and the database refuses to wrap anything by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import asyncpg

from eventstore.connection import connect
from eventstore.errors import MasterKeyError
from eventstore.keyring import PROOF
from eventstore.master_key import MasterKey, key_bytes
from eventstore.tree_heads import purpose

BATCH = 500
"""Keys that are wrapped anew in one transaction."""

LOCK = "SELECT pg_try_advisory_lock(hashtext('multiflexi.rotation'))"
SELECT_MASTERS = "SELECT id, proof FROM master_keys WHERE retired_at IS NULL ORDER BY id"
INSERT_MASTER = "INSERT INTO master_keys (proof) VALUES ($1) RETURNING id"
RETIRE = "UPDATE master_keys SET retired_at = clock_timestamp() WHERE id <> $1 AND retired_at IS NULL"
COUNT_LEFT = """
    SELECT (SELECT count(*) FROM data_keys WHERE master_id <> $1)
           + (SELECT count(*) FROM signing_keys WHERE master_id <> $1)
"""
COUNT_KEYS = "SELECT (SELECT count(*) FROM data_keys) + (SELECT count(*) FROM signing_keys)"
SELECT_DATA_KEYS = """
    SELECT id, owner AS bound_to, master_id, wrapped FROM data_keys
     WHERE master_id <> $1 AND id > $2 ORDER BY id LIMIT $3 FOR UPDATE
"""
UPDATE_DATA_KEYS = """
    UPDATE data_keys k SET master_id = $1, wrapped = v.wrapped
      FROM unnest($2::bigint[], $3::bytea[]) AS v (id, wrapped) WHERE k.id = v.id
"""
SELECT_SIGNING_KEYS = """
    SELECT id, public_key AS bound_to, master_id, wrapped FROM signing_keys
     WHERE master_id <> $1 AND id > $2 ORDER BY id LIMIT $3 FOR UPDATE
"""
UPDATE_SIGNING_KEYS = """
    UPDATE signing_keys k SET master_id = $1, wrapped = v.wrapped
      FROM unnest($2::bigint[], $3::bytea[]) AS v (id, wrapped) WHERE k.id = v.id
"""

Progress = Callable[[int, int], None]
"""Told how many keys were wrapped anew so far, and how many there are."""


class Rotated(NamedTuple):
    """What a rotation did: the id of the master key in use now, and the keys that this run wrapped anew."""

    master_id: int
    keys: int


class _KeysLeftError(Exception):
    """Keys came into being under the old master key while it was being retired."""


async def rotate(url: str, old: str, new: str, *, batch: int = BATCH, progress: Progress | None = None) -> Rotated:
    """Wrap all stored keys by a new master key and retire the old one.

    Parameters
    ----------
    url : str
        PostgreSQL URL of a login that may act as ``multiflexi_owner``.
    old, new : str
        The master keys (``ENCRYPTION_MASTER_KEY``) up to now and from now on.
    batch : int
        Keys in one transaction.
    progress : Progress or None
        Called after each batch.

    Raises
    ------
    MasterKeyError
        A key is missing, both are the same, the old one is not the one in use, or another rotation is under way:
        nothing was written. Or some stored keys are damaged: all others are wrapped anew, the old master key stays in
        use for them.
    """
    connection = await connect(url, "owner", application="multiflexi rotation")
    try:
        if not await connection.fetchval(LOCK):
            raise MasterKeyError("Another rotation of the master key is under way. Wait until it is done.")
        rotation = _Rotation(connection, old, new, batch, progress)
        await rotation.prepare()
        while True:
            await rotation.wrap_all()
            try:
                await rotation.retire()
            except _KeysLeftError:
                continue
            return Rotated(rotation.master_id, rotation.done)
    finally:
        await connection.close()


async def announce(connection: asyncpg.Connection, old: str, new: str) -> int:
    """Put a new master key down as the one in use, without wrapping anything by it yet; return its id.

    Processes that are started from then on with both keys can open everything before and after :func:`rotate`.

    Raises
    ------
    MasterKeyError
        As :func:`rotate`.
    """
    rotation = _Rotation(connection, old, new, BATCH, None)
    await rotation.prepare()
    return rotation.master_id


class _Rotation:
    """One run of a rotation."""

    def __init__(
        self, connection: asyncpg.Connection, old: str, new: str, batch: int, progress: Progress | None
    ) -> None:
        self._connection = connection
        self._old, self._new = MasterKey(old), MasterKey(new)
        if key_bytes(old) == key_bytes(new):
            raise MasterKeyError("The new master key is the old one. Make a new one: 32 random bytes in base64.")
        self._batch = batch
        self._progress = progress
        self._masters: dict[int, MasterKey] = {}
        self._damaged: list[str] = []
        self._total = 0
        self.master_id = 0
        self.done = 0

    async def prepare(self) -> None:
        """Prove both keys against the database, and put the new one down as the one in use."""
        rows = await self._connection.fetch(SELECT_MASTERS)
        if not rows:
            raise MasterKeyError("This database has no master key yet. Start MultiFlexi with the new one.")
        for row in rows:
            self._masters[row["id"]] = self._opener(row["id"], row["proof"])
        newest = rows[-1]["id"]
        if self._masters[newest] is not self._new:
            newest = await self._connection.fetchval(INSERT_MASTER, self._new.wrap(PROOF, "proof"))
            self._masters[newest] = self._new
        self.master_id = newest
        self._total = await self._connection.fetchval(COUNT_KEYS)

    def _opener(self, master_id: int, proof: bytes) -> MasterKey:
        for candidate in (self._new, self._old):
            try:
                candidate.unwrap(proof, "proof")
            except MasterKeyError:
                continue
            return candidate
        raise MasterKeyError(
            f"The old master key is not the one this database uses: neither key opens the proof of master key "
            f"{master_id}. Nothing was changed."
        )

    async def wrap_all(self) -> None:
        """Wrap what is not wrapped by the new master key yet, in short transactions."""
        self._damaged.clear()
        await self._wrap(SELECT_DATA_KEYS, UPDATE_DATA_KEYS, str)
        await self._wrap(SELECT_SIGNING_KEYS, UPDATE_SIGNING_KEYS, purpose)
        if self._damaged:
            shown = ", ".join(self._damaged[:5])
            raise MasterKeyError(
                f"{len(self._damaged)} stored key(s) are damaged and stay as they are ({shown}); all others are "
                "wrapped by the new master key. Restore them from a backup, or erase their owners, and rotate again."
            )

    async def _wrap(self, select: str, update: str, purpose_of: Callable[[Any], str]) -> None:
        after = 0
        while True:
            async with self._connection.transaction():
                rows = await self._connection.fetch(select, self.master_id, after, self._batch)
                wrapped: dict[int, bytes] = {}
                for key_id, bound_to, master_id, stored in rows:
                    again = self._again(purpose_of(bound_to), master_id, stored)
                    if again is not None:
                        wrapped[key_id] = again
                await self._connection.execute(update, self.master_id, list(wrapped), list(wrapped.values()))
            if not rows:
                return
            after = rows[-1]["id"]
            self.done += len(wrapped)
            if self._progress is not None:
                self._progress(self.done, self._total)

    def _again(self, bound_to: str, master_id: int, stored: bytes) -> bytes | None:
        """Return a key wrapped by the new master key; None if it is damaged."""
        try:
            return self._new.wrap(self._masters[master_id].unwrap(stored, bound_to), bound_to)
        except (KeyError, MasterKeyError):
            self._damaged.append(bound_to)
            return None

    async def retire(self) -> None:
        """Retire the old master keys, unless a key was wrapped by one of them meanwhile."""
        async with self._connection.transaction():
            await self._connection.execute(RETIRE, self.master_id)
            if await self._connection.fetchval(COUNT_LEFT, self.master_id):
                raise _KeysLeftError
