"""What a new installation shows at once: a company, the probe that checks this host, and a first job of it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from commands.actor import SYSTEM
from commands.applications import import_file
from commands.jobs import schedule
from commands.preparing import Executes
from domain.company import CreateCompany
from domain.errors import StateError, TakenError
from domain.run_template import CreateRunTemplate

PROBE = Path(__file__).resolve().parent.parent / "integrations" / "probe" / "multiflexi-probe.multiflexi.app.json"
COMPANY_UUID = "b0f5f3a4-7d0c-4c1b-9c3e-3b1f0a6d2e10"
RUN_TEMPLATE_UUID = "b0f5f3a4-7d0c-4c1b-9c3e-3b1f0a6d2e11"
COMPANY = CreateCompany(name="Example Accounting", code="example", uuid=COMPANY_UUID)
SOURCE = "setup"


class Demo(msgspec.Struct, frozen=True):
    """The ids of what the demo consists of; ``job_id`` is None if no job was started now."""

    company_id: int
    application_id: int
    run_template_id: int
    job_id: int | None


async def ensure_demo(shell: Executes, *, start_job: bool = False) -> Demo | None:
    """Make the demo where it is not there yet. What a user changed or removed of it stays so.

    Parameters
    ----------
    shell : Shell
        Executes commands for the whole installation.
    start_job : bool
        Whether a job is started also if the demo was there before.

    Returns
    -------
    Demo or None
        None if a user removed the company or the run template.
    """
    company = await shell.facts.row("company_of_uuid", COMPANY_UUID)
    template = await shell.facts.row("run_template_of_uuid", RUN_TEMPLATE_UUID)
    if (company is not None and company["removed"]) or (template is not None and template["removed"]):
        return None
    company_id: int = await _create_company(shell) if company is None else company["id"]
    application_id = (await import_file(shell, PROBE, SYSTEM, source_name=SOURCE)).id
    if template is not None:
        job_id = await _start_job(shell, template["id"], key=None) if start_job else None
        return Demo(company_id, template["application_id"], template["id"], job_id)
    wish = CreateRunTemplate(
        company_id=company_id,
        application_id=application_id,
        name="Hourly host check",
        interval="h",
        uuid=RUN_TEMPLATE_UUID,
    )
    run_template_id = (await shell.execute(wish, SYSTEM, key="demo run template", source=SOURCE)).id
    job_id = await _start_job(shell, run_template_id, key="demo first job")
    return Demo(company_id, application_id, run_template_id, job_id)


async def _create_company(shell: Executes) -> int:
    try:
        outcome = await shell.execute(COMPANY, SYSTEM, key="demo company", source=SOURCE)
    except TakenError:
        # A company of the users has this code already.
        renamed = msgspec.structs.replace(COMPANY, code="example-accounting")
        outcome = await shell.execute(renamed, SYSTEM, source=SOURCE)
    return outcome.id


async def _start_job(shell: Executes, run_template_id: int, *, key: str | None) -> int | None:
    try:
        return (await schedule(shell, run_template_id, SYSTEM, key=key, source=SOURCE)).id
    except StateError:
        # Somebody switched the company or the probe off: then nothing is to run.
        return None
