"""P9: one job that writes 1 GiB, against the same bytes from a pipe through COPY.

The job's output is masked, compressed, encrypted, hashed into the log and read back: no byte may be lost. The baseline
reads the same pipe and sends it to the same server as rows of 64 KiB of bytea in one COPY. Once with text as programs
log it, once with bytes that cannot be compressed.

    python -m benchmarks.p9_output [--mebibytes 1024]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from daemons.prepare import prepare
from eventstore.output import read_output
from projections.queries import query
from tests.testbed.engine import engine
from tests.testbed.executor_process import ExecutorProcess
from tests.testbed.postgres import Database, Server

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


def digest(kind: str, mebibytes: int) -> str:
    """Return the digest of what the job writes."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, kind, str(mebibytes)], stdout=subprocess.PIPE)
    found = hashlib.sha256()
    assert process.stdout is not None
    while data := os.read(process.stdout.fileno(), 1024 * 1024):
        found.update(data)
    assert process.wait() == 0
    return found.hexdigest()


def baseline(database: Database, kind: str, mebibytes: int) -> float:
    """Return mebibytes per second of COPY from the pipe."""
    with psycopg.connect(database.superuser_url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS plain")
        connection.execute("CREATE TABLE plain (number integer, data bytea)")
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", WRITER, kind, str(mebibytes)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        number = 0
        with connection.cursor().copy("COPY plain (number, data) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(["int4", "bytea"])
            while data := os.read(process.stdout.fileno(), CHUNK):
                copy.write_row((number, data))
                number += 1
        assert process.wait() == 0
        took = time.perf_counter() - began
        connection.execute("DROP TABLE plain")
    return mebibytes / took


async def ours(database: Database, kind: str, mebibytes: int, wanted: str) -> float:
    """Return mebibytes per second of a job, from its start until its end is in the log."""
    async with engine(database, "projector") as lab:
        template = await lab.template(
            sys.executable,
            ["-c", WRITER, kind, str(mebibytes)],
            environment={"PASSWORD": {"type": "password"}},
            values={"PASSWORD": "correct horse battery staple"},
            limits={"output": mebibytes * 2**20 + 1},
        )
        with ExecutorProcess(database) as executor:
            job = await lab.schedule(template)
            while (row := await lab.store.pool.fetchrow(query("job.find"), job)) is None or row["state"] != "finished":
                await asyncio.sleep(0.05)
            peak = int(Path(f"/proc/{executor.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
        assert row["outcome"] == "success", row["reason"]
        found, length = hashlib.sha256(), 0
        async for chunk in read_output(lab.store, job):
            found.update(chunk.data)
            length += len(chunk.data)
        assert length == mebibytes * 2**20 and found.hexdigest() == wanted, "bytes were lost"
        print(f"P9 {kind}: executor's peak memory {peak} MiB")
        return mebibytes / row["duration"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=1024)
    size = parser.parse_args().mebibytes
    place = tempfile.gettempdir()
    with Server(durable=True, shared_buffers="512MB") as server:
        for kind in ("text", "random"):
            wanted = digest(kind, size)
            database = server.fresh_database()
            prepare(database.owner_url)
            plain = baseline(database, kind, size)
            reached = asyncio.run(ours(database, kind, size, wanted))
            again = baseline(database, kind, size)
            server.drop(database)
            print(f"P9 {kind}: COPY {plain:.0f} and {again:.0f} MiB/s, ours {reached:.0f} MiB/s in {place}")
            print(f"P9 {kind}: ratio {reached / ((plain + again) / 2):.2f} (target 0.5), no byte lost")


if __name__ == "__main__":
    main()
