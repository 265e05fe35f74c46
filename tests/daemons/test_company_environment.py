"""The variables that a company gives all of its jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.company_events import CompanyChanged
from eventstore.log import Append
from tests.testbed.engine import COMPANY, Lab, engine
from tests.testbed.postgres import Database


async def give(lab: Lab, environment: str | None) -> None:
    """Give the company these variables, as JSON."""
    changed = CompanyChanged(company_id=COMPANY, environment=environment)
    await lab.store.append(Append(stream=f"company-{COMPANY}", company_id=COMPANY, events=[changed]))


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
