"""The native executor on real processes: what is left behind ends with the job, and the user sees how it ended."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from daemons.executors.process_tree import is_zombie
from tests.testbed.engine import engine
from tests.testbed.executor_process import ExecutorProcess
from tests.testbed.postgres import Database
from tests.testbed.stores import wait_until

PYTHON = sys.executable


async def gone(*pids: int) -> bool:
    return all(is_zombie(pid) for pid in pids)


async def test_a_grandchild_that_detached_ends_with_its_job(database: Database, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        open({str(note)!r}, 'w').write(str(os.getpid()))\n"
        "        time.sleep(300)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        f"while not os.path.exists({str(note)!r}) or not open({str(note)!r}).read(): time.sleep(0.01)\n"
    )
    async with engine(database, "projector") as lab:
        with ExecutorProcess(database):
            job = await lab.run(await lab.template(PYTHON, ["-c", script]))
            assert job["outcome"] == "success"
            await wait_until(lambda: gone(int(note.read_text())), "the grandchild ended")


async def test_a_grandchild_that_hid_its_environment_ends_when_no_older_job_runs(
    database: Database, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    hidden = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
    script = (
        "import os, sys, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        os.execve(sys.executable, [sys.executable, '-c', {hidden!r}], {{}})\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        f"while not os.path.exists({str(note)!r}) or not open({str(note)!r}).read(): time.sleep(0.01)\n"
    )
    async with engine(database, "projector") as lab:
        with ExecutorProcess(database):
            job = await lab.run(await lab.template(PYTHON, ["-c", script]))
            assert job["outcome"] == "success"
            await wait_until(lambda: gone(int(note.read_text())), "the grandchild ended")


async def test_a_job_that_forks_a_thousand_children_leaves_none(database: Database) -> None:
    script = (
        "import os, time\n"
        "for number in range(1000):\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(300)\n"
        "print('forked', flush=True)\n"
    )
    async with engine(database, "projector") as lab:
        with ExecutorProcess(database) as executor:
            job = await lab.run(await lab.template(PYTHON, ["-c", script]))
            assert job["outcome"] == "success"
            assert await lab.output(job["id"]) == b"forked\n"

            async def alone() -> bool:
                children = Path(f"/proc/{executor.process.pid}/task/{executor.process.pid}/children").read_text()
                return children.split() == []

            await wait_until(alone, "the executor has no children left")


async def test_a_job_that_closes_its_output_runs_on_until_its_end(database: Database) -> None:
    script = "echo before; exec >/dev/null 2>&1 <&-; sleep 0.3; exit 7"
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template("/bin/sh", ["-c", script], exit_codes={"7": {"severity": "warning"}}))
        assert (job["outcome"], job["exitcode"]) == ("warning", 7)
        assert (job["end"] - job["begin"]).total_seconds() >= 0.3
        assert await lab.output(job["id"]) == b"before\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
async def test_a_job_runs_as_the_user_of_its_template_without_the_groups_of_root(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        script = "id -un; id -G; touch mine; stat -c %U . mine; echo $LOGNAME"
        job = await lab.run(await lab.template("/bin/sh", ["-c", script], run_as="nobody"))
        assert job["outcome"] == "success"
        lines = (await lab.output(job["id"])).decode().split("\n")
        group = lines[1]
        assert lines == ["nobody", group, "nobody", "nobody", "nobody", ""]
        assert len(group.split()) == 1 and group != "0"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
async def test_a_job_whose_template_names_no_user_runs_as_that_of_the_executors_settings(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTIFLEXI_JOB_USER", "nobody")
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template("/usr/bin/id", ["-un"]))
        assert await lab.output(job["id"]) == b"nobody\n"


async def test_a_user_that_does_not_exist_is_told(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template("/bin/true", run_as="nobody-of-that-name"))
        assert job["outcome"] == "failure"
        assert job["reason"] == "The job is to run as nobody-of-that-name, but this host has no such user."


async def test_a_script_whose_interpreter_is_missing_is_told(database: Database, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template(str(script)))
        assert (job["outcome"], job["exitcode"]) == ("not_found", 127)
        assert "Is its interpreter installed?" in job["reason"]


async def test_a_file_that_may_not_be_executed_is_told(database: Database, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template(str(script)))
        assert (job["outcome"], job["exitcode"]) == ("failure", 126)
        assert job["reason"] == f"{script} cannot be started: Permission denied."


async def test_a_working_folder_that_cannot_be_made_is_told(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MULTIFLEXI_WORK_FOLDER", str(tmp_path / "file"))
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template("/bin/true"))
        assert (job["outcome"], job["exitcode"]) == ("failure", 255)
        assert job["reason"].startswith("The job's working folder cannot be made in ")
        assert "MULTIFLEXI_WORK_FOLDER" in job["reason"]


async def test_a_full_disk_is_told(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daemons.work_folder.WorkFolders.is_full", lambda _self: True)
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template("/bin/sh", ["-c", "echo No space left on device >&2; exit 2"]))
        assert job["outcome"] == "failure"
        assert "is full. Free some space." in job["reason"]


async def test_working_folders_are_where_they_are_wanted_and_stdin_is_empty(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTIFLEXI_WORK_FOLDER", str(tmp_path / "work"))
    inherited = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template("/bin/sh", ["-c", "pwd; cat; ls -l /proc/self/fd | wc -l"]))
        folder, descriptors = (await lab.output(job["id"])).decode().split()
        assert Path(folder).parent == tmp_path / "work"
        assert int(descriptors) <= 5  # three, the listing's own, and the line of the total
    os.close(inherited)


async def test_a_job_has_signals_as_a_program_expects_them(database: Database) -> None:
    script = (
        "import signal; print(int(signal.getsignal(signal.SIGTERM)), len(signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
    )
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template(PYTHON, ["-c", script]))
        assert await lab.output(job["id"]) == b"0 0\n"
        started = time.monotonic()
        job = await lab.run(await lab.template("/bin/sh", ["-c", "yes | head -1"]))
        assert await lab.output(job["id"]) == b"y\n" and time.monotonic() - started < 10


@pytest.mark.parametrize(
    "user", [None, pytest.param("nobody", marks=pytest.mark.skipif(os.geteuid() != 0, reason="root"))]
)
async def test_a_job_inherits_no_mask_and_no_signals_that_are_ignored_or_blocked(
    database: Database, user: str | None
) -> None:
    script = "umask; grep -E '^Sig(Ign|Blk)' /proc/self/status"
    before = signal.getsignal(signal.SIGUSR1), signal.getsignal(signal.SIGHUP), os.umask(0o077)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        async with engine(database, "executor", "projector") as lab:
            job = await lab.run(await lab.template("/bin/sh", ["-c", script], run_as=user))
            mask, blocked, ignored = (line.split()[-1] for line in (await lab.output(job["id"])).decode().splitlines())
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
        signal.signal(signal.SIGUSR1, before[0])
        signal.signal(signal.SIGHUP, before[1])
        os.umask(before[2])
    assert mask == "0022"
    asked = {signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE}
    assert [number for number in asked if (int(blocked, 16) | int(ignored, 16)) >> (number - 1) & 1] == []


async def test_a_program_that_no_limits_can_be_put_on_is_told_and_ended(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(pid: int, _: object) -> None:
        (tmp_path / "pid").write_text(str(pid))
        raise PermissionError

    monkeypatch.setattr("daemons.executors.native.put_on", refused)
    async with engine(database, "executor", "projector") as lab:
        job = await lab.run(await lab.template("/bin/sleep", ["300"], limits={"open_files": 64}))
        assert (job["outcome"], job["exitcode"]) == ("failure", 126)
        assert job["reason"].startswith("/bin/sleep runs as another user than the executor")
        assert is_zombie(int((tmp_path / "pid").read_text()))
