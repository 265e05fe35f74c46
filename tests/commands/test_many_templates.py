"""What follows for the run templates of a company or an application, of which there may be ten thousand."""

from __future__ import annotations

from typing import Any

import pytest

from commands.actor import SYSTEM
from commands.shell import Shell
from domain.application import DisableApplication, ImportApplication
from domain.company import CreateCompany, RemoveCompany, RestoreCompany, SuspendCompany
from domain.run_template import ActivateRunTemplate, ChangeRunTemplate, CreateRunTemplate
from eventstore.store import EventStore

PROBE = {"name": "Probe", "description": "Checks", "executable": "probe", "environment": {}, "version": "1.0"}


@pytest.fixture
def shell(store: EventStore) -> Shell:
    return Shell(store)


async def test_many_templates_are_rescheduled_and_removed_with_their_company_without_reading_their_streams(
    store: EventStore, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    application_id = (await shell.execute(ImportApplication(definition=PROBE), SYSTEM)).id
    wishes = [
        CreateRunTemplate(company_id=company_id, application_id=application_id, name=f"Hourly {n}", interval="h")
        for n in range(1, 41)
    ]
    templates = [one.id for one in await shell.execute_all(wishes, SYSTEM)]
    await shell.execute(ChangeRunTemplate(run_template_id=templates[0], name="Renamed", note="Said"), SYSTEM)
    read: list[str] = []
    read_stream = store.read_stream

    def counted(stream: str, **bounds: Any) -> Any:
        read.append(stream)
        return read_stream(stream, **bounds)

    monkeypatch.setattr(store, "read_stream", counted)
    monkeypatch.setattr("commands.registry.TOGETHER", 7)
    for command, due in ((SuspendCompany(company_id=company_id), 0), (RestoreCompany(company_id=company_id), 40)):
        await shell.execute(command, SYSTEM)
        assert await store.pool.fetchval("SELECT count(*) FROM due WHERE next_due IS NOT NULL") == due
    await shell.execute(RemoveCompany(company_id=company_id, cascade=True), SYSTEM)
    assert set(read) == {f"company-{company_id}"}
    rows = await store.pool.fetch(
        "SELECT t.id, t.name, t.removed_at IS NOT NULL AS removed, t.stream_version - s.version AS behind"
        "  FROM run_template t JOIN streams s ON s.stream = 'run_template-' || t.id ORDER BY t.id"
    )
    assert tuple(rows[0]) == (templates[0], "Renamed", True, 0)
    assert {tuple(row)[2:] for row in rows} == {(True, 0)}


async def test_a_template_is_not_due_that_is_switched_on_while_its_application_is_disabled(
    store: EventStore, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    company_id = (await shell.execute(CreateCompany(name="Acme"), SYSTEM)).id
    application_id = (await shell.execute(ImportApplication(definition=PROBE), SYSTEM)).id
    wish = CreateRunTemplate(
        company_id=company_id, application_id=application_id, name="Off", interval="h", active=False
    )
    template = (await shell.execute(wish, SYSTEM)).id
    append_all, others = store.append_all, Shell(store)

    async def disabled_first(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(store, "append_all", append_all)
        await others.execute(DisableApplication(application_id=application_id), SYSTEM)
        return await append_all(*arguments, **named)

    monkeypatch.setattr(store, "append_all", disabled_first)
    await shell.execute(ActivateRunTemplate(run_template_id=template), SYSTEM)
    row = await store.pool.fetchrow(
        "SELECT t.active, d.next_due FROM run_template t JOIN due d ON d.run_template_id = t.id"
    )
    assert row is not None and tuple(row) == (True, None)
