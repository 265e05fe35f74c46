"""P9: one job that writes 1 GiB, against the same bytes from a pipe through COPY.

The job's output is masked, compressed, encrypted, hashed into the log and read back: no byte may be lost. The baseline
reads the same pipe and sends it to the same server as rows of 64 KiB of bytea in one COPY. Once with text as programs
log it, once with bytes that cannot be compressed; in turns, each after a checkpoint.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psycopg

from benchmarks.figures import Figure, Rates
from benchmarks.place import Place
from eventstore.output import read_output
from projections.queries import query
from tests.testbed.engine import engine
from tests.testbed.executor_process import ExecutorProcess
from tests.testbed.postgres import Database

WRITER = """
import os, random, sys
random.seed(7)
if sys.argv[1] == "text":
    words = [("%x" % random.getrandbits(32)) for _ in range(5000)]
    lines = "".join("2026-03-01T00:00:00Z INFO " + " ".join(random.choices(words, k=12)) + "\\n" for _ in range(9000))
    block = lines.encode()[: 1024 * 1024]
else:
    block = random.randbytes(1024 * 1024)
for number in range(int(sys.argv[2])):
    data = (b"%08d" % number) + block[8:]
    sent = 0
    while sent < len(data):
        sent += os.write(1, data[sent:])
"""
CHUNK = 64 * 1024
MEBIBYTES = 1024
ROUNDS = 2
TARGET = 0.5


class Digest(NamedTuple):
    """What a job writes: its SHA-256, and its length in bytes."""

    sha256: str
    length: int


def pipe(kind: str) -> subprocess.Popen[bytes]:
    """Start the program that writes."""
    return subprocess.Popen([sys.executable, "-c", WRITER, kind, str(MEBIBYTES)], stdout=subprocess.PIPE)


def written(kind: str) -> Digest:
    """Return what the program writes."""
    process, found, length = pipe(kind), hashlib.sha256(), 0
    assert process.stdout is not None
    while data := os.read(process.stdout.fileno(), 1024 * 1024):
        found.update(data)
        length += len(data)
    assert process.wait() == 0
    return Digest(found.hexdigest(), length)


def copied(database: Database, kind: str) -> float:
    """Return mebibytes per second of COPY from the pipe."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE public.plain (number integer, data bytea)")
        connection.execute("CHECKPOINT")
        began = time.perf_counter()
        process = pipe(kind)
        assert process.stdout is not None
        number = 0
        with connection.cursor().copy("COPY public.plain (number, data) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "bytea"])
            while data := os.read(process.stdout.fileno(), CHUNK):
                copy.write_row((number, data))
                number += 1
        assert process.wait() == 0
        return MEBIBYTES / (time.perf_counter() - began)


async def captured(database: Database, kind: str, wanted: Digest) -> tuple[float, int]:
    """Return mebibytes per second of a job, from its start until its end is in the log, and the executor's peak MiB."""
    async with engine(database, "projector") as lab:
        template = await lab.template(
            sys.executable,
            ["-c", WRITER, kind, str(MEBIBYTES)],
            environment={"PASSWORD": {"type": "password"}},
            values={"PASSWORD": "correct horse battery staple"},
            limits={"output": wanted.length + 1},
        )
        with psycopg.connect(database.superuser_url, autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        with ExecutorProcess(database) as executor:
            job = await lab.schedule(template)
            while (row := await lab.store.pool.fetchrow(query("job.find"), job)) is None or row["state"] != "finished":
                await asyncio.sleep(0.05)
            peak = int(Path(f"/proc/{executor.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
        if row["outcome"] != "success":
            raise RuntimeError(f"The job that wrote {kind} ended with {row['outcome']}: {row['reason']}")
        found, length = hashlib.sha256(), 0
        async for chunk in read_output(lab.store, job):
            found.update(chunk.data)
            length += len(chunk.data)
        if Digest(found.hexdigest(), length) != wanted:
            raise RuntimeError(f"Of {wanted.length} bytes of {kind}, {length} are in the log, or they are others.")
        return MEBIBYTES / row["duration"], peak


def measure(where: Place) -> list[Figure]:
    """Measure P9."""
    figures: list[Figure] = []
    for kind, name in (("text", "text"), ("random", "bytes that cannot be compressed")):
        wanted, rates, peaks = written(kind), Rates(), [0]
        for number in range(ROUNDS):
            for side in ("copied", "captured") if number % 2 else ("captured", "copied"):
                with where.database(read_models=True) as database:
                    if side == "copied":
                        rates.baseline.append(copied(database, kind))
                    else:
                        rate, peak = asyncio.run(captured(database, kind, wanted))
                        rates.ours.append(rate)
                        peaks.append(peak)
        what = f"{MEBIBYTES} MiB of {name} from one job, none lost (the executor's peak: {max(peaks)} MiB)"
        figures.append(rates.figure("P9", what, "MiB", TARGET))
    return figures
