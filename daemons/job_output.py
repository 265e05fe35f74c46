"""Captured output of one job on its way into the log: masked, coalesced, counted, limited.

Bytes are gathered and appended as one event when there are 64 KiB of them or 200 ms have passed (the first after 20 ms,
so that a live view moves at once). While an append is under way, more is gathered; when as many bytes wait as may,
nothing more is read from the process, so memory does not grow.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from daemons.clock import WALL
from daemons.masking import Masker, Secrets, secrets_of
from domain.event import Event
from domain.job_events import Channel, OutputCaptured, OutputDropped
from eventstore.chain import payload_digest
from eventstore.keyring import DataKey
from eventstore.log import Append
from eventstore.output import encode_payload, place

CHUNK = 64 * 1024
"""Bytes that are appended at once, at the latest."""

SOON, LATER = 0.02, 0.2
"""Seconds after which the first, and then further, bytes are appended."""

LARGEST_EVENT = 1024 * 1024
"""Most bytes of an event."""

LARGEST_APPEND = 4 * LARGEST_EVENT
"""Bytes from which an append takes no more."""

HELD = 8 * 1024 * 1024
"""Most bytes that wait to be appended, those included that are being appended."""

LIMIT = 256 * 1024 * 1024
"""Bytes kept of each channel of a job, unless its template says otherwise."""

EMPTY = Channel()


class _ChannelState:
    def __init__(self, secrets: Secrets) -> None:
        self.masker = Masker(secrets)
        self.kept = 0
        self.dropped = 0
        self.dropped_untold = 0
        self.offset = 0
        self.digest = hashlib.sha256()


class Piece(NamedTuple):
    """Bytes of a channel, and when the last of them was read."""

    channel: str
    data: bytes
    at: datetime


class OutputBuffer:
    """Gathers the output of one job; a :class:`daemons.executors.interface.Sink`.

    Parameters
    ----------
    job_id, company_id : int
        Whose output it is.
    secrets : Sequence[str]
        Values that must not be shown.
    limit : int
        Bytes kept of each channel.
    filled : Callable
        Called when there is something to append after there was nothing.
    now : Callable
        Tells the time.
    """

    def __init__(
        self,
        job_id: int,
        company_id: int,
        secrets: Sequence[str],
        limit: int = LIMIT,
        filled: Callable[[], None] | None = None,
        now: Callable[[], datetime] = WALL.now,
    ) -> None:
        self._now = now
        self._job_id = job_id
        self._company_id = company_id
        self._limit = limit
        hidden = secrets_of(tuple(secrets))
        self._channels = {"stdout": _ChannelState(hidden), "stderr": _ChannelState(hidden)}
        self._pieces: list[Piece] = []
        self._filled = filled
        self._waiters: list[Callable[[], None]] = []
        self.gathered = 0
        self.appending = 0
        self.enough = asyncio.Event()
        self.version = 0

    def room(self) -> int:
        """Return how many bytes may be taken now."""
        return HELD - self.gathered - self.appending

    def take(self, channel: str, data: bytes) -> None:
        """Take bytes of a channel."""
        self._keep(channel, self._channels[channel].masker.feed(data))

    def when_room(self, call: Callable[[], None]) -> None:
        """Have a function called once, as soon as there is room again."""
        self._waiters.append(call)

    def close(self) -> None:
        """Take what the maskers held back: the process has ended."""
        for channel, state in self._channels.items():
            self._keep(channel, state.masker.close())

    @property
    def empty(self) -> bool:
        """Whether there is nothing to append."""
        return not self._pieces and not any(state.dropped_untold for state in self._channels.values())

    @property
    def delay(self) -> float:
        """Seconds for which to gather more before the next append."""
        return SOON if self.version == 0 else LATER

    def totals(self) -> tuple[Channel, Channel]:
        """Return length, digest and dropped bytes of stdout and stderr, of all that was encoded."""
        told = [
            Channel(length=state.offset, digest=state.digest.hexdigest(), dropped=state.dropped)
            if state.offset or state.dropped
            else EMPTY
            for state in self._channels.values()
        ]
        return told[0], told[1]

    def gather(self) -> list[Piece]:
        """Take what is to be appended next: pieces of one channel joined, those of the other between them."""
        taken: list[Piece] = []
        size = 0
        while self._pieces and size < LARGEST_APPEND:
            joined = self._join()
            taken.append(joined)
            size += len(joined.data)
        self.gathered -= size
        self.appending += size
        if self.gathered < CHUNK:
            self.enough.clear()
        return taken

    def _join(self) -> Piece:
        channel = self._pieces[0].channel
        size = count = 0
        for piece in self._pieces:
            if piece.channel != channel or (count and size + len(piece.data) > LARGEST_EVENT):
                break
            size += len(piece.data)
            count += 1
        parts, self._pieces = self._pieces[:count], self._pieces[count:]
        if count == 1:
            return parts[0]
        return Piece(channel, b"".join(part.data for part in parts), parts[-1].at)

    def encode(self, pieces: list[Piece], key: DataKey) -> Append | None:
        """Return the append of gathered pieces, and of what was dropped; None if there is nothing. Runs in any thread.

        Appends must be made in the order in which they are encoded.
        """
        events: list[Event] = []
        payloads: list[bytes | None] = []
        digests: list[bytes | None] = []
        for channel, data, at in pieces:
            state = self._channels[channel]
            state.digest.update(data)
            events.append(
                OutputCaptured(
                    job_id=self._job_id,
                    company_id=self._company_id,
                    channel=channel,
                    offset=state.offset,
                    length=len(data),
                    captured_at=at,
                )
            )
            payload = encode_payload(key, place(self._job_id, channel, state.offset), data)
            payloads.append(payload)
            digests.append(payload_digest(payload))
            state.offset += len(data)
        for channel, state in self._channels.items():
            if state.dropped_untold:
                events.append(self._dropped(channel, state))
                payloads.append(None)
                digests.append(None)
        if not events:
            return None
        expected = self.version
        self.version += len(events)
        return Append(
            stream=f"output-{self._job_id}",
            company_id=self._company_id,
            events=events,
            payloads=payloads,
            payload_digests=digests,
            expected=expected,
        )

    def appended(self, pieces: list[Piece]) -> None:
        """Let go of pieces that are in the log; whoever waits for room goes on."""
        self.appending -= sum(len(piece.data) for piece in pieces)
        if self._waiters and self.room() > 0:
            waiters, self._waiters = self._waiters, []
            for call in waiters:
                call()

    def _dropped(self, channel: str, state: _ChannelState) -> OutputDropped:
        length, state.dropped_untold = state.dropped_untold, 0
        return OutputDropped(
            job_id=self._job_id,
            company_id=self._company_id,
            channel=channel,
            offset=self._limit + state.dropped - length,
            length=length,
            limit=self._limit,
            captured_at=self._now(),
        )

    def _keep(self, channel: str, data: bytes) -> None:
        if not data:
            return
        was_empty = self.empty
        state = self._channels[channel]
        room = self._limit - state.kept
        kept = data if len(data) <= room else data[:room]
        over = len(data) - len(kept)
        if over:
            state.dropped += over
            state.dropped_untold += over
        if kept:
            state.kept += len(kept)
            self._pieces.append(Piece(channel, kept, self._now()))
            self.gathered += len(kept)
        if self.gathered >= CHUNK:
            self.enough.set()
        if was_empty and self._filled is not None:
            self._filled()
