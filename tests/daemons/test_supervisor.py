"""Supervision: order, restarts, readiness, logs, and that nothing is left behind, whoever is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from daemons import child as child_module
from daemons.child import Child, ChildSpec
from daemons.supervisor import BackOff, PartError, Supervisor

QUICK = BackOff(first=0.01, most=0.05)
RUNS = "import signal; signal.pause()"
DEAF = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
while True:
    signal.pause()
"""


async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def python(name: str, code: str, **options: object) -> ChildSpec:
    return ChildSpec(name=name, command=[sys.executable, "-c", code], **options)  # type: ignore[arg-type]


def says(text: str, log: Path) -> Callable[[], bool]:
    return lambda: log.exists() and text in log.read_text()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class FakePart:
    """A part that notes what is done to it."""

    def __init__(self, name: str, notes: list[str], *, fails: int = 0, unstoppable: bool = False) -> None:
        self.name = name
        self.notes = notes
        self.dies = asyncio.Event()
        self._fails = fails
        self._unstoppable = unstoppable

    async def start(self) -> None:
        self.dies.clear()
        self.notes.append(f"start {self.name}")
        if self._fails and self.notes.count(f"start {self.name}") > 1:
            self._fails -= 1
            raise PartError(f"{self.name} is broken")

    async def wait(self) -> str:
        await self.dies.wait()
        return "died"

    async def stop(self, force: asyncio.Event) -> None:
        self.notes.append(f"stop {self.name}")
        if self._unstoppable:
            raise RuntimeError("no")


async def interrupted(supervisor: Supervisor, *, by: signal.Signals = signal.SIGINT) -> None:
    """Send ourselves the signal that ends everything, and wait for it."""
    os.kill(os.getpid(), by)
    await supervisor.until_stopped()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
async def test_parts_start_in_order_and_stop_in_reverse_on_a_signal(by: signal.Signals) -> None:
    notes: list[str] = []
    async with Supervisor(notes.append) as supervisor:
        for name in ("database", "worker", "web"):
            await supervisor.start(FakePart(name, notes))
        await interrupted(supervisor, by=by)
    assert [note for note in notes if note.startswith("start")] == ["start database", "start worker", "start web"]
    assert [note for note in notes if note.startswith("stop ")] == ["stop web", "stop worker", "stop database"]


async def test_error_in_the_body_stops_everything_and_is_passed_on() -> None:
    notes: list[str] = []
    with pytest.raises(PartError, match="web is broken"):  # noqa: PT012 - the body is what is tested
        async with Supervisor(notes.append) as supervisor:
            await supervisor.start(FakePart("database", notes))
            raise PartError("web is broken")
    assert notes[-1] == "stop database"


async def test_part_that_cannot_be_stopped_does_not_keep_the_others_running() -> None:
    notes: list[str] = []
    async with Supervisor(notes.append) as supervisor:
        await supervisor.start(FakePart("database", notes))
        await supervisor.start(FakePart("web", notes, unstoppable=True))
        await interrupted(supervisor)
    assert "stop database" in notes
    assert "web could not be stopped: no" in notes


async def test_part_that_dies_is_started_again_also_when_that_fails_at_first() -> None:
    notes: list[str] = []
    async with Supervisor(notes.append, QUICK) as supervisor:
        part = FakePart("web", notes, fails=3)
        await supervisor.start(part)
        part.dies.set()
        await until(lambda: "web runs again" in notes)
        assert notes.count("start web") == 5
        part.dies.set()
        await until(lambda: notes.count("web runs again") == 2)
        await interrupted(supervisor)


def test_waits_between_restarts_grow_to_a_limit() -> None:
    back_off = BackOff(first=0.2, factor=2, most=30)
    assert [back_off.delay(failures) for failures in (1, 2, 3, 8, 9, 10_000)] == [0.2, 0.4, 0.8, 25.6, 30, 30]


async def test_failures_in_a_row_wait_longer_and_a_stable_run_is_forgiven() -> None:
    notes: list[str] = []
    async with Supervisor(notes.append, BackOff(first=0.1, stable_after=0.4)) as supervisor:
        part = FakePart("web", notes)
        await supervisor.start(part)
        for count in (1, 2):
            part.dies.set()
            await until(lambda count=count: notes.count("web runs again") == count)
        await asyncio.sleep(0.45)
        part.dies.set()
        await until(lambda: notes.count("web runs again") == 3)
        await interrupted(supervisor)
    delays = [note.split()[-2] for note in notes if "starting it again" in note]
    assert delays == ["0.1", "0.2", "0.1"]


async def test_killed_child_is_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    child = Child(python("worker", RUNS), tmp_path)
    async with Supervisor(said.append, QUICK) as supervisor:
        await supervisor.start(child)
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: child.pid not in {None, first})
        await interrupted(supervisor)
    assert any("worker was killed by SIGKILL; starting it again" in line for line in said)
    assert child.pid is None


async def test_child_that_does_not_start_is_told_with_its_last_words(tmp_path: Path) -> None:
    async def never(_: int) -> bool:
        return False

    child = Child(python("web", "import sys; print('the port is taken'); sys.exit(3)", ready=never), tmp_path)
    with pytest.raises(PartError, match=r"web ended with exit code 3(?s:.*)the port is taken"):
        await child.start()
    await child.stop(asyncio.Event())
    missing = Child(ChildSpec(name="web", command=["/no/such/program"]), tmp_path)
    with pytest.raises(PartError, match=r"web could not be started: .*/no/such/program"):
        await missing.start()


