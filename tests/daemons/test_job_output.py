"""Captured output: bounds, order, times, limits; nothing lost, nothing twice, whatever happens to the database."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from pathlib import Path

import pytest

from daemons import job_output
from daemons.job_output import HELD, OutputBuffer
from domain.job_events import OutputCaptured
from eventstore.output import key_owner, read_output
from tests.testbed.engine import engine
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import open_store, wait_until

MIB = 1024 * 1024


async def test_no_more_is_held_than_the_bound_and_room_comes_back(database: Database) -> None:
    buffer = OutputBuffer(1, 1, ())
    buffer.take("stdout", b"x" * HELD)
    assert buffer.room() == 0
    called: list[int] = []
    buffer.when_room(lambda: called.append(buffer.room()))
    pieces = buffer.gather()
    assert buffer.room() == 0 and not called  # what is being appended counts
    buffer.appended(pieces)
    taken = sum(len(piece.data) for piece in pieces)
    assert called == [taken] and buffer.room() == taken


async def test_pieces_keep_the_order_of_the_channels_and_their_times(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        script = "for i in 1 2 3; do echo out $i; sleep 0.05; echo err $i >&2; sleep 0.05; done"
        job = await lab.run(await lab.template("/bin/sh", ["-c", script]))
        chunks = [chunk async for chunk in read_output(lab.store, job["id"])]
        assert [(chunk.channel, chunk.data) for chunk in chunks] == [
            (channel, f"{channel[3:]} {i}\n".encode()) for i in (1, 2, 3) for channel in ("stdout", "stderr")
        ]
        times = [chunk.captured_at for chunk in chunks]
        assert times == sorted(times) and len(set(times)) == 6


async def test_a_line_of_many_mebibytes_is_kept_byte_for_byte(database: Database) -> None:
    script = "import os\nfor i in range(24): os.write(1, bytes([65 + i]) * 1048576)"
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template(sys.executable, ["-c", script], values={"PYTHONUNBUFFERED": "1"}))
        wanted = b"".join(bytes([65 + i]) * MIB for i in range(24))
        assert await lab.output(job["id"]) == wanted
        assert json.loads(job["stdout"])["digest"] == hashlib.sha256(wanted).hexdigest()


async def test_a_secret_that_spans_two_reads_is_masked_and_counted_as_kept(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template(
            "/bin/sh",
            ["-c", "printf 'x hun'; sleep 0.3; printf 'ter2 y'"],
            environment={"KEY": {"type": "secret"}},
            values={"KEY": "hunter2"},
        )
        job = await lab.run(template)
        assert await lab.output(job["id"]) == b"x ****** y"
        assert json.loads(job["stdout"])["length"] == 10


async def test_output_of_a_month_reads_as_erased_when_its_key_is_destroyed(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template("/bin/echo", ["hello"]))
        async with open_store(database, role="owner") as store:
            await store.keyring.destroy(key_owner(1))
            chunks = [chunk async for chunk in read_output(store, job["id"])]
            assert [(chunk.erased, chunk.data) for chunk in chunks] == [(True, b"")]


async def test_reading_pauses_while_nothing_can_be_written(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    most = 0
    take = OutputBuffer.take

    def watched(self: OutputBuffer, channel: str, data: bytes) -> None:
        nonlocal most
        take(self, channel, data)
        most = max(most, self.gathered + self.appending)

    monkeypatch.setattr(OutputBuffer, "take", watched)
    monkeypatch.setattr(job_output, "HELD", 2 * MIB)
    gate = tmp_path / "gate"
    script = (
        f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
        f"for _ in range(16): os.write(1, b'y' * {MIB})"
    )
    async with engine(database, "executor", "projector") as lab:
        async with lab.store.pool.acquire() as connection, connection.transaction():
            job = await lab.schedule(await lab.template(sys.executable, ["-c", script]))
            pid = await lab.running(job)
            # The executor's appends wait for this lock, as they would for a database that is away.
            await connection.execute("SELECT FROM streams WHERE stream = $1 FOR UPDATE", f"job-{job}")
            gate.touch()

            async def full() -> bool:
                return most >= 2 * MIB

            await wait_until(full, "as much gathered as may be")
            await asyncio.sleep(0.2)
            assert (await lab.store.pool.fetchval("SELECT pid FROM job_leases WHERE job_id = $1", job)) == pid
        row = await lab.ended(job)
        assert row["outcome"] == "success"
        assert await lab.output(job) == b"y" * 16 * MIB
        assert most == 2 * MIB


async def test_output_written_while_the_database_is_away_is_appended_once(postgres: Server, tmp_path: object) -> None:
    with Server(postgres.version, durable=True) as server:
        database = server.fresh_database()
        async with engine(database, "executor", "projector") as lab:
            script = "import time\nfor i in range(40): print(i, flush=True); time.sleep(0.1)"
            job = await lab.schedule(await lab.template(sys.executable, ["-c", script]))
            await lab.running(job)
            for _ in range(3):
                server.postgres.stop()
                await asyncio.sleep(0.3)
                server.start()
                await asyncio.sleep(0.3)

            async def ended() -> bool:
                async with open_store(database) as store:
                    row = await store.pool.fetchrow("SELECT outcome FROM job WHERE id = $1", job)
                    return row is not None and row["outcome"] is not None

            await wait_until(ended, "the end of the job")
            async with open_store(database) as store:
                events = [recorded.event async for recorded in store.read_stream(f"output-{job}")]
                data = b"".join([chunk.data async for chunk in read_output(store, job)])
                ends = [
                    e.event async for e in store.read_stream(f"job-{job}") if type(e.event).__name__ == "JobFinished"
                ]
            assert data == b"".join(f"{i}\n".encode() for i in range(40))
            lengths = [event.length for event in events if isinstance(event, OutputCaptured)]
            assert sum(lengths) == len(data)
            assert [end.outcome for end in ends] == ["success"]  # type: ignore[attr-defined]
