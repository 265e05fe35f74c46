"""The shell: what it loads, checks, appends and answers, and what it does when others are faster."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commands import applications, jobs
from commands.actor import SYSTEM, Actor
from commands.demo import ensure_demo
from commands.errors import BusyError, KeyReusedError
from commands.shell import ATTEMPTS, Shell
from domain.application import DisableApplication, ImportApplication, RemoveApplication
from domain.company import ChangeCompany, CreateCompany, RemoveCompany
from domain.company_events import CompanyChanged
from domain.errors import ForbiddenError, NotFoundError, StateError, TakenError, ValidationError
from domain.findings import DocumentError
from domain.job import CancelJob, FinishJob, ScheduleJob, StartJob
from domain.job_events import JobStarted
from domain.run_template import ChangeRunTemplate, CreateRunTemplate, RemoveRunTemplate
from domain.run_template_events import RunTemplateChanged
from tests.commands.fake_store import FakeFacts, FakeStore

NOW = datetime(2026, 1, 5, 10, 20, tzinfo=UTC)
PROBE = {
    "name": "Probe",
    "description": "Checks",
    "executable": "probe",
    "environment": {},
    "version": "1.0",
    "uuid": "probe",
}


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def shell(store: FakeStore) -> Shell:
    numbers = itertools.count(1)
    return Shell(
        store,  # type: ignore[arg-type]
        facts=FakeFacts(store),  # type: ignore[arg-type]
        clock=lambda: NOW,
        new_uuid=lambda: f"00000000-0000-4000-8000-{next(numbers):012}",
    )


async def a_company(shell: Shell, **fields: Any) -> int:
    return (await shell.execute(CreateCompany(**{"name": "Acme Corp", **fields}), SYSTEM)).id


async def a_template(shell: Shell, company_id: int, **fields: Any) -> int:
    application_id = (await shell.execute(ImportApplication(definition=PROBE), SYSTEM)).id
    wish = {"company_id": company_id, "application_id": application_id, "name": "Hourly", "interval": "h", **fields}
    return (await shell.execute(CreateRunTemplate(**wish), SYSTEM)).id


async def test_a_command_is_decided_and_appended_with_who_and_how(shell: Shell, store: FakeStore) -> None:
    outcome = await shell.execute(CreateCompany(name="Acme Corp"), Actor.user(1, "*"), source="web", correlation="abc")
    assert (outcome.id, outcome.stream, outcome.version, outcome.replayed) == (1, "company-1", 1, False)
    [recorded] = store.log
    assert recorded.event == outcome.events[0]
    assert (recorded.meta.actor, recorded.meta.source, recorded.meta.correlation) == ("user:1", "web", "abc")
    assert (recorded.company_id, recorded.cursor) == (1, outcome.cursor)


async def test_what_changes_nothing_appends_nothing(shell: Shell, store: FakeStore) -> None:
    company_id = await a_company(shell)
    outcome = await shell.execute(ChangeCompany(company_id=company_id, name="Acme Corp"), SYSTEM)
    assert (outcome.events, outcome.version, len(store.log)) == ((), 1, 1)


async def test_a_refused_command_appends_nothing(shell: Shell, store: FakeStore) -> None:
    with pytest.raises(NotFoundError):
        await shell.execute(ChangeCompany(company_id=99, name="X"), SYSTEM)
    with pytest.raises(ValidationError):
        await shell.execute(CreateCompany(name=" "), SYSTEM)
    assert store.log == []


async def test_a_command_is_decided_anew_when_somebody_was_faster(shell: Shell, store: FakeStore) -> None:
    company_id = await a_company(shell)
    faster = iter([CompanyChanged(company_id=company_id, name="Faster"), None])

    def interfere() -> None:
        if (event := next(faster, None)) is not None:
            store.slip_in("company-1", event)

    store.before_append = interfere
    outcome = await shell.execute(ChangeCompany(company_id=company_id, enabled=False), SYSTEM)
    assert outcome.version == 3
    assert (store.state("company-1").name, store.state("company-1").enabled) == ("Faster", False)


async def test_a_command_gives_up_when_others_are_always_faster(shell: Shell, store: FakeStore) -> None:
    company_id = await a_company(shell)
    numbers = itertools.count()
    store.before_append = lambda: store.slip_in("company-1", CompanyChanged(company_id=1, name=f"N{next(numbers)}"))
    with pytest.raises(BusyError, match=f"{ATTEMPTS} times"):
        await shell.execute(ChangeCompany(company_id=company_id, enabled=False), SYSTEM)
    assert store.state("company-1").enabled


async def test_the_same_command_with_the_same_key_is_done_once_and_answers_the_same(
    shell: Shell, store: FakeStore
) -> None:
    first = await shell.execute(CreateCompany(name="Acme Corp"), SYSTEM, key="k")
    again = await shell.execute(CreateCompany(name="Acme Corp"), SYSTEM, key="k")
    assert (again.id, again.stream, again.version, again.cursor) == (
        first.id,
        first.stream,
        first.version,
        first.cursor,
    )
    assert (again.events, again.replayed) == (first.events, True)
    assert len(store.log) == 1


async def test_a_key_answers_the_same_also_when_the_command_would_be_refused_now(shell: Shell) -> None:
    company_id = await a_company(shell)
    first = await shell.execute(RemoveCompany(company_id=company_id), SYSTEM, key="k")
    assert (await shell.execute(RemoveCompany(company_id=company_id), SYSTEM, key="k")).cursor == first.cursor


async def test_a_key_used_for_another_command_is_told(shell: Shell) -> None:
    await shell.execute(CreateCompany(name="Acme Corp"), SYSTEM, key="k")
    with pytest.raises(KeyReusedError, match="“k” was used before") as caught:
        await shell.execute(CreateCompany(name="Beta Industries"), SYSTEM, key="k")
    assert caught.value.code == "idempotency_key_reused"


async def test_the_same_key_of_two_actors_are_two_keys(shell: Shell) -> None:
    first = await shell.execute(CreateCompany(name="Acme Corp"), Actor.user(1, "*"), key="k")
    second = await shell.execute(CreateCompany(name="Beta"), Actor.user(2, "*"), key="k")
    assert first.id != second.id


async def test_two_executions_with_one_key_at_once_are_done_once(shell: Shell, store: FakeStore) -> None:
    other = Shell(store, facts=FakeFacts(store), clock=lambda: NOW)  # type: ignore[arg-type]
    first: list[int] = []

    async def run() -> None:
        first.append((await other.execute(CreateCompany(name="Acme Corp"), SYSTEM, key="k")).id)

    store.before_append = lambda: None
    original = store.append_all

    async def late(*arguments: Any, **options: Any) -> Any:
        store.append_all = original  # type: ignore[method-assign]
        await run()
        return await original(*arguments, **options)

    store.append_all = late  # type: ignore[method-assign]
    outcome = await shell.execute(CreateCompany(name="Acme Corp"), SYSTEM, key="k")
    assert (outcome.id, outcome.replayed, len(store.log)) == (first[0], True, 1)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
async def test_a_key_that_is_none_is_refused(shell: Shell, key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        await shell.execute(CreateCompany(name="Acme"), SYSTEM, key=key)
    assert caught.value.field == "idempotency_key"


@pytest.mark.parametrize("key", [None, "k"])
async def test_half_a_character_is_refused_with_and_without_a_key(shell: Shell, key: str | None) -> None:
    with pytest.raises(ValidationError, match="cannot be stored"):
        await shell.execute(CreateCompany(name="\udcff"), SYSTEM, key=key)


async def test_a_taken_code_names_its_field(shell: Shell, store: FakeStore) -> None:
    await a_company(shell)
    for code in (None, "ACME-corp"):
        with pytest.raises(TakenError, match="acme-corp") as caught:
            await shell.execute(CreateCompany(name="Acme Corp", code=code), SYSTEM)
        assert (caught.value.field, caught.value.code) == ("code", "company_code_taken")
    assert len(store.log) == 1


async def test_two_companies_with_one_code_at_once_are_told_by_the_unique_index(shell: Shell, store: FakeStore) -> None:
    from domain.company_events import CompanyCreated

    other = CompanyCreated(company_id=50, uuid="x", name="Acme", code="acme", time_zone="UTC")

    def interfere() -> None:
        store.before_append = None
        store.slip_in("company-50", other)

    store.before_append = interfere
    with pytest.raises(TakenError, match="“acme”") as caught:
        await shell.execute(CreateCompany(name="Acme"), SYSTEM)
    assert caught.value.field == "code"


async def test_a_company_is_told_what_looks_wrong(shell: Shell) -> None:
    outcome = await shell.execute(CreateCompany(name="Acme", registration_number="12345678"), SYSTEM)
    assert [warning.code for warning in outcome.warnings] == ["registration_number_check_digit"]


async def test_a_stranger_can_change_nothing_of_another_company(shell: Shell, store: FakeStore) -> None:
    company_id = await a_company(shell)
    template = await a_template(shell, company_id)
    job = await jobs.schedule(shell, template, SYSTEM)
    stranger = Actor.user(2, [company_id + 1])
    written = len(store.log)
    for command in (
        ChangeCompany(company_id=company_id, name="Mine"),
        RemoveCompany(company_id=company_id, cascade=True),
        CreateRunTemplate(company_id=company_id, application_id=1, name="Mine"),
        ChangeRunTemplate(run_template_id=template, name="Mine"),
        RemoveRunTemplate(run_template_id=template),
        ScheduleJob(run_template_id=template),
        CancelJob(job_id=job.id),
        CreateCompany(name="Another"),
        ImportApplication(definition=PROBE),
        DisableApplication(application_id=1),
    ):
        with pytest.raises((ForbiddenError, NotFoundError)) as caught:
            await shell.execute(command, stranger)
        # What is named by its own id is not there for who does not see its company.
        told = "There is no" if isinstance(caught.value, NotFoundError) else "user:2 does not"
        assert told in caught.value.message
    assert sum(one.stream == f"access-2-{company_id}" for one in store.log[written:]) == 6
    assert {type(one.event).__name__ for one in store.log[written:]} == {"AccessDenied"}
    await shell.execute(ChangeCompany(company_id=company_id, name="Ours"), Actor.user(1, [company_id]))


async def test_importing_again_is_another_version_or_nothing(shell: Shell, store: FakeStore) -> None:
    first = await shell.execute(ImportApplication(definition=PROBE), SYSTEM)
    same = await applications.import_bytes(
        shell,
        b'{"environment": {}, "uuid": "PROBE", '
        b'"version": "1.0", "name": "Probe", "executable": "probe", "description": "Checks"}',
        SYSTEM,
    )
    assert (same.id, same.version) == (first.id, 2)  # the UUID is written otherwise
    again = await shell.execute(ImportApplication(definition=store.state("application-1").definition), SYSTEM)
    assert (again.id, again.events) == (first.id, ())


async def test_two_imports_of_one_application_at_once_become_one(shell: Shell, store: FakeStore) -> None:
    from domain.application_events import ApplicationImported

    other = ApplicationImported(
        application_id=50, uuid="probe", name="Probe", version="0.9", executable="probe", definition={}, digest="x"
    )

    def interfere() -> None:
        store.before_append = None
        store.slip_in("application-50", other)

    store.before_append = interfere
    outcome = await shell.execute(ImportApplication(definition=PROBE), SYSTEM)
    assert (outcome.id, outcome.version, type(outcome.events[0]).__name__) == (50, 2, "ApplicationUpdated")


async def test_a_wrong_definition_is_refused_with_its_places(shell: Shell) -> None:
    with pytest.raises(DocumentError, match="/executable"):
        await shell.execute(ImportApplication(definition=PROBE | {"executable": 5}), SYSTEM)


async def test_a_definition_that_cannot_be_read_from_its_file_is_told(shell: Shell, tmp_path: Any) -> None:
    for path, code in ((tmp_path / "absent.json", "file_unreadable"), (tmp_path, "file_unreadable")):
        with pytest.raises(ValidationError) as caught:
            await applications.import_file(shell, path, SYSTEM)
        assert (caught.value.field, caught.value.code) == ("file", code)
    big = tmp_path / "big.json"
    big.write_bytes(b" " * 10_000_001)
    with pytest.raises(ValidationError, match="at most 10000000"):
        await applications.import_file(shell, big, SYSTEM)


async def test_a_template_needs_its_company_and_its_application(shell: Shell, store: FakeStore) -> None:
    company_id = await a_company(shell)
    for company, application, code in (
        (99, 1, "company_not_found"),
        (company_id, 99, "application_not_found"),
    ):
        with pytest.raises(NotFoundError) as caught:
            await shell.execute(CreateRunTemplate(name="X", company_id=company, application_id=application), SYSTEM)
        assert caught.value.code == code
    assert len(store.log) == 1


async def test_a_template_is_refused_when_its_company_goes_meanwhile(shell: Shell, store: FakeStore) -> None:
    from domain.company_events import CompanyRemoved

    company_id = await a_company(shell)
    application_id = (await shell.execute(ImportApplication(definition=PROBE), SYSTEM)).id

    def interfere() -> None:
        store.before_append = None
        store.slip_in("company-1", CompanyRemoved(company_id=company_id))

    store.before_append = interfere
    with pytest.raises(NotFoundError) as caught:
        await shell.execute(CreateRunTemplate(company_id=company_id, application_id=application_id, name="X"), SYSTEM)
    assert caught.value.code == "company_not_found"


async def test_a_template_is_due_by_the_time_zone_of_its_company(shell: Shell, store: FakeStore) -> None:
    company_id = await a_company(shell, time_zone="Asia/Kathmandu")
    template = await a_template(shell, company_id, interval="d")
    own = await a_template(shell, company_id, interval="d", time_zone="UTC")
    [created, created_own] = [
        one.event for one in store.log if one.stream in (f"run_template-{template}", f"run_template-{own}")
    ]
    assert created.next_due == datetime(2026, 1, 5, 18, 15, tzinfo=UTC)  # type: ignore[attr-defined]
    assert created_own.next_due == datetime(2026, 1, 6, tzinfo=UTC)  # type: ignore[attr-defined]
    await shell.execute(ChangeCompany(company_id=company_id, time_zone="America/New_York"), SYSTEM)
    [moved] = [one.event for one in store.stream(f"run_template-{template}")[1:]]
    assert isinstance(moved, RunTemplateChanged)
    assert moved.next_due == datetime(2026, 1, 6, 5, tzinfo=UTC)
    assert len(store.stream(f"run_template-{own}")) == 1
    assert len(store.appends[-1]) == 2  # the company and its template, as a whole


async def test_a_job_takes_what_its_template_and_application_say(shell: Shell, store: FakeStore) -> None:
    company_id = await a_company(shell)
    template = await a_template(shell, company_id, executor="Podman")
    outcome = await jobs.schedule(shell, template, Actor.user(1, [company_id]), environment={"A": "b"}, source="web")
    [event] = outcome.events
    values = {name: getattr(event, name) for name in ("executor", "application_version", "launched_by", "environment")}
    assert values == {
        "executor": "Podman",
        "application_version": "1.0",
        "launched_by": "user:1",
        "environment": '{"A":"b"}',
    }
    assert (event.schedule_type, event.not_before, event.due) == ("adhoc-web", NOW, None)  # type: ignore[attr-defined]
    [job, guard] = store.appends[-1]
    assert (guard.stream, guard.expected, guard.events) == (f"run_template-{template}", 1, ())
    assert (job.expected, job.company_id) == (0, company_id)


@pytest.mark.parametrize(
    ("source", "later", "expected"),
    [
        ("cli", False, "adhoc-cli"),
        ("api", True, "CommandLine"),
        ("web", True, "adhoc-web"),
        ("eventor", False, "adhoc"),
    ],
)
async def test_a_job_tells_by_what_way_it_came(shell: Shell, source: str, later: bool, expected: str) -> None:
    template = await a_template(shell, await a_company(shell))
    at = NOW + timedelta(hours=1) if later else None
    [event] = (await jobs.schedule(shell, template, SYSTEM, at=at, source=source)).events
    assert event.schedule_type == expected  # type: ignore[attr-defined]


async def test_a_job_is_refused_when_its_company_or_application_is_off(shell: Shell) -> None:
    company_id = await a_company(shell)
    template = await a_template(shell, company_id)
    await shell.execute(ChangeCompany(company_id=company_id, enabled=False), SYSTEM)
    with pytest.raises(StateError) as caught:
        await jobs.schedule(shell, template, SYSTEM)
    assert caught.value.code == "company_disabled"
    await shell.execute(ChangeCompany(company_id=company_id, enabled=True), SYSTEM)
    await shell.execute(DisableApplication(application_id=1), SYSTEM)
    with pytest.raises(StateError) as caught:
        await jobs.schedule(shell, template, SYSTEM)
    assert caught.value.code == "application_disabled"


async def test_a_job_is_decided_anew_when_its_template_changed_meanwhile(shell: Shell, store: FakeStore) -> None:
    template = await a_template(shell, await a_company(shell))

    def interfere() -> None:
        store.before_append = None
        store.slip_in(
            f"run_template-{template}", RunTemplateChanged(run_template_id=template, company_id=1, executor="Docker")
        )

    store.before_append = interfere
    [event] = (await jobs.schedule(shell, template, SYSTEM)).events
    assert event.executor == "Docker"  # type: ignore[attr-defined]


async def test_the_life_of_a_job(shell: Shell, store: FakeStore) -> None:
    template = await a_template(shell, await a_company(shell))
    job_id = (await jobs.schedule(shell, template, SYSTEM)).id
    await shell.execute(StartJob(job_id=job_id, executor_id="executor:1", host="here"), Actor.daemon("executor"))
    with pytest.raises(StateError, match="is running; only a queued job can be cancelled"):
        await jobs.cancel(shell, job_id, SYSTEM)
    await shell.execute(FinishJob(job_id=job_id, outcome="success", exit_code=0), Actor.daemon("executor"))
    assert store.state(f"job-{job_id}").state == "finished"


async def test_what_is_in_use_is_not_removed_unless_all_of_it_goes(shell: Shell, store: FakeStore) -> None:
    company_id = await a_company(shell)
    template = await a_template(shell, company_id)
    waiting = (await jobs.schedule(shell, template, SYSTEM)).id
    running = (await jobs.schedule(shell, template, SYSTEM)).id
    await shell.execute(StartJob(job_id=running, executor_id="e", host="h"), SYSTEM)
    for command, code in (
        (RemoveCompany(company_id=company_id), "company_in_use"),
        (RemoveApplication(application_id=1), "application_in_use"),
    ):
        with pytest.raises(StateError, match="1 run templates") as caught:
            await shell.execute(command, SYSTEM)
        assert caught.value.code == code
    outcome = await shell.execute(RemoveCompany(company_id=company_id, cascade=True), SYSTEM)
    assert [type(event).__name__ for event in outcome.events] == ["CompanyRemoved"]
    assert {append.stream for append in store.appends[-1]} == {"company-1", "run_template-1", f"job-{waiting}"}
    assert store.state(f"job-{waiting}").state == "cancelled"
    assert store.state(f"job-{running}").state == "running"
    with pytest.raises(NotFoundError):
        await jobs.schedule(shell, template, SYSTEM)


async def test_a_job_that_starts_while_its_template_goes_is_left_alone(shell: Shell, store: FakeStore) -> None:
    template = await a_template(shell, await a_company(shell))
    job_id = (await jobs.schedule(shell, template, SYSTEM)).id
    started = JobStarted(
        job_id=job_id, company_id=1, run_template_id=template, executor_id="e", host="h", started_at=NOW
    )

    def interfere() -> None:
        store.before_append = None
        store.slip_in(f"job-{job_id}", started)

    store.before_append = interfere
    await shell.execute(RemoveRunTemplate(run_template_id=template), SYSTEM)
    assert store.state(f"run_template-{template}").removed
    assert store.state(f"job-{job_id}").state == "running"


async def test_several_commands_are_executed_as_a_whole(shell: Shell, store: FakeStore) -> None:
    wishes = [CreateCompany(name="A"), CreateCompany(name="B")]
    outcomes = await shell.execute_all(wishes, SYSTEM, key="both")
    assert [outcome.id for outcome in outcomes] == [1, 2]
    again = await shell.execute_all(wishes, SYSTEM, key="both")
    assert [(one.id, one.replayed) for one in again] == [(1, True), (2, True)]
    with pytest.raises(ValidationError):
        await shell.execute_all([CreateCompany(name="C"), CreateCompany(name="")], SYSTEM)
    assert len(store.log) == 2


async def test_the_demo_is_made_once_and_keeps_what_a_user_changed(shell: Shell, store: FakeStore) -> None:
    demo = await ensure_demo(shell)
    assert demo is not None
    assert demo.job_id is not None
    company = store.state(f"company-{demo.company_id}")
    assert (company.name, company.code) == ("Example Accounting", "example")
    template = store.state(f"run_template-{demo.run_template_id}")
    assert (template.name, template.interval, template.application_id) == (
        "Hourly host check",
        "h",
        demo.application_id,
    )
    await shell.execute(ChangeCompany(company_id=demo.company_id, name="Mine", code="mine"), SYSTEM)
    written = len(store.log)
    again = await ensure_demo(shell)
    assert again == type(demo)(demo.company_id, demo.application_id, demo.run_template_id, None)
    assert len(store.log) == written
    with_job = await ensure_demo(shell, start_job=True)
    assert with_job is not None
    assert with_job.job_id == demo.job_id + 1
    await shell.execute(ChangeCompany(company_id=demo.company_id, enabled=False), SYSTEM)
    switched_off = await ensure_demo(shell, start_job=True)
    assert switched_off is not None
    assert switched_off.job_id is None
    await shell.execute(RemoveCompany(company_id=demo.company_id, cascade=True), SYSTEM)
    assert await ensure_demo(shell, start_job=True) is None


async def test_the_demo_finds_another_code_when_its_own_is_in_use(shell: Shell, store: FakeStore) -> None:
    await a_company(shell, code="example")
    demo = await ensure_demo(shell)
    assert demo is not None
    assert store.state(f"company-{demo.company_id}").code == "example-accounting"
