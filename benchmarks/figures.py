"""Figures: what was measured, its ratio to a baseline of the same run, and whether that is enough."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Sequence

import msgspec

HEADINGS = ("benchmark", "what", "ours", "baseline", "ratio", "target", "reached")


class Figure(msgspec.Struct, frozen=True):
    """One line of the results.

    Attributes
    ----------
    benchmark : str
        Name of the benchmark.
    what : str
        What was measured.
    ours, baseline : str
        Both with their unit.
    ratio : float
        How many times the baseline ours is; more is better.
    target : float or None
        Ratio that must be reached; None: told for information.
    """

    benchmark: str
    what: str
    ours: str
    baseline: str
    ratio: float
    target: float | None = None

    @property
    def reached(self) -> str:
        """Whether the target is reached, as it stands in the table."""
        if self.target is None:
            return ""
        return "yes" if round(self.ratio, 2) >= self.target else "no"

    def cells(self) -> tuple[str, ...]:
        """Return it as a row of the table, as :data:`HEADINGS` have it."""
        target = "" if self.target is None else f"≥ {self.target:.2f}"
        return (self.benchmark, self.what, self.ours, self.baseline, f"{self.ratio:.2f}", target, self.reached)


def table(headings: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, its columns aligned."""
    rows = [headings, *cells]
    widths = [max(len(row[column]) for row in rows) for column in range(len(headings))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


class Rates(msgspec.Struct):
    """Rates of two sides that were measured in turns."""

    ours: list[float] = msgspec.field(default_factory=list[float])
    baseline: list[float] = msgspec.field(default_factory=list[float])

    @property
    def ratio(self) -> float:
        """Median of the ratios of all rounds: what disturbs the machine for a while disturbs both sides of a round."""
        return statistics.median(ours / baseline for ours, baseline in zip(self.ours, self.baseline, strict=True))

    def figure(self, benchmark: str, what: str, unit: str, target: float | None = None) -> Figure:
        """Return the figure; ``unit`` is what the rates count, each second."""
        ours, baseline = (f"{statistics.median(side):,.0f} {unit}/s" for side in (self.ours, self.baseline))
        return Figure(benchmark, what, ours, baseline, self.ratio, target)


async def in_turns(
    rounds: int, baseline: Callable[[int], Awaitable[float]], ours: Callable[[int], Awaitable[float]]
) -> Rates:
    """Measure two sides in turns, after a round to warm up that does not count.

    Parameters
    ----------
    rounds : int
        How often.
    baseline, ours : Callable[[int], Awaitable[float]]
        Given the number of the round, do something for a moment and return the rate reached. Which of them goes first
        changes from round to round.
    """
    rates = Rates()
    for number in range(rounds + 1):
        measured: dict[str, float] = {}
        sides = [("baseline", baseline), ("ours", ours)]
        for name, side in sides if number % 2 else reversed(sides):
            measured[name] = await side(number)
        if number:
            rates.ours.append(measured["ours"])
            rates.baseline.append(measured["baseline"])
    return rates
