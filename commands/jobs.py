"""Commands of jobs: putting one into the queue by hand, and taking one out of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from commands.actor import Actor
from commands.assignments import hidden_values
from commands.facts import Row, present
from commands.preparing import Desk, Executes, Outcome, Prepared, filled, guard
from domain.aggregates import RUN_TEMPLATE
from domain.credential_environment import Conflict
from domain.errors import StateError
from domain.event import UNSET
from domain.job import CancelJob, JobCommand, RequestCancel, ScheduleJob

AD_HOC_SOURCES = ("cli", "web", "api")


async def prepare_schedule(desk: Desk, command: ScheduleJob) -> Prepared:
    """Give a job what its template, company and application say; the template must not change meanwhile."""
    query = "run_template" if command.job_id else "run_template_to_run"
    template = await present(desk.facts, query, command.run_template_id, "run_template")
    _check_enabled(template)
    company_id: int = template["company_id"]
    wish = filled(
        command,
        job_id=command.job_id or template["job_id"],
        uuid=desk.new_uuid(),
        executor=template["executor"],
        schedule_type=_schedule_type(desk, command),
    )
    return Prepared(
        command=msgspec.structs.replace(
            wish,
            now=desk.now,
            company_id=company_id,
            priority=(template.get("priority") or 0) if command.priority is UNSET else command.priority,
            labels=_labels(template) if command.labels is UNSET else command.labels,
            application_id=template["application_id"],
            application_version=template["application_version"] or "",
            launched_by=str(desk.actor),
        ),
        fresh=True,
        guards=(guard(RUN_TEMPLATE, template, company_id=company_id),),
        warnings=tuple(await _hidden(desk, command)),
    )


async def _hidden(desk: Desk, command: ScheduleJob) -> list[Conflict]:
    """Return which one-off values have no effect, because a credential gives them."""
    return await hidden_values(desk, command.run_template_id, "job", command.environment) if command.environment else []


async def prepare_now(desk: Desk, command: JobCommand) -> Prepared:
    """Give a command of a job its moment."""
    return Prepared(command=msgspec.structs.replace(command, now=desk.now))


async def prepare_request(desk: Desk, command: RequestCancel) -> Prepared:
    """Say who wants a running job to end."""
    return Prepared(command=msgspec.structs.replace(command, now=desk.now, requested_by=str(desk.actor)))


async def schedule(
    shell: Executes,
    run_template_id: int,
    actor: Actor,
    *,
    at: datetime | None = None,
    environment: Mapping[str, str] | None = None,
    key: str | None = None,
    source: str = "cli",
) -> Outcome:
    """Run a template once, at once or at a moment, with one-off values of its environment. ``Outcome.id``: the job."""
    command = ScheduleJob(run_template_id=run_template_id, not_before=at, environment=dict(environment or {}))
    return await shell.execute(command, actor, key=key, source=source)


async def cancel(
    shell: Executes, job_id: int, actor: Actor, *, reason: str | None = None, source: str = "cli"
) -> Outcome:
    """Take a job out of the queue before it starts."""
    return await shell.execute(CancelJob(job_id=job_id, reason=reason), actor, source=source)


def _check_enabled(template: Row) -> None:
    if not template["company_enabled"]:
        raise StateError(
            f"Company {template['company_id']} is switched off: none of its jobs start. Switch it on first.",
            field="company_id",
            code="company_disabled",
        )
    if not template["application_enabled"]:
        raise StateError(
            f"Application {template['application_id']} ({template['application_name']}) is switched off or was "
            "removed: no job of it starts. Switch it on first.",
            field="application_id",
            code="application_disabled",
        )


def _labels(template: Row) -> list[str]:
    text = template.get("labels")
    return msgspec.json.decode(text, type=list[str]) if text else []


def _schedule_type(desk: Desk, command: ScheduleJob) -> str:
    # The words that the job list has always shown: CommandLine is a moment given by hand.
    if command.not_before is not None and command.not_before > desk.now and desk.source in ("cli", "api"):
        return "CommandLine"
    return f"adhoc-{desk.source}" if desk.source in AD_HOC_SOURCES else "adhoc"
