"""The event store: what the rest of the program appends to, reads from and follows.

Examples
--------
Open it as an asynchronous context manager, append, read::

    async with EventStore(settings, role="app", inline=inline_folds()) as store:
        done = await store.append(Append(stream="company-7", company_id=7, events=[...], expected=NO_STREAM))
        async for recorded in store.read_stream("company-7"):
            print(recorded.event)
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import msgspec

from domain.event import Event
from eventstore import codec, read
from eventstore.append import Appender, Entry
from eventstore.chain import payload_digest
from eventstore.connection import (
    DATABASE_ERRORS,
    Companies,
    Role,
    check_log,
    connect,
    database_at_hand,
    restore_session,
    server_settings,
)
from eventstore.errors import DatabaseUnavailableError, EventStoreError, PayloadTooLargeError
from eventstore.keyring import Keyring
from eventstore.listener import Listener
from eventstore.log import (
    CLASS_OF_CATEGORY,
    CONFIGURATION,
    MAX_DATA,
    MAX_PAYLOAD,
    MAX_STREAM_NAME,
    START,
    STREAM_NAME,
    Append,
    Appended,
    Cursor,
    Meta,
)
from eventstore.notifier import Notifier
from eventstore.settings import Settings
from eventstore.subscription import Subscription

POOL_SIZE = 8
"""Most connections of a process for reading."""

CLOSE_WITHIN = 3.0
"""Seconds in which connections must come back when the store is closed; then they are cut."""

SYSTEM = Meta()

NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""A NUL character in JSON text, not a backslash before ``u0000``."""


