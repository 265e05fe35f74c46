"""A window of time as numbers: where its deadline and the attempts within it stand. Drawing is the template's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 720, 56
SHORTEST = 4.0
"""Least width of a piece: what took a second in a day must still be seen."""

SOME_TIME = timedelta(hours=1)
"""Length of a window that has no end, at least."""


@dataclass(frozen=True)
class Piece:
    """A stretch within the window: what it belongs to, how it is coloured, where it stands."""

    id: int
    kind: str
    x: float
    width: float


@dataclass(frozen=True)
class Span:
    """All of it, in the units of a view box of ``width`` by ``height``; None: not within the window."""

    width: int
    height: int
    deadline: float | None
    now: float | None
    pieces: tuple[Piece, ...]
    begin: datetime
    end: datetime


def span(
    begin: datetime,
    end: datetime | None,
    deadline: datetime | None,
    now: datetime,
    stretches: Iterable[tuple[int, str, datetime, datetime]],
) -> Span:
    """Return how a window is drawn.

    Parameters
    ----------
    begin, end : datetime
        The window; one without an end reaches until a while after its last attempt.
    deadline : datetime or None
        Deadline of the window.
    now : datetime
        The moment at which it is looked at.
    stretches : Iterable[tuple[int, str, datetime, datetime]]
        Id, colour, begin and end of each attempt.
    """
    known = list(stretches)
    last = max([each[3] for each in known] + [deadline or begin], default=begin)
    until = max(end or max(last, begin + SOME_TIME), last)
    whole = max((until - begin).total_seconds(), 1.0)

    def place(moment: datetime) -> float:
        return round(min(max((moment - begin).total_seconds() / whole, 0.0), 1.0) * WIDTH, 1)

    pieces: list[Piece] = []
    for number, kind, start, stop in known:
        width = max(place(stop) - place(start), SHORTEST)
        pieces.append(Piece(number, kind, min(place(start), WIDTH - width), round(width, 1)))
    return Span(
        width=WIDTH,
        height=HEIGHT,
        deadline=place(deadline) if deadline is not None else None,
        now=place(now) if begin <= now <= until else None,
        pieces=tuple(pieces),
        begin=begin,
        end=until,
    )
