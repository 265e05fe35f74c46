"""P4: real processes end to end, against what two plain Python processes can start and reap with pipes.

Each job is ``/bin/echo``, one line of output, started without a shell, with environment, working folder, limits and
masking in place: scheduled, started, output and finished as events, and in the read models. Two executors, one
projector, and PostgreSQL (durable) share the machine. In the same run, procrastinate runs jobs that do
nothing, with two workers.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from benchmarks.figures import Figure
from benchmarks.place import Place
from domain.application_events import ApplicationImported
from domain.company_events import CompanyCreated
from domain.environment import stored_environment
from domain.job_events import JobScheduled
from domain.run_template_events import RunTemplateCreated
from eventstore.log import NO_STREAM, Append
from eventstore.store import EventStore
from tests.testbed.postgres import Database
from tests.testbed.stores import MASTER_KEY, open_store

BASELINE = """
import os, sys
null = os.open(os.devnull, os.O_RDWR)
for _ in range(int(sys.argv[1])):
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, out_end, 1), (os.POSIX_SPAWN_DUP2, err_end, 2)]
    paths = {"PATH": "/usr/bin:/bin"}
    pid = os.posix_spawn("/bin/echo", ["/bin/echo", "hello"], paths, file_actions=actions, setsid=True)
    os.close(out_end)
    os.close(err_end)
    while os.read(out, 65536):
        pass
    while os.read(err, 65536):
        pass
    os.close(out)
    os.close(err)
    assert os.waitpid(pid, 0)[1] == 0
"""

WORKER = """
import asyncio, sys
import procrastinate
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=sys.argv[1], min_size=2, max_size=10))

@app.task(name="nothing", queue="default")
async def nothing(number):
    pass

async def main():
    async with app.open_async():
        if sys.argv[2] == "defer":
            for start in range(0, int(sys.argv[3]), 500):
                await nothing.batch_defer_async(*({"number": number} for number in range(start, start + 500)))
        elif sys.argv[2] == "schema":
            await app.schema_manager.apply_schema_async()
        else:
            await app.run_worker_async(wait=True, concurrency=16, install_signal_handlers=True)

asyncio.run(main())
"""

COMPANY = 1
JOBS = 4000
LIMITS = {"wall_time": 60, "cpu_time": 60, "memory": 2**32, "file_size": 2**30, "open_files": 1024}


def baseline(count: int) -> float:
    """Return processes per second of two plain Python processes."""
    began = time.perf_counter()
    each = [subprocess.Popen([sys.executable, "-c", BASELINE, str(count // 2)]) for _ in range(2)]
    assert all(process.wait() == 0 for process in each)
    return count / (time.perf_counter() - began)


@contextmanager
def daemons(database: Database, folder: Path, *kinds: str) -> Iterator[None]:
    """Run daemons on a database."""
    environment = {
        **os.environ,
        **database.variables,
        "ENCRYPTION_MASTER_KEY": MASTER_KEY,
        "MULTIFLEXI_MAX_PARALLEL": os.environ.get("MULTIFLEXI_MAX_PARALLEL", "32"),
        "MULTIFLEXI_WORK_FOLDER": str(folder),
    }
    running = [
        subprocess.Popen([sys.executable, "-m", f"daemons.{kind}"], env=environment, stderr=subprocess.DEVNULL)
        for kind in kinds
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


async def configure(
    store: EventStore,
    executable: str = "/bin/echo",
    arguments: str = "hello",
    limits: Mapping[str, int] = LIMITS,
) -> int:
    """Make a company, an application with a secret, and a template with limits; return the template's id."""
    company = CompanyCreated(company_id=COMPANY, uuid=str(uuid.uuid4()), name="Acme", code="acme", time_zone="UTC")
    definition = {
        "name": "Echo",
        "executable": executable,
        "cmdparams": arguments,
        "environment": {"PASSWORD": {"type": "password"}, "URL": {"type": "string", "defval": "https://example.com"}},
    }
    application = ApplicationImported(
        application_id=1,
        uuid=str(uuid.uuid4()),
        name="Echo",
        version="1",
        executable=executable,
        definition=definition,
        digest="1",
    )
    template = RunTemplateCreated(
        run_template_id=1,
        company_id=COMPANY,
        uuid=str(uuid.uuid4()),
        application_id=1,
        name="Echo",
        environment=stored_environment({"PASSWORD": "hunter2-hunter2"}),
        limits=dict(limits),
        overlap_policy="allow",
    )
    await store.append_all(
        [
            Append(stream="company-1", company_id=COMPANY, events=[company], expected=NO_STREAM),
            Append(stream="application-1", events=[application], expected=NO_STREAM),
            Append(stream="run_template-1", company_id=COMPANY, events=[template], expected=NO_STREAM),
        ]
    )
    return 1


