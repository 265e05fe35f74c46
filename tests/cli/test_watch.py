"""A job followed on the command line: its bytes, its end, its exit code."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable

import pytest

from eventstore.output import key_owner
from tests.cli.conftest import Cli, Run
from tests.cli.life import Life

DEADLINE = 30.0


class Watched:
    """A ``job:watch`` in a process of its own; what it writes can be waited for."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.out = bytearray()
        self.err = bytearray()
        self._threads = [
            threading.Thread(target=self._collect, args=(stream, into), daemon=True)
            for stream, into in ((process.stdout, self.out), (process.stderr, self.err))
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _collect(stream: object, into: bytearray) -> None:
        while data := os.read(stream.fileno(), 65536):  # type: ignore[attr-defined]
            into.extend(data)

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        until = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < until, (self.out, self.err)
            assert self.process.poll() is None or condition(), (self.process.returncode, self.out, self.err)
            time.sleep(0.01)

    def end(self) -> Run:
        """Wait for the end."""
        code = self.process.wait(DEADLINE)
        for thread in self._threads:
            thread.join(DEADLINE)
        return Run(code, bytes(self.out), bytes(self.err))


@pytest.fixture
def job(cli: Cli, template: int) -> int:
    """Return the id of a job in the queue."""
    found: int = cli.json("run-template:schedule", str(template))["job_id"]
    return found


def test_a_job_that_ended_is_shown_from_its_beginning(cli: Cli, job: int, jobs: Life) -> None:
    jobs.start(job)
    jobs.write(job, b"out \xc5\x99\x00\xff\n")
    jobs.write(job, b"err\n", "stderr")
    jobs.write(job, b"more")
    jobs.finish(job, 3, "failure")
    run = cli("job:watch", str(job))
    assert (run.code, run.bytes, run.err) == (3, b"out \xc5\x99\x00\xff\nmore", "err\n")


def test_with_verbose_the_life_of_the_job_is_told_on_standard_error(cli: Cli, job: int, jobs: Life) -> None:
    jobs.start(job)
    jobs.finish(job, 0, reason="all well")
    run = cli("job:watch", "--id", str(job), "-v")
    assert (run.code, run.out) == (0, "")
    first, second, third = run.err.splitlines()
    assert first.startswith("Job 1 is in the queue since ")
    assert second.startswith("Job 1 started on host at ")
    assert third == "Job 1 ended with 0 (success: all well)."


def test_json_has_a_document_for_each_event_and_chunk(cli: Cli, job: int, jobs: Life) -> None:
    jobs.start(job)
    jobs.write(job, "žluť\n".encode())
    jobs.write(job, b"\xff\xfe", "stderr")
    jobs.finish(job, 255, "failure")
    run = cli("job:watch", str(job), "-f", "json")
    lines = [json.loads(line) for line in run.out.splitlines()]
    assert run.code == 255
    assert [line["event"] for line in lines] == ["scheduled", "started", "output", "output", "finished"]
    assert all(line["job_id"] == job for line in lines)
    assert (lines[2]["channel"], lines[2]["offset"], lines[2]["text"]) == ("stdout", 0, "žluť\n")
    assert base64.b64decode(lines[3]["base64"]) == b"\xff\xfe"
    assert (lines[4]["exit_code"], lines[4]["outcome"]) == (255, "failure")


def test_a_job_is_followed_live_from_the_queue_to_its_end(cli: Cli, job: int, jobs: Life) -> None:
    watched = Watched(cli.start("job:watch", str(job), "-v"))
    watched.until(lambda: b"in the queue" in watched.err)
    jobs.start(job)
    watched.until(lambda: b"started on host" in watched.err)
    jobs.write(job, b"first\n")
    watched.until(lambda: watched.out == b"first\n")
    jobs.write(job, b"second\n")
    watched.until(lambda: watched.out == b"first\nsecond\n")
    jobs.finish(job, 7, "failure")
    run = watched.end()
    assert (run.code, run.bytes) == (7, b"first\nsecond\n")


def test_ctrl_c_ends_the_watching_and_not_the_job(cli: Cli, job: int, jobs: Life) -> None:
    watched = Watched(cli.start("job:watch", str(job), "-v"))
    watched.until(lambda: b"in the queue" in watched.err)
    watched.process.send_signal(signal.SIGINT)
    run = watched.end()
    assert run.code == 130
    assert run.err.endswith("No longer watching. Job 1 goes on.\n")
    assert "Traceback" not in run.err
    jobs.start(job)
    jobs.fold()
    assert cli.json("job:get", str(job))["state"] == "running"


def test_a_cancelled_job_ends_the_watching(cli: Cli, job: int) -> None:
    watched = Watched(cli.start("job:watch", str(job), "-v"))
    watched.until(lambda: b"in the queue" in watched.err)
    cli("job:cancel", str(job), "--reason", "no need")
    run = watched.end()
    assert (run.code, run.err.splitlines()[-1]) == (1, "Job 1 was cancelled: no need.")


def test_the_watching_outlives_connections_that_break(cli: Cli, job: int, jobs: Life) -> None:
    import psycopg

    watched = Watched(cli.start("job:watch", str(job), "-v"))
    watched.until(lambda: b"in the queue" in watched.err)
    with psycopg.connect(cli.database.superuser_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name LIKE 'multiflexi-cli%'"
        )
    jobs.start(job)
    jobs.write(job, b"here\n")
    jobs.finish(job)
    run = watched.end()
    assert (run.code, run.bytes) == (0, b"here\n")
    assert "Traceback" not in run.err


def test_a_job_that_is_to_start_later_is_told(cli: Cli, template: int) -> None:
    later = cli.json("job:create", "--runtemplate_id", str(template), "--scheduled", "2099-07-01 12:00")["job_id"]
    watched = Watched(cli.start("job:watch", str(later), "-v"))
    watched.until(lambda: b"Job 1 waits until 2099-07-01 12:00:00 CEST." in watched.err)
    watched.process.send_signal(signal.SIGINT)
    assert watched.end().code == 130


def test_erased_output_is_told(cli: Cli, job: int, jobs: Life) -> None:
    jobs.start(job)
    jobs.write(job, b"secret")
    jobs.finish(job)
    jobs.run(lambda store: store.keyring.destroy(key_owner(1)))
    assert cli("job:watch", str(job), "-v").err.splitlines()[-2] == "Output was here; it was erased."
    lines = [json.loads(line) for line in cli("job:watch", str(job), "-f", "json").out.splitlines()]
    assert lines[2]["erased"] is True
    assert "text" not in lines[2]


def test_a_job_that_is_not_there(cli: Cli, template: int) -> None:
    assert cli.json("job:watch", "9", code=1)["status"] == "not found"


def test_the_watching_ends_when_the_token_is_revoked_and_shows_nothing_of_what_comes_after(
    cli: Cli, job: int, jobs: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = cli.json("user:create", "--login", "admin", "--role", "super_admin")["user_id"]
    made = cli.json("token:generate", "--user", str(user))
    with monkeypatch.context() as environment:
        environment.setenv("MULTIFLEXI_TOKEN", made["token"])
        watched = Watched(cli.start("job:watch", str(job), "-v"))
    watched.until(lambda: b"in the queue" in watched.err)
    jobs.start(job)
    jobs.write(job, b"before\n")
    watched.until(lambda: watched.out == b"before\n")
    assert cli.json("token:delete", "--id", str(made["token_id"]))["deleted"] is True
    watched.until(lambda: watched.process.poll() is not None)
    jobs.write(job, b"after\n")
    run = watched.end()
    assert (run.code, run.bytes) == (1, b"before\n")
    assert "revoked" in run.err.splitlines()[-1]
    assert "Traceback" not in run.err
