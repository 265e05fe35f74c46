"""Commands of run templates: what a template needs of its company and its application."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from commands.assignments import hidden_values
from commands.facts import Row, present
from commands.preparing import Desk, Prepared, filled, fresh_id, guard
from domain import definition
from domain.aggregates import APPLICATION, COMPANY
from domain.business_numbers import Warning  # noqa: A004 (a field's own word)
from domain.company import AssignApplication
from domain.credential_environment import Conflict
from domain.environment import environment_in
from domain.event import Unset
from domain.job import CancelJob
from domain.requirements import required
from domain.run_template import (
    ActivateRunTemplate,
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
    warnings = await _check_environment(desk, command.application_id, None, command.environment)
    known = await desk.facts.row("company_app", command.company_id, command.application_id)
    assign = AssignApplication(company_id=command.company_id, application_id=command.application_id)
    return Prepared(
        command=msgspec.structs.replace(
            filled(command, run_template_id=await fresh_id(desk, command), uuid=desk.new_uuid()),
            now=desk.now,
            zone=company["time_zone"],
            dormant=not (company["enabled"] and application["enabled"]),
        ),
        fresh=True,
        consequences=() if known is not None else (assign,),
        warnings=warnings,
        guards=(
            guard(COMPANY, company, company_id=command.company_id),
            guard(APPLICATION, application, company_id=None),
        ),
    )


async def prepare_change(desk: Desk, command: RunTemplateCommand) -> Prepared:
    """Give a change of a template the moment and the time zone of its company, which must not change meanwhile."""
    row = await desk.facts.row("run_template", command.run_template_id)
    if row is None:
        return Prepared(command=msgspec.structs.replace(command, now=desk.now, zone="UTC"))
    company_id: int = row["company_id"]
    held = [Append(stream=COMPANY.stream(company_id), company_id=company_id, expected=row["company_version"])]
    if row["application_stream_version"] is not None and _may_become_due(command):
        stream = APPLICATION.stream(row["application_id"])
        held.append(Append(stream=stream, expected=row["application_stream_version"]))
    warnings: tuple[Conflict, ...] = ()
    if isinstance(command, ChangeRunTemplate) and (given := _values_given(command)):
        await _check_environment(desk, row["application_id"], command.run_template_id, given)
        warnings = tuple(await hidden_values(desk, command.run_template_id, "template", given))
    return Prepared(command=timed(command, row, now=desk.now), guards=tuple(held), warnings=warnings)


def timed(command: RunTemplateCommand, row: Row, *, now: datetime) -> RunTemplateCommand:
    """Return a command with the moment and what its template's company and application, found in a row, let it do."""
    zone, enabled, application_enabled = row["time_zone"], row["company_enabled"], row["application_enabled"]
    if isinstance(command, RescheduleRunTemplate):
        if command.zone:
            zone, enabled = command.zone, not command.dormant  # what its company is just being given
        if command.application_enabled is not None:
            application_enabled = command.application_enabled
    return msgspec.structs.replace(command, now=now, zone=zone, dormant=not (enabled and application_enabled))


def _may_become_due(command: RunTemplateCommand) -> bool:
    """Return whether a template may come to be due by this: then its application may not be disabled meanwhile."""
    if isinstance(command, ChangeRunTemplate):
        return command.active is True or not isinstance(command.interval, Unset)
    return isinstance(command, ActivateRunTemplate)


def _values_given(command: ChangeRunTemplate) -> dict[str, str]:
    whole = {} if isinstance(command.environment, Unset) else command.environment
    return {name: value for name, value in {**whole, **command.set_environment}.items() if value is not None}


async def _check_environment(
    desk: Desk, application_id: int, run_template_id: int | None, given: Mapping[str, str]
) -> tuple[Warning, ...]:
    """Refuse values that do not fit the definition, but for those that a template has already.

    A new template is warned of what is required and has no value.

    Raises
    ------
    FieldsError
        It says of each variable what is wrong.
    """
    row = await desk.facts.row("settings_of_application", application_id, run_template_id)
    document: dict[str, Any] = msgspec.json.decode(row["definition"]) if row else {}
    sealed = msgspec.json.decode(row["environment"] or "null") if row else None
    place = f"run_template-{run_template_id}|environment"
    stored = environment_in((await desk.keyring.reveal([(sealed, place)]))[0]) if sealed else {}
    definition.check_values(document, given, [name for name in given if given[name] != stored.get(name)])
    # Credentials may give what the template does not; what an application requires of them is told with them.
    if run_template_id is not None or required(document):
        return ()
    return tuple(
        Warning("environment", "required_missing", f"{name} is required and has no value: give it one.")
        for name in definition.missing(document, given)
    )


async def prepare_remove(desk: Desk, command: RemoveRunTemplate) -> Prepared:
    """Cancel the jobs of a template that wait when it is removed."""
    jobs = await desk.facts.ids("queued_jobs", command.run_template_id)
    cancelled = tuple(CancelJob(job_id=one, reason="Its run template was removed.", if_waiting=True) for one in jobs)
    return Prepared(command=msgspec.structs.replace(command, now=desk.now), consequences=cancelled)
