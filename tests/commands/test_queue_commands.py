"""Everything that waits cancelled in parts: as a whole in the end, once for a key, whatever happens meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from commands import jobs, queue
from commands.actor import SYSTEM, Actor
from commands.errors import BusyError, KeyReusedError
from commands.shell import Shell
from domain.application import ImportApplication
from domain.company import CreateCompany
from domain.errors import ForbiddenError, NotFoundError, StateError
from domain.job import FinishJob, StartJob
from domain.job_events import JobCancelled, JobCancelRequested
from domain.run_template import CreateRunTemplate
from eventstore.errors import EventStoreError
from eventstore.store import EventStore

PROBE = {"name": "Probe", "description": "Checks", "executable": "probe", "environment": {}, "version": "1.0"}
STATES = "SELECT state, count(*) FROM job_queue GROUP BY 1"


@pytest.fixture
def shell(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr(queue, "CHUNK", 3)
    return Shell(store)


async def waiting(shell: Shell, count: int, name: str = "Acme") -> list[int]:
    """Queue jobs of a company of this name; return their ids."""
    company = (await shell.execute(CreateCompany(name=name), SYSTEM)).id
    application = (await shell.execute(ImportApplication(definition=PROBE), SYSTEM)).id
    wish = CreateRunTemplate(company_id=company, application_id=application, name="Manual")
    template = (await shell.execute(wish, SYSTEM)).id
    return [(await jobs.schedule(shell, template, SYSTEM)).id for _ in range(count)]


async def states(shell: Shell) -> dict[str, int]:
    return {row[0]: row[1] for row in await shell.store.pool.fetch(STATES)}


@pytest.mark.parametrize("count", [0, 2, 3, 7])
async def test_all_that_waits_is_cancelled_once_for_a_key(shell: Shell, count: int) -> None:
    if count:
        await waiting(shell, count)
    assert (await queue.truncate(shell, SYSTEM, key="k", reason="Stop")).cancelled == count
    assert await states(shell) == {}
    await waiting(shell, 2, "Beta")
    assert (await queue.truncate(shell, SYSTEM, key="k", reason="Stop")).cancelled == count
    assert await states(shell) == {"queued": 2}
    with pytest.raises(KeyReusedError):
        await queue.truncate(shell, SYSTEM, key="k", reason="Another")
    assert (await queue.truncate(shell, SYSTEM)).cancelled == 2


async def test_one_that_broke_off_is_finished_by_its_repetition(
    shell: Shell, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await waiting(shell, 7)
    append, calls = store.append_all, 0

    async def breaking(*appends: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise EventStoreError("The connection broke.")
        return await append(*appends, **options)

    monkeypatch.setattr(store, "append_all", breaking)
    with pytest.raises(EventStoreError):
        await queue.truncate(shell, SYSTEM, key="k")
    assert await states(shell) == {"queued": 4}
    assert (await queue.truncate(shell, SYSTEM, key="k")).cancelled == 7
    assert await states(shell) == {}


async def test_a_job_that_starts_meanwhile_runs_on(
    shell: Shell, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await waiting(shell, 5)
    append = store.append_all
    started = iter([ids[-1]])

    async def overtaken(appends: Any, **options: Any) -> Any:
        if (job_id := next(started, None)) is not None:
            await shell.execute(StartJob(job_id=job_id, executor_id="e", host="h"), SYSTEM)
        return await append(appends, **options)

    monkeypatch.setattr(store, "append_all", overtaken)
    assert (await queue.truncate(shell, SYSTEM)).cancelled == 4
    assert await states(shell) == {"running": 1}


async def test_it_gives_up_when_jobs_start_all_the_time(
    shell: Shell, store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await waiting(shell, 1)
    append = store.append_all

    async def stale(appends: Any, **options: Any) -> Any:
        from msgspec.structs import replace

        return await append([replace(one, expected=9) if one.events else one for one in appends], **options)

    monkeypatch.setattr(store, "append_all", stale)
    with pytest.raises(BusyError, match="system:pause"):
        await queue.truncate(shell, SYSTEM)


async def test_only_the_jobs_of_the_company_and_only_by_who_acts_for_it(shell: Shell) -> None:
    await waiting(shell, 2)
    await waiting(shell, 2, "Beta")
    for company_id in (None, 2):
        with pytest.raises(ForbiddenError):
            await queue.truncate(shell, Actor.user(5, [1]), company_id=company_id)
    assert (await queue.truncate(shell, Actor.user(5, [1]), company_id=1)).cancelled == 2
    rows = await shell.store.pool.fetch("SELECT company_id FROM job_queue")
    assert [row[0] for row in rows] == [2, 2]


async def test_a_job_is_ended_wherever_it_stands(shell: Shell) -> None:
    queued, running, ended = await waiting(shell, 3)
    for job_id in (running, ended):
        await shell.execute(StartJob(job_id=job_id, executor_id="e", host="h"), SYSTEM)
    await shell.execute(FinishJob(job_id=ended, outcome="success", exit_code=0), SYSTEM)
    assert [type(one) for one in (await queue.end(shell, queued, SYSTEM, key="a")).events] == [JobCancelled]
    assert [type(one) for one in (await queue.end(shell, running, SYSTEM, key="b")).events] == [JobCancelRequested]
    with pytest.raises(StateError, match="is finished"):
        await queue.end(shell, ended, SYSTEM)
    await shell.execute(FinishJob(job_id=running, outcome="cancelled", exit_code=143), SYSTEM)
    for job_id, key in ((queued, "a"), (running, "b")):
        assert (await queue.end(shell, job_id, SYSTEM, key=key)).replayed


async def test_a_stranger_neither_ends_a_job_nor_runs_it_again(shell: Shell) -> None:
    first, second = await waiting(shell, 2)
    await queue.end(shell, second, SYSTEM)
    stranger = Actor.user(5, [7])
    with pytest.raises(NotFoundError):
        await queue.end(shell, first, stranger)
    for job_id in (first, second):
        with pytest.raises(ForbiddenError):
            await queue.run_again(shell, job_id, stranger)
