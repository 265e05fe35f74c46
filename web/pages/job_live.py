"""The stream of one job's page: its state as it changes, its output as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from eventstore.output import OutputChunk, read_output
from eventstore.store import EventStore
from web.data.job import JobShown
from web.database import AWAY, RETRY
from web.errors import UnavailableError
from web.live import Watcher
from web.output.lines import Assembler, Line, Place
from web.sse import COMMENT, HEARTBEAT, OPENING, Parts, Sent, message
from web.times import Clock

LINES_AT_ONCE = 500
"""Most lines in one event: a browser draws between two events."""

Read = Callable[[], Awaitable[JobShown]]
"""Reads the job as it is now."""

MakeParts = Callable[[JobShown, bool, bool], Parts]
"""Given the job, whether there is no output, and whether some of it was removed, returns the parts of the page."""


class JobStream:
    """What one open page of a job is sent.

    Parameters
    ----------
    store : EventStore
        Where the output is read.
    job_id : int
        The job.
    watcher : Watcher
        Tells when to look.
    clock : Clock
        The viewer's.
    read : Read
        Reads the job.
    parts : MakeParts
        Makes the parts of the page.
    sent : Sent
        What the page has been sent.
    place : Place
        Up to where it has the output.
    """

    def __init__(
        self,
        store: EventStore,
        job_id: int,
        *,
        watcher: Watcher,
        clock: Clock,
        read: Read,
        parts: MakeParts,
        sent: Sent,
        place: Place,
    ) -> None:
        self._store = store
        self._job_id = job_id
        self._watcher = watcher
        self._clock = clock
        self._read = read
        self._parts = parts
        self._sent = sent
        self._shown: JobShown | None = None
        self._assembler = Assembler(place)
        self._version = place.version
        self._nothing = place.version == 0
        self._erased = False

    async def events(self) -> AsyncIterator[bytes]:
        """Yield events until the job has ended and all of it was sent."""
        yield OPENING
        yield self._message({"from": self._assembler.lines, "lines": []}, "output")
        away = False
        while not self._watcher.ended:
            try:
                # The job is looked at before its output: once it has ended, no output comes after.
                if self._shown is None or self._watcher.stale:
                    self._watcher.stale = False
                    self._shown = await self._read()
                if self._shown.output_visible:
                    async for event in self._output():
                        yield event
            except (UnavailableError, *AWAY):
                yield COMMENT if away else message({"away": True}, event="database")
                away, self._shown = True, None
                await self._watcher.wait(RETRY)
                continue
            if away:
                yield message({"away": False}, event="database")
            away = False
            parts = self._parts(self._shown, self._nothing, self._erased)
            yield self._sent.update(parts, f"/{self._assembler.place}") or COMMENT
            if self._shown.finished:
                yield self._message({}, "end")
                return
            await self._watcher.wait(HEARTBEAT)

    async def _output(self) -> AsyncIterator[bytes]:
        lines: dict[int, Line] = {}
        async for chunk in read_output(self._store, self._job_id, after_version=self._version):
            self._take(chunk, lines)
            if len(lines) >= LINES_AT_ONCE:
                yield self._lines(lines)
        if lines:
            yield self._lines(lines)

    def _take(self, chunk: OutputChunk, lines: dict[int, Line]) -> None:
        self._nothing = self._nothing and not chunk.data
        self._erased = self._erased or chunk.erased
        for line in self._assembler.feed(chunk):
            lines[line.number] = line
        self._version = chunk.version

    def _lines(self, lines: dict[int, Line]) -> bytes:
        """Return the event for some lines, and forget them."""
        told = [
            [line.number, line.channel, line.runs, line.continued, self._clock.clock(line.at)]
            for _, line in sorted(lines.items())
        ]
        lines.clear()
        return self._message({"lines": told}, "output")

    def _message(self, data: object, event: str) -> bytes:
        return message(data, event=event, identity=f"{self._sent.known}/{self._assembler.place}")