class EventStore:
    """The log of one database, as seen by one role acting for some companies.

    Parameters
    ----------
    settings : Settings
        Where the database is, and the master key.
    role : Role
        ``app``, ``scheduler``, ``executor``, ``projector``, ``auditor``, or ``owner``, who may do what all of them may.
    companies : Companies
        ``"*"`` or the ids that row-level security lets through.
    inline : Mapping[str, Sequence[str]] or None
        Of each event type, the folds that run in the appending transaction.
    application : str
        Name of the process, as the database server shows it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        role: Role = "app",
        companies: Companies = "*",
        inline: Mapping[str, Sequence[str]] | None = None,
        application: str = "multiflexi",
        pool_size: int = POOL_SIZE,
    ) -> None:
        self.settings = settings
        self.role: Role = role
        self.companies: Companies = companies
        self.application = application
        self._inline = inline or {}
        self._pool_size = pool_size
        self._pool: asyncpg.Pool | None = None
        self.epoch = 0
        self.notifier = Notifier(self._connect)
        self.listener = Listener(self._connect)
        self._appender = Appender(self._connect_checked, self._inline, self.notifier.notify)
        self._encoded_meta: dict[tuple[Meta, int], str] = {}

    async def __aenter__(self) -> EventStore:
        connection = await self._connect()
        try:
            self.epoch = await check_log(connection)
        finally:
            await connection.close()
        with database_at_hand():
            self._pool = await asyncpg.create_pool(
                self.settings.url_of(self.role),
                min_size=1,
                max_size=self._pool_size,
                init=self._check,
                reset=restore_session,
                server_settings=server_settings(self.role, self.companies, self.application),
                max_inactive_connection_lifetime=60,
            )
        self.keyring = Keyring(self.pool, self.settings.master_key, self.settings.previous_master_key)
        try:
            await self.keyring.open()
        except BaseException:
            self._pool.terminate()
            raise
        self.notifier.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        # Who still waits by now (a statement for a lock) does not keep the program from ending.
        with suppress(TimeoutError, *DATABASE_ERRORS):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._appender.close()
        await self.notifier.close()
        await self.listener.close()
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._pool.close()
        except (TimeoutError, *DATABASE_ERRORS):
            self._pool.terminate()

    @property
    def pool(self) -> asyncpg.Pool:
        """Connections for reading, with role, search path and companies set."""
        if self._pool is None:
            raise DatabaseUnavailableError("The event store is not open: use it as an asynchronous context manager.")
        return self._pool

    async def _connect(self) -> asyncpg.Connection:
        return await connect(self.settings.url_of(self.role), self.role, self.companies, self.application)

    async def _check(self, connection: asyncpg.Connection) -> None:
        self.epoch = await check_log(connection)

    def _current_epoch(self) -> int:
        return self.epoch

    async def _connect_checked(self) -> tuple[asyncpg.Connection, int]:
        connection = await self._connect()
        self.epoch = await check_log(connection)
        return connection, self.epoch

    async def append(self, append: Append, *, meta: Meta = SYSTEM) -> Appended:
        """Append events to one stream; see :meth:`append_all`."""
        (appended,) = await self._appender.append([await self._encode(append, meta)], None, None)
        return appended

    async def append_all(
        self,
        appends: Sequence[Append],
        *,
        meta: Meta = SYSTEM,
        key: str | None = None,
        fingerprint: bytes | None = None,
    ) -> list[Appended]:
        """Append events to several streams, all or nothing, durably.

        Parameters
        ----------
        appends : Sequence[Append]
            At most one a stream; one without events only holds its stream at the expected version.
        meta : Meta
            Who, by what way, in which undertaking.
        key : str or None
            Idempotency key: the same command with the same key is appended once and answers the same.
        fingerprint : bytes or None
            Digest by which the same command is known; that of the events unless told.

        Returns
        -------
        list[Appended]
            One for each append, in their order.

        Raises
        ------
        ConcurrencyError
            A stream is not at the expected version.
        IdempotencyKeyError
            The key belongs to another command.
        UniqueError
            An inline projection holds the value already.
        PayloadTooLargeError, StreamCompanyError, DatabaseUnavailableError
            As they say; nothing was written.
        """
        entries = [await self._encode(append, meta) for append in appends]
        if len(entries) > 1 and len({entry.stream for entry in entries}) != len(entries):
            raise EventStoreError("A stream may appear once in an append: put its events together.")
        if key is not None and fingerprint is None:
            fingerprint = fingerprint_of(appends)
        return await self._appender.append(entries, key, fingerprint)

    def read_stream(
        self, stream: str, *, start: int = 1, end: int | None = None, backwards: bool = False
    ) -> AsyncIterator[read.Recorded]:
        """Iterate over the events of a stream from version ``start`` to ``end``, or backwards."""
        return read.read_stream(self.pool, self.keyring, stream, start=start, end=end, backwards=backwards)

    def read_log(
        self,
        after: Cursor = START,
        *,
        categories: Sequence[str] | None = None,
        company_id: int | None = None,
        payloads: bool = True,
    ) -> AsyncIterator[read.Recorded]:
        """Iterate over the whole log, or some categories or one company of it, in order, from a cursor on."""
        return read.read_log(
            self.pool,
            self.keyring,
            after,
            self._current_epoch,
            categories=categories,
            company_id=company_id,
            payloads=payloads,
        )

    def subscribe(
        self, after: Cursor = START, *, categories: Sequence[str] | None = None, company_id: int | None = None
    ) -> Subscription:
        """Follow the log from a cursor on, for ever."""
        return Subscription(self.pool, self.keyring, self.listener, after, self._current_epoch, categories, company_id)

    async def end_of_log(self) -> Cursor:
        """Return the place of the last event that readers can see."""
        return await read.end_of_log(self.pool, self.epoch)

    async def _encode(self, append: Append, meta: Meta) -> Entry:
        stream = append.stream
        if not STREAM_NAME.match(stream) or len(stream) > MAX_STREAM_NAME:
            raise EventStoreError(
                f"{stream!r} is not a stream name: expected CATEGORY-ID, at most {MAX_STREAM_NAME} characters."
            )
        types: list[str] = []
        data: list[str] = []
        metas: list[str] = []
        for event in append.events:
            kind = type(event)
            try:
                sealed = await self._seal(append, event) if kind.personal else None
                text = codec.encode_personal(event, sealed) if sealed else codec.encode(event)
            except UnicodeEncodeError as error:
                raise unstorable(append, event, f"half of a surrogate pair ({error.object[error.start]!r})") from None
            if "\\u0000" in text and NUL.search(text):
                raise unstorable(append, event, "a NUL character")
            if len(text) > MAX_DATA // 4:
                self._check_data(append, event, text)
            types.append(kind.__name__)
            data.append(text)
            metas.append(
                self._encoded_meta.get((meta, kind.schema_version)) or self._meta_text(meta, kind.schema_version)
            )
        if append.payloads is None:
            payloads = digests = [None] * len(data)
        else:
            payloads = list(append.payloads)
            self._check_payloads(append, payloads)
            digests = append.payload_digests or [payload_digest(payload) for payload in payloads]
        class_ = CLASS_OF_CATEGORY.get(stream.partition("-")[0], CONFIGURATION)
        return Entry(stream, class_, append.company_id, append.expected, types, data, metas, payloads, digests)

    async def _seal(self, append: Append, event: Event) -> dict[str, Any]:
        """Return the envelopes of the personal fields of an event that hold a clear text."""
        sealed: dict[str, Any] = {}
        subjects: dict[str, str] = {}
        for field, pattern in type(event).personal.items():
            clear = getattr(event, field)
            if isinstance(clear, str):
                owner = subjects.get(pattern)
                if owner is None:
                    owner = subjects[pattern] = event.subject_of(field)
                key = self.keyring.ready(owner) or await self.keyring.ensure(owner, append.company_id)
                sealed[field] = self.keyring.seal(key, owner, f"{append.stream}|{field}", clear)
        return sealed

    def _meta_text(self, meta: Meta, schema_version: int) -> str:
        if len(self._encoded_meta) > 256:
            self._encoded_meta.clear()
        document = {"v": schema_version, **msgspec.to_builtins(meta)}
        text = msgspec.json.encode({"actor": meta.actor, "source": meta.source, **document}).decode()
        self._encoded_meta[meta, schema_version] = text
        return text

    @staticmethod
    def _check_data(append: Append, event: Event, text: str) -> None:
        size = len(text.encode())
        if size > MAX_DATA:
            raise PayloadTooLargeError(
                f"{type(event).__name__} for {append.stream} has {size} bytes of data; at most {MAX_DATA} are kept in "
                "an event. Nothing was written."
            )

    @staticmethod
    def _check_payloads(append: Append, payloads: list[bytes | None]) -> None:
        for event, payload in zip(append.events, payloads, strict=True):
            if payload is not None and len(payload) > MAX_PAYLOAD:
                raise PayloadTooLargeError(
                    f"{type(event).__name__} for {append.stream} has {len(payload)} bytes of payload; at most "
                    f"{MAX_PAYLOAD} are kept in an event. Nothing was written."
                )


def unstorable(append: Append, event: Event, what: str) -> EventStoreError:
    """Return the error for text that no PostgreSQL database can hold."""
    return EventStoreError(
        f"{type(event).__name__} for {append.stream} cannot be stored: its text has {what}. Take it out. Nothing was "
        "written."
    )


def fingerprint_of(appends: Sequence[Append]) -> bytes:
    """Return a digest of what is appended, in clear, so that a repetition of a command is known as such."""
    digest = hashlib.sha256()
    for append in appends:
        digest.update(append.stream.encode())
        for event in append.events:
            digest.update(type(event).__name__.encode() + codec.encode(event).encode())
        for payload in append.payloads or ():
            digest.update(payload or b"-")
    return digest.digest()
