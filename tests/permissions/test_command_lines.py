"""Every command of the command line as every role in two companies and as a stranger: as ``docs/permissions.md`` says.

Whoever is refused leaves an ``AccessDenied`` and nothing else, and never reads a word of a company that is not theirs.
"""

from __future__ import annotations

import asyncio
import inspect
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import structlog

from cli.catalogue import COMMANDS
from cli.main import main
from cli.permissions import of_command
from commands.shell import Shell
from domain.company import RestoreCompany
from domain.job_events import Artifact, Channel
from domain.permissions import OF_COMPANY, OWN
from domain.task_events import TaskOpened
from eventstore.artifacts import store_artifact
from eventstore.store import EventStore
from tests.cli.life import Life
from tests.permissions.command_lines import ANSWERED_OTHERWISE, LINES, LISTS, NEED_ALSO, Scene
from tests.permissions.document import allowed, needed
from tests.permissions.office import FIRST, MARKS, SECOND, Office, Person, everybody
from tests.testbed.open_stores import stores_stay_open
from tests.testbed.postgres import Database, Server
from tests.testbed.stores import MASTER_KEY, open_store

TABLE = "Commands of the command line"
PEOPLE = [person for person in everybody() if person.company != SECOND]
"""The second company is there to be kept from those of the first."""


class Stage(NamedTuple):
    """A furnished installation, the loop that its store is of, and what is there of each company."""

    office: Office
    runner: asyncio.Runner
    things: dict[str, dict[str, int]]
    connection: psycopg.Connection[Any]
    folder: Path


@pytest.fixture(scope="module")
def stage(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    database = postgres.fresh_database()
    with asyncio.Runner() as runner, pytest.MonkeyPatch.context() as patch:
        for name in ("LC_ALL", "LC_MESSAGES"):
            patch.delenv(name, raising=False)
        for name, url in database.variables.items():
            patch.setenv(name, url)
        patch.setenv("ENCRYPTION_MASTER_KEY", MASTER_KEY)
        patch.setenv("LANG", "en_GB.UTF-8")
        patch.setenv("MULTIFLEXI_DATA", str(tmp_path_factory.mktemp("data")))
        store: EventStore = runner.run(open_store(database, inline=True, role="app").__aenter__())
        office = Office(Shell(store))
        runner.run(office.furnish())
        things = {company: live(database, office, company, runner) for company in (FIRST, SECOND)}
        with psycopg.connect(database.superuser_url, autocommit=True) as connection:
            connection.execute("SET search_path = multiflexi")
            yield Stage(office, runner, things, connection, tmp_path_factory.mktemp("files"))
        runner.run(store.__aexit__(None, None, None))
    structlog.reset_defaults()
    postgres.drop(database)


def live(database: Database, office: Office, company: str, runner: asyncio.Runner) -> dict[str, int]:
    """Let a company have templates, a credential, a task, and a job that has written and left a file."""
    company_id, mark = office.companies[company], MARKS[company].encode()
    template = runner.run(office.template(company))
    things = {
        "template": template,
        "hourly": runner.run(office.template(company, interval="h")),
        "credential": runner.run(office.credential(company)),
        "user": runner.run(office.user("viewer")),
        "job": runner.run(office.job_of(template)),
        "task": company_id,
    }
    life, job, digests = Life(database), things["job"], list[str]()
    life.start(job, company_id, template)
    life.write(job, mark, company_id=company_id)

    async def keep(store: EventStore) -> None:
        digests.append(await store_artifact(store, company_id, job, mark))

    life.run(keep)
    artifact = Artifact(name=f"{MARKS[company]}.txt", content_type="text/plain", size=len(mark), digest=digests[0])
    channel = Channel(length=len(mark), digest="00")
    life.finish(job, company_id=company_id, template=template, artifacts=[artifact], stdout=channel)
    now = datetime.now(UTC)
    opened = TaskOpened(
        task_id=company_id, company_id=company_id, run_template_id=template, window_start=now,
        window_end=now + timedelta(hours=1), deadline=now + timedelta(hours=1), opened_at=now,
    )  # fmt: skip
    life.append(f"task-{company_id}", opened, company_id=company_id)
    life.fold()
    with psycopg.connect(database.superuser_url) as connection:
        row = connection.execute("SELECT id FROM multiflexi.artifact WHERE job_id = %s", [job]).fetchone()
    assert row is not None
    return {**things, "artifact": row[0]}


def test_there_is_a_line_of_every_command() -> None:
    assert set(LINES) == set(COMMANDS), "tests/permissions/command_lines.py"


@pytest.mark.parametrize("login", [person.login for person in PEOPLE])
def test_commands_are_let_through_and_refused_as_the_document_says(
    stage: Stage, login: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    person = next(one for one in stage.office.people if one.login == login)
    wrong: list[str] = []
    with stores_stay_open(stage.runner):
        for name in sorted(COMMANDS):
            both = person.company == FIRST and of_command(name) in OF_COMPANY
            for company in (FIRST, SECOND) if both else (FIRST,):
                wrong += judged(stage, person, name, company, capfdbinary)
    assert not wrong, "\n".join(wrong)


def judged(stage: Stage, person: Person, name: str, company: str, said: pytest.CaptureFixture[bytes]) -> list[str]:
    """Run a command as a user; return what is not as it should be."""
    scene = Scene(stage.office, company, stage.things[company], person.user_id, stage.folder)
    rest = LINES[name](scene)
    words = shlex.split(rest if isinstance(rest, str) else stage.runner.run(_awaited(rest)))
    before = stage.connection.execute("SELECT max(position) FROM events").fetchone()
    said.readouterr()
    code = main([name, *words, "--format", "json", "--as", person.login])
    out = b"".join(said.readouterr()).decode(errors="replace")
    rows = stage.connection.execute(
        "SELECT type, data->>'wish', data->>'permission', (data->>'user_id')::integer FROM events "
        "WHERE position > %s ORDER BY position",
        before,
    ).fetchall()
    if name in ("company:archive", "company:suspend"):
        stage.runner.run(stage.office.do(RestoreCompany(company_id=scene.company_id)))
    own = of_command(name) in OWN
    may = allowed(TABLE, name, person.roles, person.role_in(company), own=own)
    if name in NEED_ALSO:
        may = may and allowed(TABLE, NEED_ALSO[name], person.roles, person.role_in(company))
    # Who sets a company up is let into it as its admin.
    founder = "admin" if allowed(TABLE, "company:create", person.roles, None) else None
    elsewhere = any(allowed(TABLE, name, person.roles, role, own=own) for role in (person.role, founder))
    told = f"{' '.join([name, *words])} of {person} about {company}: exit {code}, {rows}, {out[:200]!r}"
    if (not may and MARKS[company] in out) or (person.company == FIRST and MARKS[SECOND] in out):
        return [f"reads what is not theirs: {told}"]
    if may:
        fine = code == 0 or (name in ANSWERED_OTHERWISE and "AccessDenied" not in {row[0] for row in rows})
    elif elsewhere:
        fine = {row[0] for row in rows} <= {"AccessDenied"} and (code != 0 or name in LISTS)
    else:
        fine = code == 1 and rows == [("AccessDenied", name, needed(TABLE, name) or "engine", person.user_id)]
    return [] if fine else [told]


async def _awaited(rest: Any) -> str:
    return await rest if inspect.isawaitable(rest) else rest
