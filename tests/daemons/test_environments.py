"""The variables that companies, run templates and jobs give processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.company_events import CompanyChanged
from domain.task_events import TaskOpened
from eventstore.log import Append
from tests.testbed.engine import COMPANY, Lab, engine
from tests.testbed.postgres import Database

MOVE = """
    UPDATE run_template t SET document = t.document || jsonb_build_object('environment', o.document->'environment')
      FROM run_template o WHERE t.id = $1 AND o.id = $2
"""


async def give(lab: Lab, environment: str | None) -> None:
    """Give the company these variables, as JSON."""
    changed = CompanyChanged(company_id=COMPANY, environment=environment)
    await lab.store.append(Append(stream=f"company-{COMPANY}", company_id=COMPANY, events=[changed]))


async def open_task(lab: Lab, template: int) -> int:
    """Open a task that a job of a template may fulfil in two attempts."""
    task = await lab.next_id("task_id")
    now = datetime.now(UTC)
    opened = TaskOpened(
        task_id=task, company_id=COMPANY, run_template_id=template, window_start=now,
        window_end=now + timedelta(hours=1), deadline=now + timedelta(hours=1), max_attempts=2, opened_at=now,
    )  # fmt: skip
    await lab.store.append(Append(stream=f"task-{task}", company_id=COMPANY, events=[opened]))
    return task


async def variables(lab: Lab, template: int, **fields: Any) -> dict[str, str]:
    """Run a job that tells its environment, and return that."""
    job = await lab.run(template, **fields)
    return dict(line.split("=", 1) for line in (await lab.output(job["id"])).decode().splitlines())


async def test_they_stand_over_the_system_file_and_under_template_and_job(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    system = tmp_path / "multiflexi.env"
    system.write_text("A=system\nB=system\nC=system\nD=system\n")
    monkeypatch.setenv("MULTIFLEXI_ENV_FILE", str(system))
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/usr/bin/env", values={"C": "template", "D": "template"})
        await give(lab, '{"B":"company","C":"company","D":"company","SHOP":"https://{A}.example"}')
        found = await variables(lab, template, environment={"D": "job"})
        assert [found[name] for name in "ABCD"] == ["system", "company", "template", "job"]
        assert found["SHOP"] == "https://system.example"
        await give(lab, None)
        assert (await variables(lab, template))["B"] == "system"


async def test_those_that_sound_secret_are_masked_in_output_and_none_stands_in_the_log(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/bin/sh", ["-c", "echo $BANK_TOKEN $CITY"])
        await give(lab, '{"BANK_TOKEN":"hunter2","CITY":"Ostrava"}')
        job = await lab.run(template)
        assert await lab.output(job["id"]) == b"****** Ostrava\n"
        stored = await lab.store.pool.fetchval("SELECT string_agg(e.data::text, ' ') FROM events e")
        assert '"environment": {"enc"' in stored
        assert "hunter2" not in stored and "Ostrava" not in stored


async def test_jobs_run_without_them_once_their_key_is_destroyed(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/usr/bin/env")
        await give(lab, '{"CITY":"Ostrava"}')
        await lab.store.keyring.destroy(f"environment:{COMPANY}")
        assert "CITY" not in await variables(lab, template)


async def test_values_of_templates_and_jobs_stand_encrypted_wherever_they_are_kept(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template(
            "/bin/sh", ["-c", "echo $BANK_TOKEN $CITY $PIN_TOKEN; exit 1"],
            values={"BANK_TOKEN": "hunter2-template", "CITY": "Ostrava"}, max_attempts=1,
        )  # fmt: skip
        job = await lab.run(template, environment={"PIN_TOKEN": "hunter2-job"})
        assert await lab.output(job["id"]) == b"****** Ostrava ******\n"
        for table in ("events", "run_template", "job", "job_queue", "audit_trail", "task"):
            rows = await lab.store.pool.fetchval(f"SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} t")
            assert "hunter2" not in rows and "Ostrava" not in rows, table
        assert '"enc"' in job["env"]


async def test_another_attempt_gets_the_values_of_the_first(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        template = await lab.template("/bin/sh", ["-c", "echo $WORD; exit 2"], max_attempts=2)
        task = await open_task(lab, template)
        first = await lab.schedule(template, environment={"WORD": "again"}, task_id=task)
        await lab.ended(first)
        second = await lab.ended(first + 1)
        assert await lab.output(second["id"]) == b"again\n"


async def test_a_value_that_was_moved_to_another_template_does_not_open_there(database: Database) -> None:
    async with engine(database, "executor", "projector") as lab:
        one = await lab.template("/usr/bin/env", values={"CITY": "Ostrava"})
        other = await lab.template("/usr/bin/env", values={"CITY": "Brno"})
        await lab.store.pool.execute(MOVE, other, one)
        job = await lab.run(other)
        assert (job["outcome"], job["exitcode"]) == ("failure", 255)
        assert "cannot be opened" in job["reason"]
