"""What users see of the faults that jobs meet; those that have a test elsewhere are listed in docs/faults.md."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.application_events import ApplicationUpdated
from eventstore.log import Append
from tests.testbed.engine import engine
from tests.testbed.executor_process import ExecutorProcess
from tests.testbed.postgres import Database
from tests.testbed.stores import MASTER_KEY

MIB = 1024 * 1024


async def told_of(database: Database, job: int) -> tuple[dict[str, Any], str]:
    """Return what the command line tells a user of a job, as JSON and as text without its line breaks."""
    text = await said(database, "job:get", "--id", str(job))
    return json.loads(await said(database, "job:get", "--id", str(job), "--format", "json")), " ".join(text.split())


async def said(database: Database, *words: str) -> str:
    """Return what a command line answers a user."""
    environment = {
        **os.environ, **database.variables, "ENCRYPTION_MASTER_KEY": MASTER_KEY, "LANG": "en_GB.UTF-8",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", *words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    return out.decode()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_working_folder_that_is_full_is_told_with_its_place(
    database: Database, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTIFLEXI_WORK_FOLDER", str(small_disk))
    async with engine(database, "executor", "projector") as lab:
        script = "head -c 4000000 /dev/zero >large && exit 0; exit 9"
        job = await lab.run(await lab.template("/bin/sh", ["-c", script]))
        assert (job["outcome"], job["exitcode"]) == ("failure", 9)
        assert b"No space left on device" in await lab.output(job["id"], "stderr")
        assert job["reason"] == (f"Ended with exit code 9; the file system of {small_disk} is full. Free some space.")
        answer, text = await told_of(database, job["id"])
        assert answer["reason"] == job["reason"]
        assert "failure" in text and "Free some space." in text
        assert (await lab.run(await lab.template("/bin/true")))["outcome"] == "success"  # the folder was cleared away


async def test_a_gibibyte_in_one_line_is_counted_to_the_last_byte_in_bounded_memory(database: Database) -> None:
    script = f"import os\nfor _ in range(1024): os.write(1, b'x' * {MIB})"
    async with engine(database, "projector") as lab:
        with ExecutorProcess(database) as executor:
            made = await lab.template(sys.executable, ["-c", script], limits={"output": 16 * MIB})
            job = await lab.run(made)
            status = Path(f"/proc/{executor.process.pid}/status").read_text()
        assert job["outcome"] == "success"
        told = json.loads(job["stdout"])
        assert told["length"] == 16 * MIB
        answer, _ = await told_of(database, job["id"])
        assert answer["stdout"] == told
        assert told["length"] + told["dropped"] == 1024 * MIB
        assert await lab.output(job["id"]) == b"x" * 16 * MIB
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert peak is not None and int(peak[1]) < 200 * 1024, status


async def test_a_definition_that_changes_while_its_job_runs_counts_from_the_next_job_on(
    database: Database, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    async with engine(database, "executor", "projector") as lab:
        script = f"echo old; while [ ! -e {gate} ]; do sleep 0.02; done; exit 5"
        made = await lab.template("/bin/sh", ["-c", script], exit_codes={"5": {"severity": "warning"}})
        job = await lab.schedule(made)
        await lab.running(job)
        application = await lab.store.pool.fetchval("SELECT app_id FROM run_template WHERE id = $1", made)
        changed = {
            "name": "Changed",
            "executable": "/bin/sh",
            "cmdparams": "-c 'echo new; exit 5'",
            "environment": {},
            "exitCodes": {"5": {"severity": "success"}},
        }
        updated = ApplicationUpdated(
            application_id=application,
            name="Changed",
            version="2.0",
            executable="/bin/sh",
            definition=changed,
            digest="2",
        )
        await lab.store.append(Append(stream=f"application-{application}", events=[updated]))
        gate.touch()
        row = await lab.ended(job)
        assert (row["outcome"], await lab.output(job), row["app_version"]) == ("warning", b"old\n", "1.0")
        answer, text = await told_of(database, job)
        assert (answer["outcome"], answer["app_version"]) == ("warning", "1.0")
        assert "warning" in text
        after = await lab.run(made)
        assert (after["outcome"], await lab.output(after["id"])) == ("success", b"new\n")
