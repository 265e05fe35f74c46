"""The part of a job's output that its page shows at first: all of a short one, the end of a long one."""

from __future__ import annotations

import math

import msgspec

from eventstore.output import read_output
from eventstore.store import EventStore
from web.data.job import JobShown
from web.output.lines import Assembler, Line, Place

WINDOW_BYTES = 512 * 1024
"""Bytes of output up to which all of it is read for the page."""

LONG_PIECE = 64 * 1024
"""Bytes that a piece of output is taken to have while nothing is known of it."""

WINDOW_LINES = 1000
"""Most lines that the page itself holds."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Lines, and where to read on.

    Attributes
    ----------
    lines : list[Line]
        The newest lines.
    begin : Place
        Where reading began.
    place : Place
        Where to read on from.
    whole : bool
        Whether the lines are counted from the beginning of the output.
    hidden : int
        Lines that were read and are not shown.
    erased : bool
        Whether the key of some of the output is gone.
    """

    lines: list[Line]
    begin: Place
    place: Place
    whole: bool
    hidden: int
    erased: bool

    @property
    def complete(self) -> bool:
        """Whether all lines there are so far are shown."""
        return self.whole and not self.hidden


NOTHING = Window(lines=[], begin=Place(), place=Place(), whole=True, hidden=0, erased=False)
"""What is shown to those who may not see what jobs wrote."""


async def load(store: EventStore, shown: JobShown) -> Window:
    """Read the newest lines of a job's output.

    Parameters
    ----------
    store : EventStore
        Where the output is; whether the user may see the job was checked before.
    shown : JobShown
        The job.
    """
    begin = Place(_first_version(shown))
    assembler = Assembler(begin)
    found: dict[int, Line] = {}
    erased = False
    async for chunk in read_output(store, shown.job.id, after_version=begin.version):
        erased = erased or chunk.erased
        for line in assembler.feed(chunk):
            found[line.number] = line
        for number in sorted(found)[:-WINDOW_LINES] if len(found) > 2 * WINDOW_LINES else ():
            del found[number]
    lines = [found[number] for number in sorted(found)][-WINDOW_LINES:]
    return Window(
        lines=lines,
        begin=begin,
        place=assembler.place,
        whole=begin.version == 0,
        hidden=lines[0].number if lines else 0,
        erased=erased,
    )


def _first_version(shown: JobShown) -> int:
    """Return the version to read after; the read model, which tells how long pieces are, may be behind."""
    piece = max(1.0, sum(channel.bytes for channel in shown.channels) / shown.chunks) if shown.chunks else LONG_PIECE
    return max(0, shown.last_output_version - math.ceil(WINDOW_BYTES / piece))
