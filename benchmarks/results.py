"""Write figures into ``RESULTS.md``, with where and when they were measured."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import Figure, table
from benchmarks.place import Place

RESULTS = Path(__file__).with_name("RESULTS.md")
BEGIN = "<!-- figures: python -m benchmarks writes what stands between these two lines -->"
END = "<!-- end of figures -->"


def write(figures: Sequence[Figure], where: Place) -> None:
    """Put figures in place of those of an earlier run; what else the page says stays."""
    text = RESULTS.read_text() if RESULTS.exists() else f"# Results of the benchmarks\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    RESULTS.write_text(f"{before}{BEGIN}\n\n{machine(where)}\n\n{table(figures)}\n\n{END}{after}")


def machine(where: Place) -> str:
    """Return where and when the figures were measured."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit.stdout.strip() or 'unknown'}, {os.cpu_count()} cores "
        f"({processor()}), PostgreSQL {where.version} on the same machine, Python {platform.python_version()}. "
        "Both sides of a ratio are measured in turns; it is the median of the ratios of all rounds."
    )


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