async def schedule(store: EventStore, template: int, count: int) -> None:
    """Queue jobs, 250 in an append."""
    for first in range(0, count, 250):
        size = min(250, count - first)
        ids = [
            row[0] for row in await store.pool.fetch("SELECT nextval('job_id') FROM generate_series(1, $1::int)", size)
        ]
        now = datetime.now(UTC)
        await store.append_all(
            [
                Append(
                    stream=f"job-{job}",
                    company_id=COMPANY,
                    events=[
                        JobScheduled(
                            job_id=job,
                            company_id=COMPANY,
                            run_template_id=template,
                            uuid=str(uuid.uuid4()),
                            application_id=1,
                            application_version="1",
                            scheduled_at=now,
                            not_before=now,
                        )
                    ],
                    expected=NO_STREAM,
                )
                for job in ids
            ]
        )
        store.notifier.notify({"job"})


async def ours(database: Database, count: int) -> float:
    """Return jobs per second, from the first command until the last job is in the read models."""
    done = """
        SELECT (SELECT count(*) FROM job WHERE outcome = 'success'), (SELECT count(*) FROM job_output WHERE bytes = 6)
    """
    place = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        Path(folder).chmod(0o711)
        async with open_store(database, inline=True) as store:
            template = await configure(store)
            with daemons(database, Path(folder), "executor", "executor", "projector"):
                while await store.pool.fetchval("SELECT count(*) FROM daemons") < 3:
                    await asyncio.sleep(0.05)
                await schedule(store, template, 200)  # warm
                while tuple(await store.pool.fetchrow(done) or ()) != (200, 200):
                    await asyncio.sleep(0.02)
                began = time.perf_counter()
                await schedule(store, template, count)
                while tuple(await store.pool.fetchrow(done) or ()) != (count + 200, count + 200):
                    await asyncio.sleep(0.05)
                return count / (time.perf_counter() - began)


def procrastinate(database: Database, count: int) -> float:
    """Return jobs per second of procrastinate, jobs that do nothing."""

    def part(what: str, *more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", WORKER, database.superuser_url, what, *more], stderr=subprocess.DEVNULL
        )

    assert part("schema").wait() == 0
    workers = [part("work"), part("work")]
    try:
        time.sleep(1.5)
        with psycopg.connect(database.superuser_url, autocommit=True) as connection:
            began = time.perf_counter()
            assert part("defer", str(count)).wait() == 0
            while connection.execute(
                "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'"
            ).fetchone() != (count,):
                time.sleep(0.05)
            return count / (time.perf_counter() - began)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def measure(where: Place) -> list[Figure]:
    """Measure P4, the plain processes before and after it."""
    before = baseline(JOBS)
    with where.database(read_models=True) as database:
        reached = asyncio.run(ours(database, JOBS))
    after = baseline(JOBS)
    with where.database() as database:
        other = procrastinate(database, JOBS)
    plain = (before + after) / 2
    what = "processes end to end, two executors, a projector and the server on the machine"
    return [
        Figure("P4", what, f"{reached:,.0f} jobs/s", f"{plain:,.0f} processes/s", reached / plain, 0.6),
        Figure(
            "P4",
            "the same against procrastinate, two workers, jobs that do nothing",
            f"{reached:,.0f} jobs/s",
            f"{other:,.0f} jobs/s",
            reached / other,
            1.0,
        ),
    ]
