"""A sealed month leaves the log as a file, is verified offline, and comes back; a damaged file does not."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventstore import archive as archiving
from eventstore.archive import archive, attach, sealed_months
from eventstore.archive_file import Archive, verify_archive
from eventstore.audit_errors import ArchiveError
from eventstore.tree_heads import TreeHeadSigner, public_keys
from eventstore.verify import verify
from tests.eventstore.logs import hash_of, month, open_store, superuser, write, write_history
from tests.testbed.postgres import Database, Server

EVERYTHING = "SELECT tableoid::regclass::text AS leaf, e.* FROM events e ORDER BY epoch, xid, position"


def name_of(kind: str, number: int) -> str:
    return f"events_{kind}_{month(number):%Y_%m}"


async def signed_history(connection: asyncpg.Connection, database: Database) -> bytes:
    """Write three months, have them signed; return the public key."""
    await write_history(connection, jobs=6)
    async with open_store(database) as store:
        await TreeHeadSigner(store).sign(most=25)
    (key,) = await public_keys(connection)
    return key


@pytest.mark.postgres_versions(15, 18)
async def test_a_month_goes_to_a_file_and_comes_back(database: Database, tmp_path: Path) -> None:
    async with superuser(database) as connection:
        key = await signed_history(connection, database)
        before = await connection.fetch(EVERYTHING)
        name = name_of("job", -3)
        assert (await sealed_months(database.owner_url))[:2] == [name, name_of("output", -3)]
        path = tmp_path / f"{name}.jsonl.zst"
        manifest = await archive(database.owner_url, name, path)
        count = sum(row["leaf"] == name for row in before)
        assert (manifest.partition, manifest.events) == (name, count)
        assert verify_archive(path, key) == manifest
        assert await connection.fetch(EVERYTHING) == [row for row in before if row["leaf"] != name]
        assert name not in await sealed_months(database.owner_url)
        found = await verify(connection, public_key=key)
        assert (found.ok, found.events, found.signed) == (True, len(before) - count, len(before)), found
        with pytest.raises(ArchiveError, match="was archived already"):
            await archive(database.owner_url, name, path)
        await attach(database.owner_url, path)
        assert await connection.fetch(EVERYTHING) == before
        found = await verify(connection, public_key=key)
        assert (found.ok, found.events) == (True, len(before)), found
        assert await connection.fetchval("SELECT count(*) FROM archived_links") == 0
        with pytest.raises(ArchiveError, match="in the log already"):
            await attach(database.owner_url, path)
        # And once more: what came back can go again.
        path.unlink()
        await archive(database.owner_url, name, path)
        assert (await verify(connection)).ok


async def test_streams_and_heads_go_on_after_their_beginning_was_archived(database: Database, tmp_path: Path) -> None:
    async with superuser(database) as connection, open_store(database) as store:
        key = await signed_history(connection, database)
        # Job 6 begins at the end of the first month and ends in the second.
        crossing = await connection.fetch("SELECT DISTINCT tableoid FROM events WHERE stream = 'job-6'")
        assert len(crossing) == 2
        for number in (-3, -2, -1):
            for kind in ("job", "output"):
                name = name_of(kind, number)
                await archive(database.owner_url, name, tmp_path / name)
                assert (await verify(connection)).ok
        for stream in ("job-1", "job-6", "output-18"):
            await write(connection, stream, datetime.now(UTC), company_id=1 + hash_of(stream))
        head = await TreeHeadSigner(store).sign()
        assert head is not None
        assert name_of("job", -3) in head.trees
        found = await verify(connection)
        assert found.ok, found
        await connection.execute("SELECT ensure_partitions($1, 3)", month(-3))
        assert await connection.fetchval("SELECT to_regclass($1)", name_of("job", -3)) is None
        for path in sorted(tmp_path.iterdir(), reverse=True):
            await attach(database.owner_url, path)
            assert (await verify(connection, public_key=key)).ok
        await connection.execute("UPDATE events SET type = 'Other' WHERE stream = 'job-6' AND version = 2")
        found = await verify(connection)
        assert found.first_bad is not None
        assert (found.first_bad.stream, found.first_bad.version) == ("job-6", 2)


async def test_output_may_be_dropped_without_a_file_and_stays_accounted_for(database: Database) -> None:
    async with superuser(database) as connection:
        key = await signed_history(connection, database)
        name = name_of("output", -3)
        await archive(database.owner_url, name, None)
        assert (
            await connection.fetchval("SELECT file_kept FROM archived_partitions WHERE partition = $1", name) is False
        )
        assert (await verify(connection, public_key=key)).ok
        with pytest.raises(ArchiveError, match="only archived into a file"):
            await archive(database.owner_url, name_of("job", -3), None)
        await connection.execute("UPDATE archived_partitions SET events = events - 1")
        assert not (await verify(connection)).ok


async def test_what_is_not_sealed_is_not_archived(database: Database, tmp_path: Path) -> None:
    async with superuser(database) as connection:
        await write_history(connection, jobs=6)
        url, path = database.owner_url, tmp_path / "file"
        for name, message in (
            (name_of("job", 0), "not over yet"),
            ("events_configuration", "kept for good"),
            ("events_job_1999_01", "no partition"),
            (name_of("job", -3), "No signed head covers"),
        ):
            with pytest.raises(ArchiveError, match=message):
                await archive(url, name, path)
        async with open_store(database) as store:
            await TreeHeadSigner(store).sign()
        await connection.execute("SELECT ensure_partitions($1, 0)", month(-5))
        with pytest.raises(ArchiveError, match="is empty"):
            await archive(url, name_of("job", -5), path)
        await connection.execute("UPDATE events SET type = 'Other' WHERE stream = 'job-1' AND version = 2")
        with pytest.raises(ArchiveError, match=r"job-1@2, number 2 of .* was altered"):
            await archive(url, name_of("job", -3), path)
        await connection.execute("DELETE FROM events WHERE stream = 'job-1' AND version = 2")
        with pytest.raises(ArchiveError, match="has lost events"):
            await archive(url, name_of("job", -3), path)
        await write(connection, "job-1", month(-3), company_id=1)
        await write(connection, "job-1", month(-3), company_id=1)
        with pytest.raises(ArchiveError, match="No signed head covers"):
            await archive(url, name_of("job", -3), path)
        with pytest.raises(ArchiveError, match="cannot be written"):
            await archive(url, name_of("job", -2), tmp_path / "no folder" / "file")
        assert list(tmp_path.iterdir()) == []
        assert await connection.fetchval("SELECT count(*) FROM archived_partitions") == 0


def lines_of(path: Path) -> list[str]:
    """Return the lines of an archive, unchecked."""
    return zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().decode().splitlines()


def rewritten(path: Path, change: Any) -> Path:
    """Return a copy of an archive with its lines changed."""
    documents = change([json.loads(line) for line in lines_of(path)])
    text = "".join(json.dumps(document) + "\n" for document in documents)
    copy = path.with_name("changed")
    copy.write_bytes(zstandard.ZstdCompressor().compress(text.encode()))
    return copy


async def test_a_damaged_or_forged_file_is_refused_with_what_is_wrong(database: Database, tmp_path: Path) -> None:
    async with superuser(database) as connection:
        key = await signed_history(connection, database)
        name = name_of("output", -3)
        path = tmp_path / name
        manifest = await archive(database.owner_url, name, path)
        whole, chance = path.read_bytes(), random.Random(1)
        broken = tmp_path / "broken"
        for _ in range(150):
            if chance.random() < 0.5:
                damaged = whole[: chance.randrange(len(whole))]
            else:
                place = chance.randrange(len(whole))
                damaged = whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :]
            broken.write_bytes(damaged)
            try:
                verify_archive(broken, key)
            except ArchiveError:
                continue
            # The header of a frame has bits that mean nothing (RFC 8878, 3.1.1.1): what is read is the same.
            assert len(damaged) == len(whole) and lines_of(broken) == lines_of(path)

        def entry(number: int, column: int, value: Any) -> Any:
            def change(lines: list[Any]) -> list[Any]:
                lines[number][column] = value
                return lines

            return change

        def header(**changes: Any) -> Any:
            return lambda lines: [{**lines[0], **changes}, *lines[1:]]

        cases = [
            (entry(2, 8, '{"x": 1}'), "number 2 of .* was altered"),
            (entry(2, 3, "output-77"), "was altered"),
            (entry(2, 2, 10**9), "out of order|not those that were signed"),
            (entry(2, 0, "one"), "no archive, or damaged"),
            (lambda lines: lines[:-1], "cut off after"),
            (lambda lines: [*lines, lines[-1]], "goes on after"),
            (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "out of order|not those that were signed"),
            (header(events=manifest.events - 1), "states something else"),
            (header(root="00" * 32), "states something else"),
            (header(partition=name_of("output", -2)), "states something else"),
            (header(until_time=manifest.from_time.isoformat()), "another month"),
            (header(head={**manifest.head, "id": 5}), "signature of head 5"),
            (header(head={}), "no tree head"),
            (header(format="zip"), "no archive"),
        ]
        for change, message in cases:
            changed = rewritten(path, change)
            with pytest.raises(ArchiveError, match=message):
                verify_archive(changed)
            with pytest.raises(ArchiveError):
                await attach(database.owner_url, changed)
        with pytest.raises(ArchiveError, match="not the key"):
            verify_archive(path, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
        with pytest.raises(ArchiveError, match="cannot be read"):
            verify_archive(tmp_path / "nothing")
        assert (await verify(connection)).ok
        verify_archive(path, [key])
        with Archive(path) as opened:
            assert sum(1 for _ in opened.rows()) == manifest.events


async def test_the_archive_of_another_log_is_not_attached(database: Database, postgres: Server, tmp_path: Path) -> None:
    other = postgres.fresh_database()
    try:
        async with superuser(database) as connection, superuser(other) as foreign:
            await signed_history(connection, database)
            await signed_history(foreign, other)
            name = name_of("job", -3)
            await archive(other.owner_url, name, tmp_path / "foreign")
            await archive(database.owner_url, name, tmp_path / "own")
            with pytest.raises(ArchiveError, match="not one that was made from this log"):
                await attach(database.owner_url, tmp_path / "foreign")
            with pytest.raises(ArchiveError, match="archive of something else"):
                await archive(database.owner_url, name_of("output", -3), tmp_path / "own")
            await attach(database.owner_url, tmp_path / "own")
    finally:
        postgres.drop(other)


class StepInterruptedError(Exception):
    """What a test interrupts a step with."""


@pytest.mark.parametrize("step", ["_write_month", "_record", "_drop", "_detach"])
async def test_an_interrupted_archive_is_finished_by_the_next_run(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    async def interrupt(*_: object, **__: object) -> None:
        raise StepInterruptedError

    async with superuser(database) as connection:
        await signed_history(connection, database)
        name = name_of("job", -3)
        with monkeypatch.context() as patch:
            patch.setattr(archiving, step, interrupt)
            with pytest.raises(StepInterruptedError):
                await archive(database.owner_url, name, tmp_path / name)
        assert (await verify(connection)).ok
        assert await connection.fetchval("SELECT to_regclass($1)", name) is not None
        manifest = await archive(database.owner_url, name, tmp_path / name)
        assert (await verify(connection)).ok
        assert verify_archive(tmp_path / name).root == manifest.root
        for step_back in ("_fill", "_check_filled"):
            with monkeypatch.context() as patch:
                patch.setattr(archiving, step_back, interrupt)
                with pytest.raises(StepInterruptedError):
                    await attach(database.owner_url, tmp_path / name)
            assert (await verify(connection)).ok
        await attach(database.owner_url, tmp_path / name)
        assert (await verify(connection)).ok


async def test_a_long_reader_delays_the_detaching_but_no_writer(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "LOCK_ATTEMPTS", 2)
    monkeypatch.setattr(archiving, "LOCK_PAUSE", 0.01)
    async with superuser(database) as connection, superuser(database) as reader:
        await signed_history(connection, database)
        name = name_of("job", -3)
        async with reader.transaction():
            await reader.execute("SELECT count(*) FROM events")
            archived = asyncio.create_task(archive(database.owner_url, name, tmp_path / name))
            writes = 0
            while not archived.done():
                await write(connection, "company-99", datetime.now(UTC))
                writes += 1
            with pytest.raises(ArchiveError, match="while others read the log"):
                await archived
            assert writes > 3
        await archive(database.owner_url, name, tmp_path / name)
        assert (await verify(connection)).ok
