"""Contents of the files that jobs leave: by company and SHA-256, compressed, then encrypted under a key of the company.

A content is stored once, however often it repeats, and can be read as long as the company's key is there.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from eventstore.errors import EventStoreError
from eventstore.output import decode_payload, encode_payload, payload_key

if TYPE_CHECKING:
    from eventstore.store import EventStore

LARGEST = 256 * 1024 * 1024
"""Most bytes of a content."""

HOLD = "SELECT hold_artifact($1, $2, $3, $4)"
STORE = """
    INSERT INTO artifact_content AS c (company_id, digest, size, key, payload) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (company_id, digest) DO UPDATE
       SET key = excluded.key, payload = excluded.payload, stored_at = excluded.stored_at
     WHERE c.key <> excluded.key
"""
READ = "SELECT size, payload FROM artifact_content WHERE company_id = $1 AND digest = $2"


class ArtifactMissingError(EventStoreError):
    """There is no such content, or none any more."""


def key_owner(company_id: int) -> str:
    """Return the owner of the key that a company's contents are encrypted under."""
    return f"artifact:{company_id}"


def place(company_id: int, digest: str) -> bytes:
    """Return what is bound in: whose content it is, and which."""
    return f"artifact-{company_id}|{digest}".encode()


def digest_of(data: bytes) -> str:
    """Return the name of a content: its SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


async def store_artifact(store: EventStore, company_id: int, job_id: int, data: bytes) -> str:
    """Store a content for a job unless the company has it already; return its digest.

    It stays until the end of the job is known, which may refer to it.
    """
    digest = await asyncio.to_thread(digest_of, data)
    key = await store.keyring.ensure(key_owner(company_id), company_id)
    if await store.pool.fetchval(HOLD, company_id, digest, job_id, key.id):
        return digest
    payload = await asyncio.to_thread(encode_payload, key, place(company_id, digest), data)
    await store.pool.execute(STORE, company_id, digest, len(data), key.id, payload)
    return digest


async def read_artifact(store: EventStore, company_id: int, digest: str) -> bytes:
    """Return a content.

    Raises
    ------
    ArtifactMissingError
        The company has no such content, or its key was destroyed.
    EventStoreError
        It was altered.
    """
    row = await store.pool.fetchrow(READ, company_id, digest)
    if row is None:
        raise ArtifactMissingError(f"Company {company_id} has no content {digest}. Was it removed by retention?")
    payload: bytes = row["payload"]
    await store.keyring.load([payload_key(payload)])
    data = await asyncio.to_thread(
        decode_payload, store.keyring, place(company_id, digest), payload, max(1, row["size"])
    )
    if data is None:
        raise ArtifactMissingError(f"The content {digest} of company {company_id} was erased: its key is gone.")
    if await asyncio.to_thread(digest_of, data) != digest:
        raise EventStoreError(f"The content {digest} of company {company_id} is not what was stored: it was altered.")
    return data
