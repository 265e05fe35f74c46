"""Captured output of one job on its way into the log: masked, coalesced, counted, limited.

Bytes are gathered and appended as one event when there are 64 KiB of them or 200 ms have passed (the first after 20 ms,
so that a live view moves at once). While an append is under way, more is gathered; beyond a bound nothing more is read
from the process, so memory does not grow.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from daemons.masking import Masker
from domain.event import Event
from domain.job_events import Channel, OutputCaptured, OutputDropped
from eventstore.keyring import DataKey
from eventstore.log import Append
from eventstore.output import encode_payload, place

CHUNK = 64 * 1024
"""Bytes that are appended at once, at the latest."""

SOON, LATER = 0.02, 0.2
"""Seconds after which the first, and then further, bytes are appended."""

GATHERED = 1024 * 1024
"""Bytes waiting to be appended beyond which reading pauses."""

LIMIT = 256 * 1024 * 1024
"""Bytes kept of each channel of a job."""


class _ChannelState:
    def __init__(self, secrets: Sequence[bytes]) -> None:
        self.masker = Masker(secrets)
        self.offset = 0
        self.dropped = 0
        self.dropped_untold = 0
        self.digest = hashlib.sha256()


class OutputBuffer:
    """Gathers the output of one job.

    Parameters
    ----------
    job_id, company_id : int
        Whose output it is.
    secrets : Sequence[str]
        Values that must not be shown.
    limit : int
        Bytes kept of each channel.
    """

    def __init__(self, job_id: int, company_id: int, secrets: Sequence[str], limit: int = LIMIT) -> None:
        self._job_id = job_id
        self._company_id = company_id
        self._limit = limit
        hidden = [secret.encode() for secret in secrets]
        self._channels = {"stdout": _ChannelState(hidden), "stderr": _ChannelState(hidden)}
        self._pieces: list[tuple[str, bytes]] = []
        self._waiting = 0
        self._version = 0
        self.filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

    async def receive(self, channel: str, data: bytes) -> None:
        """Take bytes of a channel; waits while too many are gathered."""
        self._take(channel, self._channels[channel].masker.feed(data))
        await self._drained.wait()

    def close(self) -> None:
        """Take what the maskers held back."""
        for channel, state in self._channels.items():
            self._take(channel, state.masker.close())

    @property
    def waiting(self) -> int:
        """Bytes gathered and not yet appended."""
        return self._waiting

    @property
    def delay(self) -> float:
        """Seconds for which to gather more before the next append."""
        return SOON if self._version == 0 else LATER

    def totals(self) -> tuple[Channel, Channel]:
        """Return length, digest and dropped bytes of stdout and stderr."""
        told = [
            Channel(length=state.offset, digest=state.digest.hexdigest(), dropped=state.dropped)
            for state in self._channels.values()
        ]
        return told[0], told[1]

    def take_append(self, key: DataKey) -> Append | None:
        """Return an append of what is gathered, or None if there is nothing.

        It must be appended before the next is taken.
        """
        pieces, self._pieces = self._pieces, []
        self._waiting = 0
        self._drained.set()
        self.filled.clear()
        now = datetime.now(UTC)
        events: list[Event] = []
        payloads: list[bytes | None] = []
        for channel, data in merge(pieces):
            state = self._channels[channel]
            for start in range(0, len(data), GATHERED):
                part = data[start : start + GATHERED]
                events.append(
                    OutputCaptured(
                        job_id=self._job_id,
                        company_id=self._company_id,
                        channel=channel,
                        offset=state.offset,
                        length=len(part),
                        captured_at=now,
                    )
                )
                payloads.append(encode_payload(key, place(self._job_id, channel, state.offset), part))
                state.offset += len(part)
        for channel, state in self._channels.items():
            if state.dropped_untold:
                events.append(self._dropped(channel, state, now))
                payloads.append(None)
        if not events:
            return None
        expected = self._version
        self._version += len(events)
        return Append(
            stream=f"output-{self._job_id}",
            company_id=self._company_id,
            events=events,
            payloads=payloads,
            expected=expected,
        )

    def _dropped(self, channel: str, state: _ChannelState, now: datetime) -> OutputDropped:
        length, state.dropped_untold = state.dropped_untold, 0
        return OutputDropped(
            job_id=self._job_id,
            company_id=self._company_id,
            channel=channel,
            offset=self._limit + state.dropped - length,
            length=length,
            limit=self._limit,
            captured_at=now,
        )

    def _take(self, channel: str, data: bytes) -> None:
        state = self._channels[channel]
        gathered = sum(len(piece) for name, piece in self._pieces if name == channel)
        room = self._limit - state.offset - gathered
        kept, over = data[: max(room, 0)], len(data) - min(len(data), max(room, 0))
        if over:
            state.dropped += over
            state.dropped_untold += over
        if kept:
            state.digest.update(kept)
            self._pieces.append((channel, kept))
            self._waiting += len(kept)
        if self._waiting >= GATHERED:
            self._drained.clear()
        if kept or over:
            self.filled.set()


def merge(pieces: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Join neighbouring pieces of the same channel.

    Examples
    --------
    >>> merge([("stdout", b"a"), ("stdout", b"b"), ("stderr", b"c")])
    [('stdout', b'ab'), ('stderr', b'c')]
    """
    joined: list[tuple[str, list[bytes]]] = []
    for channel, data in pieces:
        if joined and joined[-1][0] == channel:
            joined[-1][1].append(data)
        else:
            joined.append((channel, [data]))
    return [(channel, b"".join(parts)) for channel, parts in joined]
