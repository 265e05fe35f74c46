"""Commands of run templates: what a template needs of its company and its application."""

from __future__ import annotations

import msgspec

from commands.assignments import hidden_values
from commands.facts import present
from commands.preparing import Desk, Prepared, filled, fresh_id, guard
from domain.aggregates import APPLICATION, COMPANY
from domain.credential_environment import Conflict
from domain.event import Unset
from domain.job import CancelJob
from domain.run_template import (
    ChangeRunTemplate,
    CreateRunTemplate,
    RemoveRunTemplate,
    RescheduleRunTemplate,
    RunTemplateCommand,
)
from eventstore.log import Append


async def prepare_create(desk: Desk, command: CreateRunTemplate) -> Prepared:
    """See that company and application are there, and give the template id, UUID, moment and time zone."""
    company = await present(desk.facts, "company", command.company_id, "company")
    application = await present(desk.facts, "application", command.application_id, "application")
    return Prepared(
        command=msgspec.structs.replace(
            filled(command, run_template_id=await fresh_id(desk, command), uuid=desk.new_uuid()),
            now=desk.now,
            zone=company["time_zone"],
        ),
        fresh=True,
        guards=(
            guard(COMPANY, company, company_id=command.company_id),
            guard(APPLICATION, application, company_id=None),
        ),
    )


async def prepare_change(desk: Desk, command: RunTemplateCommand) -> Prepared:
    """Give a change of a template the moment and the time zone of its company, which must not change meanwhile."""
    row = await desk.facts.row("run_template", command.run_template_id)
    zone = "UTC" if row is None else row["time_zone"]
    if isinstance(command, RescheduleRunTemplate) and command.zone:
        zone = command.zone  # the one that its company is just being given
    guards: tuple[Append, ...] = ()
    if row is not None:
        company_id: int = row["company_id"]
        guards = (Append(stream=COMPANY.stream(company_id), company_id=company_id, expected=row["company_version"]),)
    hidden: list[Conflict] = []
    if isinstance(command, ChangeRunTemplate) and (names := _values_given(command)):
        hidden = await hidden_values(desk, command.run_template_id, "template", names)
    return Prepared(
        command=msgspec.structs.replace(command, now=desk.now, zone=zone), guards=guards, warnings=tuple(hidden)
    )


def _values_given(command: ChangeRunTemplate) -> list[str]:
    whole = {} if isinstance(command.environment, Unset) else command.environment
    return [name for name, value in {**whole, **command.set_environment}.items() if value is not None]


async def prepare_remove(desk: Desk, command: RemoveRunTemplate) -> Prepared:
    """Cancel the jobs of a template that wait when it is removed."""
    jobs = await desk.facts.ids("queued_jobs", command.run_template_id)
    cancelled = tuple(CancelJob(job_id=one, reason="Its run template was removed.", if_waiting=True) for one in jobs)
    return Prepared(command=msgspec.structs.replace(command, now=desk.now), consequences=cancelled)
