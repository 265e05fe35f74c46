"""Write figures into ``RESULTS.md``, with where and when they were measured."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import HEADINGS, Figure, table
from benchmarks.place import Place

RESULTS = Path(__file__).with_name("RESULTS.md")
BEGIN = "<!-- figures: python -m benchmarks writes what stands between these two lines -->"
END = "<!-- end of figures -->"


def write(figures: Sequence[Figure], where: Place, order: Sequence[str]) -> None:
    """Put figures in place of those of earlier runs of the same benchmarks; what else the page says stays.

    Parameters
    ----------
    figures : Sequence[Figure]
        Figures of this run.
    where : Place
        Where they were measured.
    order : Sequence[str]
        Names of the benchmarks, in the order of the table.
    """
    text = RESULTS.read_text() if RESULTS.exists() else f"# Results of the benchmarks\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    block, _, after = rest.partition(END)
    measured = {figure.benchmark for figure in figures}
    kept = [row for row in rows_of(block) if row[0] not in measured]
    rows = kept + [(*figure.cells(), stamp()) for figure in figures]
    rows.sort(key=lambda row: order.index(row[0]) if row[0] in order else len(order))
    page = table((*HEADINGS, "measured"), rows)
    RESULTS.write_text(f"{before}{BEGIN}\n\n{machine(where)}\n\n{page}\n\n{END}{after}")


def rows_of(block: str) -> list[tuple[str, ...]]:
    """Return the rows of the table that a page holds."""
    lines = [line for line in block.splitlines() if line.startswith("| ")]
    rows = [tuple(cell.strip() for cell in line.strip("| ").split(" | ")) for line in lines[2:]]
    return [row for row in rows if len(row) == len(HEADINGS) + 1]


def stamp() -> str:
    """Return the day and the commit."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return f"{datetime.now(UTC):%Y-%m-%d} {commit.stdout.strip()}".strip()


def machine(where: Place) -> str:
    """Return on what the figures were measured."""
    return (
        f"{os.cpu_count()} cores ({processor()}), PostgreSQL {where.version} on the same machine, "
        f"Python {platform.python_version()}. Both sides of a ratio are measured in turns; it is the median of the "
        "ratios of all rounds."
    )


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
