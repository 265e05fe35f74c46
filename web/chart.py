"""A stacked column chart as numbers: where each rectangle of an SVG stands. Drawing is the template's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 220
LEFT, TOP, RIGHT, BOTTOM = 40, 12, 4, 26
FILLED = 0.62
"""Part of a column's place that it fills."""

ROUNDED = 3.0
FEWEST = 4
"""Least value at the top of the scale: a single job should not look like a flood."""


@dataclass(frozen=True)
class Segment:
    """A part of a column: which series, how much, and its outline as SVG path data."""

    series: str
    value: int
    path: str


@dataclass(frozen=True)
class Column:
    """A column: the place it stands on, its middle, its top, and its parts from below."""

    x: float
    width: float
    middle: float
    top: float
    total: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Tick:
    """A line of the grid: its value and its height."""

    value: int
    y: float


@dataclass(frozen=True)
class Chart:
    """All of it, in the units of a view box of ``width`` by ``height``."""

    width: int
    height: int
    left: int
    right: int
    baseline: float
    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]


def nice_steps(most: int, lines: int = 4) -> tuple[int, ...]:
    """Return round values from zero up to at least ``most``, at about ``lines`` steps.

    Examples
    --------
    >>> nice_steps(7), nice_steps(93), nice_steps(0), nice_steps(1250)
    ((0, 2, 4, 6, 8), (0, 25, 50, 75, 100), (0, 1), (0, 500, 1000, 1500))
    """
    if most <= 1:
        return (0, 1)
    rough = most / lines
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough)
    whole = max(1, math.ceil(step))
    return tuple(range(0, math.ceil(most / whole) * whole + 1, whole))


def stacked(series: Sequence[str], values: Sequence[Sequence[int]]) -> Chart:
    """Return a chart of columns.

    Parameters
    ----------
    series : Sequence[str]
        Names of the series, from below.
    values : Sequence[Sequence[int]]
        Of each column, a value for each series.
    """
    steps = nice_steps(max(FEWEST, *(sum(column) for column in values)))
    baseline = HEIGHT - BOTTOM
    scale = (baseline - TOP) / steps[-1]
    place = (WIDTH - LEFT - RIGHT) / max(1, len(values))
    columns = tuple(
        _column(series, column, LEFT + place * number, place, baseline, scale) for number, column in enumerate(values)
    )
    ticks = tuple(Tick(step, round(baseline - step * scale, 1)) for step in steps)
    return Chart(WIDTH, HEIGHT, LEFT, WIDTH - RIGHT, baseline, ticks, columns)


def _column(
    series: Sequence[str], values: Sequence[int], x: float, place: float, baseline: float, scale: float
) -> Column:
    width = place * FILLED
    begin = x + (place - width) / 2
    segments: list[Segment] = []
    bottom = baseline
    present = [number for number, value in enumerate(values) if value]
    for number in present:
        # A single failure among thousands of jobs must still be seen.
        height = max(values[number] * scale, 2.0)
        rounded = min(ROUNDED, height, width / 2) if number == present[-1] else 0.0
        segments.append(Segment(series[number], values[number], _outline(begin, bottom, width, height, rounded)))
        bottom -= height
    return Column(round(x, 1), round(place, 1), round(x + place / 2, 1), round(bottom, 1), sum(values), tuple(segments))


def _outline(x: float, bottom: float, width: float, height: float, rounded: float) -> str:
    top, right = bottom - height, x + width
    if not rounded:
        return f"M{x:.1f} {bottom:.1f}V{top:.1f}H{right:.1f}V{bottom:.1f}Z"
    return (
        f"M{x:.1f} {bottom:.1f}V{top + rounded:.1f}q0 -{rounded:.1f} {rounded:.1f} -{rounded:.1f}"
        f"H{right - rounded:.1f}q{rounded:.1f} 0 {rounded:.1f} {rounded:.1f}V{bottom:.1f}Z"
    )
