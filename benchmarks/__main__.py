"""Run benchmarks and put their figures down in ``RESULTS.md``.

    python -m benchmarks [NAME ...] [--no-results] [--undisturbed]

Names are ``P1``, ``P2``, ``P3``, ``P4``, ``P5``, ``P6``, ``P8``, ``P9``, ``P10``, ``P11``, ``encryption`` and ``peer``;
without one, all of them run. They take a server of their own, durable and with the settings of an installation, or make
databases of their own on that of ``DATABASE_URL``. On a machine that others use, ``--undisturbed`` keeps their work
away from the processor, though not from the disk.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

from benchmarks import (
    batches,
    encryption,
    p4_throughput,
    p5_latency,
    p6_scheduling,
    p9_output,
    p10_idle,
    p11_catalogue,
    peer,
    rebuild,
    results,
    single,
    visibility,
)
from benchmarks.figures import HEADINGS, Figure, table
from benchmarks.place import Place, place

BENCHMARKS: dict[str, Callable[[Place], list[Figure]]] = {
    "P1": single.measure,
    "P2": batches.measure,
    "P3": rebuild.measure,
    "P4": p4_throughput.measure,
    "P5": p5_latency.measure,
    "P6": p6_scheduling.measure,
    "P8": visibility.measure,
    "P9": p9_output.measure,
    "P10": p10_idle.measure,
    "P11": p11_catalogue.measure,
    "encryption": encryption.measure,
    "peer": peer.measure,
}


def main() -> None:
    """Measure, print a table, write it down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--no-results", action="store_true", help="leave benchmarks/RESULTS.md as it is")
    parser.add_argument("--undisturbed", action="store_true", help="run before all other work (as root, on Linux)")
    arguments = parser.parse_args()
    known = {name.lower(): name for name in BENCHMARKS}
    unknown = [name for name in arguments.names if name.lower() not in known]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}: there are {', '.join(BENCHMARKS)}")
    if arguments.undisturbed:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))
    figures: list[Figure] = []
    with place() as where:
        for name in [known[name.lower()] for name in arguments.names] or list(BENCHMARKS):
            began = time.perf_counter()
            print(f"{name} …", end=" ", flush=True)
            figures += BENCHMARKS[name](where)
            print(f"{time.perf_counter() - began:.0f} s", flush=True)
        print(table(HEADINGS, [figure.cells() for figure in figures]))
        if not arguments.no_results:
            results.write(figures, where, list(BENCHMARKS))


if __name__ == "__main__":
    main()
