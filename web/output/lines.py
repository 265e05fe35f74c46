"""Bytes of two channels, in the order they came, to lines.

A line belongs to one channel. While its end has not come it is open, and is sent again when more of it comes; the
other channel meanwhile writes lines of its own. What terminals do with a lone carriage return is done here too: the
line begins anew, so that a progress bar stays one line.
"""

from __future__ import annotations

import codecs
import re
from datetime import datetime

import msgspec

from eventstore.output import OutputChunk
from web.output.ansi import Parser

LONGEST_LINE = 4000
"""Characters after which a line is broken; its continuation is marked."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
_PIECES = re.compile(r"[^\r\n]+|\r\n|\n|\r")


class Line(msgspec.Struct, array_like=True):
    """A line of output, as a browser gets it.

    Attributes
    ----------
    number : int
        From 0.
    channel : str
        ``o`` stdout, ``e`` stderr.
    runs : list[tuple[str, str]]
        Names of styles, and text.
    continued : bool
        Whether it continues the line before, which was too long.
    at : datetime
        When its last bytes were read.
    """

    number: int
    channel: str
    runs: list[tuple[str, str]]
    continued: bool
    at: datetime

    @property
    def text(self) -> str:
        """The line without styles."""
        return "".join(text for _, text in self.runs)


class Place(msgspec.Struct, frozen=True):
    """Where output can be read on from: after a version of its stream, with that many lines before it."""

    version: int = 0
    lines: int = 0

    def __str__(self) -> str:
        return f"{self.version}:{self.lines}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read a place as :meth:`__str__` writes it; the beginning if it is none.

        Examples
        --------
        >>> Place.parse("12:340"), Place.parse("x")
        (Place(version=12, lines=340), Place(version=0, lines=0))
        """
        version, _, lines = text.partition(":")
        if version.isascii() and version.isdigit() and lines.isascii() and lines.isdigit():
            return cls(int(version[:9]), int(lines[:12]))
        return cls()


class _Channel:
    """What is left over of a channel: half a character, half a sequence, an open line, a carriage return."""

    def __init__(self, letter: str) -> None:
        self.letter = letter
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.parser = Parser()
        self.open: Line | None = None
        self.length = 0
        self.returned = False

    @property
    def clean(self) -> bool:
        return self.open is None and not self.returned and self.parser.clean and not self.decoder.getstate()[0]


class Assembler:
    """Makes lines of chunks.

    Parameters
    ----------
    place : Place
        Where it begins: lines before it are counted, but not known.
    """

    def __init__(self, place: Place | None = None) -> None:
        self.place = place or Place()
        self.lines = self.place.lines
        self._channels = {"stdout": _Channel("o"), "stderr": _Channel("e")}
        self._touched: dict[int, Line] = {}

    def feed(self, chunk: OutputChunk) -> list[Line]:
        """Return the lines that a chunk began or went on with, in their order."""
        channel = self._channels.setdefault(chunk.channel, _Channel("o"))
        text = channel.decoder.decode(chunk.data)
        self._touched = {}
        for style, run in channel.parser.feed(text):
            for piece in _PIECES.findall(run):
                self._put(channel, style, piece, chunk.captured_at)
        if all(each.clean for each in self._channels.values()):
            self.place = Place(chunk.version, self.lines)
        return [self._touched[number] for number in sorted(self._touched)]

    def end(self) -> list[Line]:
        """Return what is left when no more comes: half a character at the end of a channel."""
        self._touched = {}
        for channel in self._channels.values():
            left = channel.decoder.decode(b"", final=True)
            if left and channel.open is not None:
                self._put(channel, channel.parser.style.name, left, channel.open.at)
        return list(self._touched.values())

    def _put(self, channel: _Channel, style: str, piece: str, at: datetime) -> None:
        if piece in ("\n", "\r\n"):
            self._line(channel, at)
            channel.open, channel.returned = None, False
            return
        if piece == "\r":
            channel.returned = True
            return
        line = self._line(channel, at)
        if channel.returned:
            line.runs.clear()
            channel.length, channel.returned = 0, False
        piece = _CONTROL.sub(lambda found: chr(0x2400 + ord(found[0])) if found[0] != "\x7f" else "␡", piece)
        while piece:
            room = LONGEST_LINE - channel.length
            if room <= 0:
                channel.open = None
                line = self._line(channel, at, continued=True)
                room = LONGEST_LINE
            _append(line, style, piece[:room])
            channel.length += len(piece[:room])
            piece = piece[room:]

    def _line(self, channel: _Channel, at: datetime, *, continued: bool = False) -> Line:
        if channel.open is None:
            channel.open = Line(self.lines, channel.letter, [], continued, at)
            channel.length = 0
            self.lines += 1
        channel.open.at = at
        self._touched[channel.open.number] = channel.open
        return channel.open


def _append(line: Line, style: str, text: str) -> None:
    if line.runs and line.runs[-1][0] == style:
        line.runs[-1] = (style, line.runs[-1][1] + text)
    else:
        line.runs.append((style, text))
