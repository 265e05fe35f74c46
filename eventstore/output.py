"""Output of jobs in the log: bytes, compressed, then encrypted under a key of the company for each month.

Destroying the keys of a month is what a company's retention does: what was written in it reads as erased.

A payload is one byte that names its form, eight bytes with the id of the key, a nonce, and the AES-256-GCM ciphertext
of the (compressed) bytes; job, channel and offset are bound in as associated data.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import zstandard
from cryptography.exceptions import InvalidTag

from domain.job_events import OutputCaptured
from eventstore.errors import EventStoreError
from eventstore.keyring import DataKey, Keyring
from eventstore.master_key import NONCE
from eventstore.read import read_stream

if TYPE_CHECKING:
    from eventstore.store import EventStore

PLAIN, COMPRESSED = b"\x02", b"\x01"
WORTH_COMPRESSING = 128
"""Bytes from which compression pays."""

PAGE = 64
"""Events read at a time: with payloads of up to a mebibyte, a bound to what a reader holds."""

MAX_CHUNK = 64 * 1024 * 1024
KEY_BYTES = 8


class _Zstandard(threading.local):
    """Compressor and decompressor, which threads may not share."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=1).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_zstandard = _Zstandard()


class OutputChunk(NamedTuple):
    """Bytes that a job wrote: version in the output stream, channel, offset in it, when it was read, the bytes.

    ``erased`` tells that the company's key is gone: there are no bytes to show.
    """

    version: int
    channel: str
    offset: int
    captured_at: datetime
    data: bytes
    erased: bool = False


def key_owner(company_id: int, moment: datetime | None = None) -> str:
    """Return the owner of the key that the output of a company is encrypted under in the month of a moment (UTC; now).

    Examples
    --------
    >>> key_owner(7, datetime(2026, 2, 3, tzinfo=UTC))
    'output:7:2026-02'
    """
    at = moment or datetime.now(UTC)
    return f"output:{company_id}:{at.year:04}-{at.month:02}"


def place(job_id: int, channel: str, offset: int) -> bytes:
    """Return what is bound in: where the bytes belong."""
    return f"output-{job_id}|{channel}|{offset}".encode()


def encode_payload(key: DataKey, where: bytes, data: bytes) -> bytes:
    """Return the payload for bytes of output."""
    form, body = PLAIN, data
    if len(data) >= WORTH_COMPRESSING:
        compressed = _zstandard.compress(data)
        if len(compressed) < len(data):
            form, body = COMPRESSED, compressed
    nonce = os.urandom(NONCE)
    return form + key.id.to_bytes(KEY_BYTES, "big") + nonce + key.cipher.encrypt(nonce, body, where)


def payload_key(payload: bytes) -> int:
    """Return the id of the key of a payload."""
    return int.from_bytes(payload[1 : 1 + KEY_BYTES], "big")


def decode_payload(keyring: Keyring, where: bytes, payload: bytes, largest: int = MAX_CHUNK) -> bytes | None:
    """Return the bytes of a payload whose key was loaded, at most ``largest``, or None if the key is gone.

    Raises
    ------
    EventStoreError
        The payload was altered, or belongs elsewhere.
    """
    key = keyring.known(payload_key(payload))
    if key is None:
        return None
    nonce, body = payload[1 + KEY_BYTES : 1 + KEY_BYTES + NONCE], payload[1 + KEY_BYTES + NONCE :]
    try:
        clear = key.cipher.decrypt(nonce, body, where)
    except InvalidTag:
        raise EventStoreError(
            f"{where.decode()} does not open with the company's key: it was altered. Run `multiflexi-cli audit:verify`."
        ) from None
    if payload[:1] == COMPRESSED:
        return _zstandard.decompress(clear, max_output_size=largest)
    return clear


async def read_output(store: EventStore, job_id: int, *, after_version: int = 0) -> AsyncIterator[OutputChunk]:
    """Yield the output of a job in the order it was captured, after a version of its output stream."""
    stream = f"output-{job_id}"
    async for recorded in read_stream(store.pool, store.keyring, stream, start=after_version + 1, page=PAGE):
        event = recorded.event
        if not isinstance(event, OutputCaptured):
            continue
        payload = recorded.payload or b""
        await store.keyring.load([payload_key(payload)])
        data = decode_payload(store.keyring, place(job_id, event.channel, event.offset), payload)
        yield OutputChunk(
            recorded.version, event.channel, event.offset, event.captured_at, data or b"", erased=data is None
        )
