"""Commands against the real store: ids, keys, unique values, races, row-level security, reading one's own writes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from commands import applications, jobs
from commands.actor import SYSTEM, Actor
from commands.credential_prototypes import import_prototype
from commands.demo import ensure_demo
from commands.errors import KeyReusedError
from commands.shell import Shell
from commands.wait import wait_for
from daemons.prepare import prepare
from daemons.projector import fold_all
from domain.application import ImportApplication, RemoveApplication
from domain.company import (
    AssignApplication,
    ChangeCompany,
    CreateCompany,
    RemoveCompany,
    RestoreCompany,
    SuspendCompany,
    UnassignApplication,
)
from domain.credential import CreateCredential
from domain.credential_type import CreateCredentialType
from domain.errors import DomainError, NotFoundError, StateError, TakenError
from domain.field_values import FieldsError
from domain.job import CancelJob, FinishJob, ScheduleJob, StartJob
from domain.run_template import AssignCredential, ChangeRunTemplate, CreateRunTemplate, RemoveRunTemplate
from eventstore.errors import DatabaseUnavailableError
from eventstore.log import Cursor
from eventstore.store import EventStore
from projections.errors import ProjectionLagError, UnknownProjectionError
from tests.domain.reference import files, needs_reference
from tests.testbed.credentials import prototype_text
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import open_store

NOW = datetime(2026, 1, 5, 10, 20, tzinfo=UTC)
PROBE = {"name": "Probe", "description": "Checks", "executable": "probe", "environment": {}, "version": "1.0"}


@pytest.fixture
def shell(store: EventStore) -> Shell:
    return Shell(store, clock=lambda: NOW)


async def a_template(shell: Shell, company_id: int, **fields: Any) -> int:
    application_id = (await shell.execute(ImportApplication(definition=PROBE), SYSTEM)).id
    wish = {"company_id": company_id, "application_id": application_id, "name": "Hourly", "interval": "h", **fields}
    return (await shell.execute(CreateRunTemplate(**wish), SYSTEM)).id


async def due_of(store: EventStore, run_template_id: int) -> datetime | None:
    found: datetime | None = await store.pool.fetchval(
        "SELECT next_due FROM due WHERE run_template_id = $1", run_template_id
    )
    return found


async def test_the_demo_stands_in_the_read_models_and_is_made_once(store: EventStore, shell: Shell) -> None:
    demo = await ensure_demo(shell)
    assert demo is not None
    company = await store.pool.fetchrow("SELECT name, slug, time_zone FROM company WHERE id = $1", demo.company_id)
    assert company is not None
    assert tuple(company) == ("Example Accounting", "example", "Europe/Prague")
    assert await due_of(store, demo.run_template_id) == datetime(2026, 1, 5, 11, tzinfo=UTC)
    queued = await store.pool.fetchrow(
        "SELECT state, schedule_type, executor FROM job_queue WHERE job_id = $1", demo.job_id
    )
    assert queued is not None
    assert tuple(queued) == ("queued", "adhoc", "Native")
    events = await store.pool.fetchval("SELECT count(*) FROM events")
    assert await ensure_demo(shell) == type(demo)(demo.company_id, demo.application_id, demo.run_template_id, None)
    assert await store.pool.fetchval("SELECT count(*) FROM events") == events
    with_job = await ensure_demo(shell, start_job=True)
    assert with_job is not None
    assert with_job.job_id not in (None, demo.job_id)


async def test_one_key_from_many_at_once_makes_one_company(shell: Shell) -> None:
    wish = CreateCompany(name="Acme Corp")
    outcomes = await asyncio.gather(*(shell.execute(wish, SYSTEM, key="k") for _ in range(10)))
    assert len({outcome.id for outcome in outcomes}) == 1
    assert len({(outcome.cursor, outcome.version) for outcome in outcomes}) == 1
    assert all(outcome.events == outcomes[0].events for outcome in outcomes)
    assert sum(not outcome.replayed for outcome in outcomes) == 1
    with pytest.raises(KeyReusedError):
        await shell.execute(CreateCompany(name="Beta"), SYSTEM, key="k")


async def test_a_replayed_job_is_the_first_one_also_after_it_ended(shell: Shell) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    template = await a_template(shell, company_id)
    first = await jobs.schedule(shell, template, SYSTEM, key="k")
    await shell.execute(StartJob(job_id=first.id, executor_id="e", host="h"), SYSTEM)
    await shell.execute(FinishJob(job_id=first.id, outcome="success", exit_code=0), SYSTEM)
    again = await jobs.schedule(shell, template, SYSTEM, key="k")
    assert (again.id, again.version, again.events, again.replayed) == (first.id, 1, first.events, True)


async def test_one_code_from_many_at_once_goes_to_one(store: EventStore, shell: Shell) -> None:
    wishes = (shell.execute(CreateCompany(name="Acme Corp"), SYSTEM) for _ in range(8))
    answers = await asyncio.gather(*wishes, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, TakenError)]
    assert (len(refused), {error.field for error in refused}) == (7, {"code"})
    assert await store.pool.fetchval("SELECT count(*) FROM company") == 1
    other = await shell.execute(CreateCompany(name="Other"), SYSTEM)
    with pytest.raises(TakenError):
        await shell.execute(ChangeCompany(company_id=other.id, code="ACME-CORP"), SYSTEM)


async def test_codes_that_differ_in_case_alone_go_to_one_of_those_who_take_them_at_once(shell: Shell) -> None:
    codes = ("bakery", "Bakery", "BAKERY", "bAkErY")
    wishes = [CreateCompany(name=f"Bakery {number}", code=code) for number, code in enumerate(codes)]
    told = await asyncio.gather(*(shell.execute(wish, SYSTEM) for wish in wishes), return_exceptions=True)
    assert [type(one) for one in told if isinstance(one, BaseException)] == [TakenError] * 3


async def test_many_changes_of_one_company_at_once_all_come_through(store: EventStore, shell: Shell) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    changes = [ChangeCompany(company_id=company_id, settings={"n": str(number)}) for number in range(8)]
    outcomes = await asyncio.gather(*(shell.execute(change, SYSTEM) for change in changes))
    assert sorted(outcome.version for outcome in outcomes) == list(range(2, 10))


async def test_one_definition_from_many_at_once_becomes_one_application(store: EventStore, shell: Shell) -> None:
    outcomes = await asyncio.gather(*(shell.execute(ImportApplication(definition=PROBE), SYSTEM) for _ in range(6)))
    assert len({outcome.id for outcome in outcomes}) == 1
    assert await store.pool.fetchval("SELECT count(*) FROM application") == 1


@needs_reference
async def test_all_real_definitions_are_imported_exported_and_imported_to_the_same(
    store: EventStore, shell: Shell
) -> None:
    for path in files("apps"):
        first = await applications.import_file(shell, path, SYSTEM)
        document = await store.pool.fetchval("SELECT document->'definition' FROM application WHERE id = $1", first.id)
        assert json.loads(document) == json.loads(path.read_bytes())
        again = await applications.import_bytes(shell, document, SYSTEM)
        assert (again.id, again.events) == (first.id, ())
    assert await store.pool.fetchval("SELECT count(*) FROM application") == 25  # three files are of one application
    for path in files("invalid"):
        with pytest.raises(DomainError):
            await applications.import_file(shell, path, SYSTEM)


async def test_personal_data_is_read_back_in_clear_and_compared_so(store: EventStore, shell: Shell) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme", email="anna@example.org"), SYSTEM)).id
    stored = await store.pool.fetchval("SELECT data::text FROM events WHERE stream = $1", f"company-{company_id}")
    assert "anna" not in stored
    same = await shell.execute(ChangeCompany(company_id=company_id, email="anna@example.org"), SYSTEM)
    assert same.events == ()


async def test_a_new_name_leaves_alone_when_a_template_is_due(store: EventStore, shell: Shell) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    template = await a_template(shell, company_id)
    before = await due_of(store, template)
    await shell.execute(ChangeRunTemplate(run_template_id=template, name="Each hour"), SYSTEM)
    assert before is not None
    assert await due_of(store, template) == before


async def test_a_new_schedule_or_time_zone_moves_when_a_template_is_due(store: EventStore, shell: Shell) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    template = await a_template(shell, company_id)
    await shell.execute(ChangeRunTemplate(run_template_id=template, interval="c", cron="30 2 * * *"), SYSTEM)
    assert await due_of(store, template) == datetime(2026, 1, 6, 1, 30, tzinfo=UTC)
    await shell.execute(ChangeCompany(company_id=company_id, time_zone="America/New_York"), SYSTEM)
    assert await due_of(store, template) == datetime(2026, 1, 6, 7, 30, tzinfo=UTC)
    await shell.execute(ChangeRunTemplate(run_template_id=template, active=False), SYSTEM)
    assert await due_of(store, template) is None


async def test_a_company_goes_with_its_templates_and_the_jobs_that_wait(store: EventStore, shell: Shell) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    template = await a_template(shell, company_id)
    waiting = (await jobs.schedule(shell, template, SYSTEM)).id
    with pytest.raises(StateError) as caught:
        await shell.execute(RemoveCompany(company_id=company_id), SYSTEM)
    assert caught.value.code == "company_in_use"
    await shell.execute(RemoveCompany(company_id=company_id, cascade=True), SYSTEM)
    assert await due_of(store, template) is None
    assert await store.pool.fetchval("SELECT count(*) FROM job_queue WHERE job_id = $1", waiting) == 0
    assert (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id != company_id  # its code is free again


async def test_a_company_goes_with_its_credentials_and_their_keys(store: EventStore, shell: Shell) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme", environment={"SHOP": "s3cret"}), SYSTEM)).id
    other_id = (await shell.execute(CreateCompany(name="Other"), SYSTEM)).id
    prototype = await import_prototype(shell, prototype_text(), SYSTEM)
    for owner in (company_id, other_id):
        of_type = CreateCredentialType(company_id=owner, credential_prototype_id=prototype.id, name="Bank")
        type_id = (await shell.execute(of_type, SYSTEM)).id
        wish = CreateCredential(credential_type_id=type_id, name="Bank", values={"BANK_TOKEN": "tok"})
        credential_id = (await shell.execute(wish, SYSTEM)).id
        template = await a_template(shell, owner)
        await shell.execute(AssignCredential(run_template_id=template, credential_id=credential_id), SYSTEM)
    with pytest.raises(StateError, match="has 1 run templates, 1 credentials, 1 credential types"):
        await shell.execute(RemoveCompany(company_id=company_id), SYSTEM)
    await shell.execute(RemoveCompany(company_id=company_id, cascade=True), SYSTEM)
    for table in ("credential", "credential_type", "run_template"):
        there = f"SELECT array_agg(company_id) FROM {table} WHERE removed_at IS NULL"
        assert await store.pool.fetchval(there) == [other_id], table
    assert await store.pool.fetchval("SELECT array_agg(company_id) FROM run_template_credential") == [other_id]
    owners = {row["owner"] for row in await store.pool.fetch("SELECT owner FROM data_keys")}
    assert owners.isdisjoint({f"credentials:{company_id}", f"environment:{company_id}"})
    assert f"credentials:{other_id}" in owners


async def test_of_two_users_who_make_the_same_company_at_once_one_wins_and_the_other_is_told(
    database: Database, store: EventStore
) -> None:
    wish = CreateCompany(name="Acme", code="acme")
    async with open_store(database, role="app", inline=True) as second:
        answers = await asyncio.gather(
            *(Shell(one).execute(wish, SYSTEM) for one in (store, second) for _ in range(4)), return_exceptions=True
        )
    told = [answer for answer in answers if isinstance(answer, BaseException)]
    assert len(answers) - len(told) == 1
    assert all(isinstance(error, TakenError) and error.field == "code" for error in told)
    assert {str(error) for error in told} == {"The code “acme” is in use by another company. Choose another."}
    assert await store.pool.fetchval("SELECT count(*) FROM company") == 1


async def test_a_company_that_is_removed_while_templates_are_made_leaves_none_behind(
    store: EventStore, shell: Shell
) -> None:
    application_id = (await shell.execute(ImportApplication(definition=PROBE), SYSTEM)).id
    for number in range(12):
        company_id = (await shell.execute(CreateCompany(name=f"Acme {number}"), SYSTEM)).id
        wish = CreateRunTemplate(company_id=company_id, application_id=application_id, name="T")
        await asyncio.gather(
            *(shell.execute(wish, SYSTEM) for _ in range(2)),
            shell.execute(RemoveCompany(company_id=company_id, cascade=bool(number % 2)), SYSTEM),
            *(shell.execute(wish, SYSTEM) for _ in range(2)),
            return_exceptions=True,
        )
    left = """SELECT count(*) FROM run_template t JOIN company c ON c.id = t.company_id
               WHERE t.removed_at IS NULL AND c.removed_at IS NOT NULL"""
    assert await store.pool.fetchval(left) == 0


@pytest.mark.parametrize("cascade", [False, True])
async def test_a_template_made_after_the_look_at_its_company_is_seen_when_the_company_goes(
    store: EventStore, shell: Shell, cascade: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    look = shell.facts.ids
    made: list[int] = []

    async def late(query: str, *arguments: object) -> list[int]:
        found = await look(query, *arguments)
        if query == "run_templates" and not made:
            made.append(await a_template(shell, company_id))
        return found

    monkeypatch.setattr(shell.facts, "ids", late)
    removal = RemoveCompany(company_id=company_id, cascade=cascade)
    if cascade:
        await shell.execute(removal, SYSTEM)
    else:
        with pytest.raises(StateError, match="has 1 run template"):
            await shell.execute(removal, SYSTEM)
    live = await store.pool.fetchval("SELECT count(*) FROM run_template WHERE removed_at IS NULL")
    assert live == (0 if cascade else 1)


async def test_a_suspended_company_has_nothing_due_until_it_comes_back(store: EventStore, shell: Shell) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    template = await a_template(shell, company_id, time_zone="UTC")
    due = await due_of(store, template)
    await shell.execute(SuspendCompany(company_id=company_id, reason="Did not pay", archived=True), SYSTEM)
    assert await due_of(store, template) is None
    later = await a_template(shell, company_id)
    await shell.execute(ChangeRunTemplate(run_template_id=template, interval="i"), SYSTEM)
    assert (await due_of(store, template), await due_of(store, later)) == (None, None)
    row = await store.pool.fetchrow("SELECT enabled, archived, document::text AS said FROM company")
    assert row is not None
    assert (row["enabled"], row["archived"], "Did not pay" in row["said"]) == (False, True, False)
    await shell.execute(ChangeRunTemplate(run_template_id=template, interval="h"), SYSTEM)
    await shell.execute(RestoreCompany(company_id=company_id), SYSTEM)
    assert due is not None
    assert (await due_of(store, template), await due_of(store, later)) == (due, due)


async def test_a_template_brings_its_application_to_the_company_and_keeps_it_there(
    store: EventStore, shell: Shell
) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    application_id = (await shell.execute(ImportApplication(definition=PROBE), SYSTEM)).id
    assigned = "SELECT array_agg(app_id) FROM company_app WHERE company_id = $1"
    wish = CreateRunTemplate(company_id=company_id, application_id=application_id, name="T")
    await shell.execute_all([wish, wish], SYSTEM)
    assert await store.pool.fetchval(assigned, company_id) == [application_id]
    away = UnassignApplication(company_id=company_id, application_id=application_id)
    with pytest.raises(StateError, match="has 2 run templates of application"):
        await shell.execute(away, SYSTEM)
    await shell.execute(UnassignApplication(company_id=company_id, application_id=application_id, cascade=True), SYSTEM)
    assert await store.pool.fetchval(assigned, company_id) is None
    assert await store.pool.fetchval("SELECT count(*) FROM run_template WHERE removed_at IS NULL") == 0
    back = AssignApplication(company_id=company_id, application_id=application_id)
    assert len((await shell.execute(back, SYSTEM)).events) == 1
    assert (await shell.execute(back, SYSTEM)).events == ()
    with pytest.raises(NotFoundError):
        await shell.execute(AssignApplication(company_id=company_id, application_id=99), SYSTEM)


async def test_values_that_do_not_fit_the_definition_are_refused_by_field_and_old_ones_stay(shell: Shell) -> None:
    fields = {"LIMIT": {"type": "integer", "required": True}, "TOKEN": {"type": "password"}, "MAIL": {"type": "email"}}
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    application_id = (await shell.execute(ImportApplication(definition=PROBE | {"environment": fields}), SYSTEM)).id
    wish = CreateRunTemplate(
        company_id=company_id,
        application_id=application_id,
        name="T",
        environment={"LIMIT": "x", "MAIL": "y", "O": "z"},
    )
    with pytest.raises(FieldsError) as caught:
        await shell.execute(wish, SYSTEM)
    assert set(caught.value.fields) == {"LIMIT", "MAIL"}
    empty = await shell.execute(msgspec.structs.replace(wish, environment={}), SYSTEM)
    assert [warning.code for warning in empty.warnings] == ["required_missing"]
    made = await shell.execute(msgspec.structs.replace(wish, environment={"LIMIT": "5", "TOKEN": "secret"}), SYSTEM)
    assert made.warnings == ()
    stricter = PROBE | {"environment": {**fields, "LIMIT": {"type": "integer", "max": 4}}}
    await shell.execute(ImportApplication(definition=stricter), SYSTEM)
    await shell.execute(ChangeRunTemplate(run_template_id=made.id, set_environment={"LIMIT": "5", "O": "z"}), SYSTEM)
    with pytest.raises(FieldsError, match="at most 4"):
        await shell.execute(ChangeRunTemplate(run_template_id=made.id, set_environment={"LIMIT": "6"}), SYSTEM)


async def test_definitions_come_back_from_the_database_as_they_were_written(store: EventStore, shell: Shell) -> None:
    written = """{"name": "Order", "description": "d", "executable": "x", "uuid": "o-1", "version": "1",
      "environment": {"ZEBRA": {"type": "set", "options": {"long option": "L", "b": "B", "a": "A"}, "defval": 1e17},
                      "AA": {"type": "float", "defval": -0.0, "max": 1.5e300, "min": 9.3e18}}}"""
    number = (await applications.import_bytes(shell, written, SYSTEM)).id
    exported = await applications.export_text(shell, number)
    assert list(json.loads(exported)["environment"]["ZEBRA"]["options"]) == ["long option", "b", "a"]
    assert list(json.loads(exported)) == list(json.loads(written))
    assert (await applications.import_bytes(shell, exported, SYSTEM)).events == ()
    newer = written.replace('"version": "1"', '"version": "2"')
    await applications.import_bytes(shell, newer, SYSTEM)
    assert json.loads(await applications.export_text(shell, number, "1"))["version"] == "1"
    versions = await store.pool.fetch("SELECT version FROM application_version ORDER BY number")
    assert [row["version"] for row in versions] == ["1", "2"]
    with pytest.raises(NotFoundError, match="no version 7"):
        await applications.export_text(shell, number, "7")


async def test_an_application_that_was_removed_comes_back_as_another(shell: Shell) -> None:
    first = await shell.execute(ImportApplication(definition=PROBE), SYSTEM)
    await shell.execute(RemoveApplication(application_id=first.id), SYSTEM)
    assert (await shell.execute(ImportApplication(definition=PROBE), SYSTEM)).id != first.id


async def test_row_level_security_hides_what_is_of_other_companies(database: Database, shell: Shell) -> None:
    mine = (await shell.execute(CreateCompany(name="Mine"), SYSTEM)).id
    other = (await shell.execute(CreateCompany(name="Other"), SYSTEM)).id
    template = await a_template(shell, other)
    own = await a_template(shell, mine)
    job = (await jobs.schedule(shell, template, SYSTEM)).id
    actor = Actor.user(1, [mine])
    async with open_store(database, role="app", inline=True, companies=[mine]) as narrow:
        inside = Shell(narrow, clock=lambda: NOW)
        await inside.execute(ChangeCompany(company_id=mine, name="Still mine"), actor, key="k")
        assert (await inside.execute(ChangeCompany(company_id=mine, name="Still mine"), actor, key="k")).replayed
        await jobs.schedule(inside, own, actor)
        for command in (
            ChangeRunTemplate(run_template_id=template, name="X"),
            RemoveRunTemplate(run_template_id=template),
            CancelJob(job_id=job),
        ):
            with pytest.raises(NotFoundError):
                await inside.execute(command, actor)
        with pytest.raises(NotFoundError):
            await jobs.schedule(inside, template, actor)


async def test_a_caller_reads_what_it_wrote(database: Database, store: EventStore, shell: Shell) -> None:
    outcome = await shell.execute(CreateCompany(name="Acme"), SYSTEM, wait="company")
    with pytest.raises(ProjectionLagError, match="audit_trail is about 1 events behind"):
        await wait_for(store, "audit_trail", outcome.cursor, timeout=0.05)
    async with open_store(database) as projector:
        waiting = asyncio.create_task(
            shell.execute(CreateCompany(name="Beta"), SYSTEM, wait=["audit_trail", "dashboard"])
        )
        while not waiting.done():
            await fold_all(projector)
            await asyncio.sleep(0.005)
        assert (await waiting).id == 2
    assert await store.pool.fetchval("SELECT count(*) FROM audit_trail") == 2
    await wait_for(store, "audit_trail", Cursor(0, 0, 0), timeout=0.0)
    with pytest.raises(UnknownProjectionError):
        await wait_for(store, "nothing", outcome.cursor)


async def test_a_database_that_is_gone_is_told(postgres: Server, database: Database) -> None:
    prepare(database.owner_url)
    with contextlib.suppress(OSError):  # closing a connection that the server has dropped
        async with open_store(database, role="app", inline=True) as store:
            shell = Shell(store)
            await shell.execute(CreateCompany(name="Acme"), SYSTEM)
            postgres.drop(database)
            for command in (ChangeCompany(company_id=1, name="X"), CreateCompany(name="Beta")):
                with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
                    await shell.execute(command, SYSTEM)


async def test_a_job_put_in_by_hand_has_the_labels_and_the_priority_of_its_template(
    store: EventStore, shell: Shell
) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    template = await a_template(shell, company_id, labels=["gpu"], priority=7)
    as_the_template = await jobs.schedule(shell, template, SYSTEM)
    otherwise = await shell.execute(ScheduleJob(run_template_id=template, labels=[], priority=1), SYSTEM)
    rows = await store.pool.fetch("SELECT job_id, labels, priority FROM job_queue ORDER BY job_id")
    assert [tuple(row) for row in rows] == [(as_the_template.id, '["gpu"]', 7), (otherwise.id, "[]", 1)]
