"""P10: what all daemons cost while there is nothing to do, with 100,000 templates.

A scheduler, an executor and a projector run for a minute in which nothing is due. Their processor time is that of the
system's accounts (sched-stats.rst), their memory what they hold (RSS) and their share of it (PSS). What the server does
for them is told for information.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import psycopg

from benchmarks.figures import Figure
from benchmarks.p4_throughput import daemons
from benchmarks.p6_scheduling import prepare
from benchmarks.place import Place
from tests.testbed.postgres import Database

TEMPLATES = 100_000
SETTLE, SECONDS = 8.0, 60.0
MOST_PROCESSOR = 0.01
"""Share of one core that all daemons may take."""

MOST_MEMORY = 80 * 1024 * 1024
"""Bytes that each may hold."""

START_WITHIN = 30.0
"""Seconds in which all daemons must show life."""

KINDS = ("scheduler", "executor", "projector")
NOT_YET = (
    "UPDATE multiflexi.due SET next_due = now() + interval '1 day' + make_interval(secs => run_template_id % 3600)"
)
"""Nothing is due while it is measured, whatever the clock says."""

PROCESSES = "SELECT kind, pid FROM multiflexi.daemons ORDER BY kind"
BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that the threads of a process have used (sched-stats.rst, field 1)."""
    used = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        used += int((thread / "schedstat").read_text().split()[0])
    return used / 1e9


def memory(pid: int) -> tuple[int, int]:
    """Return the bytes that a process holds (RSS), and its share of them (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("Rss:", "Pss:"))}
    return sizes["Rss"], sizes["Pss"]


def idle(database: Database) -> tuple[dict[str, float], dict[str, tuple[int, int]], float]:
    """Return of each daemon its share of a core and its memory, and the share of the server for them."""
    with (
        tempfile.TemporaryDirectory() as folder,
        psycopg.connect(database.superuser_url, autocommit=True) as connection,
        daemons(database, Path(folder), *KINDS),
    ):
        found: list[tuple[str, int]] = []
        until = time.monotonic() + START_WITHIN
        while len(found) < len(KINDS):
            if time.monotonic() > until:
                raise RuntimeError(f"Of the daemons only these have started: {found}.")
            time.sleep(0.1)
            found = [(str(kind), int(pid)) for kind, pid in connection.execute(PROCESSES)]
        time.sleep(SETTLE)
        backends = [int(row[0]) for row in connection.execute(BACKENDS)]
        before = {pid: processor_time(pid) for pid in [*backends, *(pid for _, pid in found)]}
        began = time.perf_counter()
        time.sleep(SECONDS)
        took = time.perf_counter() - began
        now = [int(row[0]) for row in connection.execute(BACKENDS)]
        shares = {kind: (processor_time(pid) - before[pid]) / took for kind, pid in found}
        server = sum((processor_time(pid) - before.get(pid, 0.0)) / took for pid in now)
        return shares, {kind: memory(pid) for kind, pid in found}, server


def measure(where: Place) -> list[Figure]:
    """Measure P10."""
    with where.database(read_models=True) as database:
        asyncio.run(prepare(database, TEMPLATES))
        with psycopg.connect(database.superuser_url, autocommit=True) as connection:
            connection.execute(NOT_YET)
            connection.execute("VACUUM ANALYZE multiflexi.due")
        shares, sizes, server = idle(database)
    total = sum(shares.values())
    each = ", ".join(f"{kind} {share:.2%}" for kind, share in shares.items())
    largest = max(rss for rss, _ in sizes.values())
    held = ", ".join(f"{kind} {rss / 2**20:.0f} (PSS {pss / 2**20:.0f})" for kind, (rss, pss) in sizes.items())
    return [
        Figure(
            "P10",
            f"all daemons idle, {TEMPLATES:,} templates: share of a core ({each}; the server for them {server:.2%})",
            f"{total:.2%}",
            f"{MOST_PROCESSOR:.0%}",
            MOST_PROCESSOR / total,
            1.0,
        ),
        Figure(
            "P10",
            f"memory of the largest daemon, MiB: {held}",
            f"{largest / 2**20:.0f} MiB",
            f"{MOST_MEMORY / 2**20:.0f} MiB",
            MOST_MEMORY / largest,
            1.0,
        ),
    ]