async def test_child_counts_as_started_when_it_is_ready(tmp_path: Path) -> None:
    asked: list[int] = []

    async def ready(pid: int) -> bool:
        asked.append(pid)
        return len(asked) == 3

    child = Child(python("web", RUNS, ready=ready), tmp_path)
    await child.start()
    assert asked == [child.pid] * 3
    await child.stop(asyncio.Event())


async def test_child_that_does_not_get_ready_is_stopped(tmp_path: Path) -> None:
    async def never(_: int) -> bool:
        return False

    child = Child(python("web", RUNS, ready=never, ready_within=0.2), tmp_path)
    with pytest.raises(PartError, match="web was not ready after 0 s"):
        await child.start()
    assert child.pid is None


async def test_child_that_ignores_the_request_to_stop_is_killed_with_its_whole_group(tmp_path: Path) -> None:
    code = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {RUNS!r}]).pid, flush=True)\n{DEAF}"
    child = Child(python("worker", code, grace=0.2), tmp_path)
    await child.start()
    await until(says("deaf", child.log_path))
    pid = child.pid
    grandchild = int(child.log_path.read_text().splitlines()[1].split()[-1])
    await child.stop(asyncio.Event())
    assert pid is not None
    assert gone(pid)
    await until(lambda: gone(grandchild))
    assert "killed: did not end within" in child.log_path.read_text()


async def test_second_signal_kills_at_once(tmp_path: Path) -> None:
    said: list[str] = []
    child = Child(python("worker", DEAF, grace=60), tmp_path)
    began = time.monotonic()
    async with Supervisor(said.append) as supervisor:
        await supervisor.start(child)
        await until(says("deaf", child.log_path))
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGINT)
        await interrupted(supervisor)
    assert time.monotonic() - began < 10
    assert child.pid is None


async def test_child_is_out_of_reach_of_the_terminals_interrupt(tmp_path: Path) -> None:
    child = Child(python("worker", RUNS), tmp_path)
    await child.start()
    assert child.pid is not None
    assert os.getpgid(child.pid) == child.pid != os.getpgrp()
    assert os.getsid(child.pid) == child.pid
    await child.stop(asyncio.Event())


async def test_output_goes_to_the_log_whatever_its_lines_are_like(tmp_path: Path) -> None:
    code = """
import sys
print("first line", flush=True)
print("to stderr", file=sys.stderr, flush=True)
sys.stdout.buffer.write(b"x" * 300_000 + b"\\n\\xff\\xfe no text\\nlast line without an end")
"""
    child = Child(python("worker", code), tmp_path)
    await child.start()
    assert await child.wait() == "ended with exit code 0"
    text = child.log_path.read_text()
    for expected in ("worker first line", "worker to stderr", "\ufffd\ufffd no text", "last line without an end"):
        assert expected in text
    assert text.count("x") >= 300_000


async def test_log_is_put_aside_when_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "LOG_BYTES", 2000)
    child = Child(python("worker", "for n in range(1000): print('line', n)"), tmp_path)
    await child.start()
    await child.wait()
    sizes = {path.name: path.stat().st_size for path in sorted(tmp_path.iterdir())}
    assert list(sizes) == ["worker.log", "worker.log.1", "worker.log.2", "worker.log.3"]
    assert max(sizes.values()) <= 2000
    assert "line 999" in child.log_path.read_text()


async def test_end_of_a_child_is_noticed_though_a_stranger_holds_its_output(tmp_path: Path) -> None:
    code = (
        f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {RUNS!r}], start_new_session=True).pid)"
    )
    child = Child(python("worker", code), tmp_path)
    await child.start()
    assert await asyncio.wait_for(child.wait(), 10) == "ended with exit code 0"
    stranger = int(child.log_path.read_text().splitlines()[1].split()[-1])
    os.kill(stranger, signal.SIGKILL)


SUPERVISES = """
import asyncio, sys
from pathlib import Path
from daemons.child import Child, ChildSpec
from daemons.supervisor import Supervisor

async def main():
    async with Supervisor(lambda line: print(line, flush=True)) as supervisor:
        for name in ("one", "two"):
            command = [sys.executable, "-c", "import signal; signal.pause()"]
            child = Child(ChildSpec(name=name, command=command), Path(sys.argv[1]))
            await supervisor.start(child)
            print("pid", child.pid, flush=True)
        print("all run", flush=True)
        await supervisor.until_stopped()

asyncio.run(main())
"""


def supervise(folder: Path, *, ignoring_interrupts: bool = False) -> tuple[subprocess.Popen[str], list[int]]:
    ignore = (lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignoring_interrupts else None
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISES, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=ignore,  # noqa: PLW1509 - no threads here
    )
    assert process.stdout is not None
    lines: list[str] = []
    while "all run\n" not in lines:
        lines.append(process.stdout.readline())
        assert lines[-1], "ended early"
    return process, [int(line.split()[1]) for line in lines if line.startswith("pid")]


async def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    process, pids = supervise(tmp_path)
    assert len(pids) == 2
    process.kill()
    process.communicate()
    await until(lambda: all(gone(pid) for pid in pids))


async def test_interrupt_stops_it_though_the_shell_had_interrupts_ignored(tmp_path: Path) -> None:
    process, pids = supervise(tmp_path, ignoring_interrupts=True)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert all(gone(pid) for pid in pids)
