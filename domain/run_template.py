"""A run template: an application configured for a company, and when it is due.

Examples
--------
>>> from datetime import UTC, datetime
>>> now = datetime(2026, 1, 5, 10, 20, tzinfo=UTC)
>>> wish = CreateRunTemplate(company_id=7, application_id=3, name="Hourly check", interval="hourly")
>>> [created] = decide(None, msgspec.structs.replace(
...     wish, run_template_id=42, uuid="775ed801-2489-4981-bc14-d8a01cba1938", now=now, zone="Europe/Prague"))
>>> created.interval, created.next_due.isoformat()
('h', '2026-01-05T11:00:00+00:00')
>>> template = evolve(None, created)
>>> [changed] = decide(template, DeactivateRunTemplate(run_template_id=42, now=now, zone="Europe/Prague"))
>>> changed.active, changed.next_due
(False, None)
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec

from domain import checks, schedule
from domain.command import Command, changes, given, moment, set_fields, where_set
from domain.environment import changed_environment, environment_in, stored_environment
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import UNSET, Personal, Unset
from domain.run_template_events import (
    CredentialAssigned,
    CredentialUnassigned,
    RunTemplateChanged,
    RunTemplateCreated,
    RunTemplateEvent,
    RunTemplateRemoved,
)
from domain.run_template_fields import CHECKS

_SCHEDULE = ("interval", "cron", "time_zone", "active", "start_at", "end_at")
_OTHERS = ("environment", "allow_late", "inactive_reason")
_FIELDS = (*_SCHEDULE, *(name for name in CHECKS if name not in _SCHEDULE), *_OTHERS)


class RunTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A run template as its events left it. When it is due next is in the due index: jobs move it on."""

    run_template_id: int
    company_id: int
    application_id: int
    uuid: str
    name: str
    interval: str
    cron: str | None
    time_zone: str | None
    delay: int
    active: bool
    inactive_reason: str | None
    executor: str
    environment: dict[str, str]
    deadline_offset: str | None
    max_attempts: int
    retry_backoff: str
    retry_min_gap: int
    allow_late: bool
    start_at: datetime | None
    end_at: datetime | None
    jitter: int
    missed_policy: str
    missed_limit: int
    overlap_policy: str
    when_lost: str
    priority: int
    max_parallel: int | None
    labels: list[str]
    limits: dict[str, int]
    run_as: str | None
    note: Personal | None
    credentials: tuple[int, ...] = ()
    removed: bool = False


class RunTemplateCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a run template.

    The executor gives ``now``, ``zone``, the company's time zone, and whether the template is ``dormant`` because its
    company or its application is disabled: then it is not due.
    """

    category: ClassVar[str] = "run_template"

    run_template_id: int
    now: datetime | None = None
    zone: str = ""
    dormant: bool = False


class CreateRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Configure an application for a company.

    ``delay``, ``jitter`` and ``retry_min_gap`` are in seconds; ``time_zone`` is that of the company unless given;
    ``interval`` is a code or a word (``h``, ``hourly``); ``deadline_offset`` a span (``+3h``) or a time of day
    (``08:00``); ``start_at`` and ``end_at`` bound when it is due; :mod:`domain.run_template_fields` has the words of
    the policies and of ``limits``.
    """

    creates: ClassVar[bool] = True
    secret: ClassVar[tuple[str, ...]] = ("environment",)

    company_id: int
    application_id: int
    name: str
    interval: str = "n"
    cron: str | None = None
    time_zone: str | None = None
    delay: int = 0
    active: bool = True
    executor: str = "Native"
    environment: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    deadline_offset: str | None = None
    max_attempts: int = 1
    retry_backoff: str = "none"
    retry_min_gap: int = 0
    allow_late: bool = False
    start_at: datetime | None = None
    end_at: datetime | None = None
    jitter: int = 0
    missed_policy: str = "once"
    missed_limit: int = 10
    overlap_policy: str = "queue"
    when_lost: str = "fail"
    priority: int = 0
    max_parallel: int | None = None
    labels: list[str] = msgspec.field(default_factory=list[str])
    limits: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    run_as: str | None = None
    note: str | None = None
    run_template_id: int = 0
    uuid: str = ""


class ChangeRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Change some fields of a run template; None empties one, unset leaves it as it is.

    ``environment`` takes the place of the whole environment; ``set_environment`` changes single variables, None takes
    one away.
    """

    secret: ClassVar[tuple[str, ...]] = ("environment", "set_environment")

    name: str | Unset = UNSET
    interval: str | Unset = UNSET
    cron: str | Unset | None = UNSET
    time_zone: str | Unset | None = UNSET
    delay: int | Unset = UNSET
    active: bool | Unset = UNSET
    executor: str | Unset = UNSET
    environment: dict[str, str] | Unset = UNSET
    set_environment: dict[str, str | None] = msgspec.field(default_factory=dict[str, str | None])
    deadline_offset: str | Unset | None = UNSET
    max_attempts: int | Unset = UNSET
    retry_backoff: str | Unset = UNSET
    retry_min_gap: int | Unset = UNSET
    allow_late: bool | Unset = UNSET
    start_at: datetime | Unset | None = UNSET
    end_at: datetime | Unset | None = UNSET
    jitter: int | Unset = UNSET
    missed_policy: str | Unset = UNSET
    missed_limit: int | Unset = UNSET
    overlap_policy: str | Unset = UNSET
    when_lost: str | Unset = UNSET
    priority: int | Unset = UNSET
    max_parallel: int | Unset | None = UNSET
    labels: list[str] | Unset = UNSET
    limits: dict[str, int] | Unset = UNSET
    run_as: str | Unset | None = UNSET
    note: str | Unset | None = UNSET


class ActivateRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Let a template be due again, from now on."""


class DeactivateRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Keep a template from being due; it can still be run by hand. The ``reason`` is forgotten when it is activated."""

    reason: str | None = None


class RescheduleRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Work out anew when a template is due, because the time zone of its company changed.

    ``all`` concerns also those with a time zone of their own: the company, or the application, was disabled or came
    back. ``application_enabled`` is whether the application is, when that is what is being changed.
    """

    all: bool = False
    application_enabled: bool | None = None


class RemoveRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Take a template away. Its jobs that wait are cancelled, those that ran stay in the history."""


class AssignCredential(RunTemplateCommand, frozen=True, kw_only=True):
    """Let jobs of a template get the values of a credential.

    The executor gives ``provided``, the names of the values that the credential has: those of the template under the
    same names are taken away.
    """

    credential_id: int
    provided: list[str] = msgspec.field(default_factory=list[str])


class UnassignCredential(RunTemplateCommand, frozen=True, kw_only=True):
    """Let jobs of a template no longer get the values of a credential."""

    credential_id: int


def decide(state: RunTemplate | None, command: RunTemplateCommand) -> list[RunTemplateEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    if isinstance(command, CreateRunTemplate):
        return _create(state, command)
    present = _present(state, command.run_template_id)
    match command:
        case ChangeRunTemplate():
            return _change(present, command, _checked(present, command))
        case ActivateRunTemplate() | DeactivateRunTemplate():
            return _change(present, command, _activity(command))
        case RescheduleRunTemplate():
            return _reschedule(present, command)
        case AssignCredential() | UnassignCredential():
            return _assignment(present, command)
        case RemoveRunTemplate():
            return [RunTemplateRemoved(run_template_id=present.run_template_id, company_id=present.company_id)]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a run template.")


def evolve(state: RunTemplate | None, event: RunTemplateEvent) -> RunTemplate:
    """Return the run template as an event leaves it."""
    match event:
        case RunTemplateCreated():
            return RunTemplate(
                run_template_id=event.run_template_id,
                company_id=event.company_id,
                application_id=event.application_id,
                uuid=event.uuid,
                **_fields(event),
            )
        case RunTemplateChanged() if state is not None:
            return msgspec.structs.replace(state, **_fields(event))
        case CredentialAssigned() if state is not None:
            others = (one for one in state.credentials if one != event.credential_id)
            return msgspec.structs.replace(state, credentials=(*others, event.credential_id))
        case CredentialUnassigned() if state is not None:
            others = (one for one in state.credentials if one != event.credential_id)
            return msgspec.structs.replace(state, credentials=tuple(others))
        case RunTemplateRemoved() if state is not None:
            return msgspec.structs.replace(state, removed=True)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _fields(event: RunTemplateCreated | RunTemplateChanged) -> dict[str, Any]:
    fields = set_fields(event, _FIELDS)
    if not isinstance(event.environment, Unset):
        fields["environment"] = environment_in(event.environment)
    return fields


def _present(state: RunTemplate | None, run_template_id: int) -> RunTemplate:
    if state is None or state.removed:
        raise NotFoundError(
            f"There is no run template {run_template_id}. `run-template:list` shows those there are.",
            field="run_template_id",
            code="run_template_not_found",
        )
    return state


def _create(state: RunTemplate | None, command: CreateRunTemplate) -> list[RunTemplateEvent]:
    run_template_id = given(command.run_template_id, "run_template_id")
    if state is not None:
        raise StateError(f"Run template {run_template_id} exists already.", code="run_template_exists")
    checked = {name: check(getattr(command, name)) for name, check in CHECKS.items()}
    created = RunTemplateCreated(
        run_template_id=run_template_id,
        company_id=given(command.company_id, "company_id"),
        uuid=checks.uuid_text(given(command.uuid, "uuid")),
        application_id=given(command.application_id, "application_id"),
        active=command.active,
        environment=stored_environment(checks.environment(command.environment)),
        allow_late=command.allow_late,
        **checked,
    )
    return [msgspec.structs.replace(created, next_due=_next_due(created, command))]


def _checked(state: RunTemplate, command: ChangeRunTemplate) -> dict[str, Any]:
    checked = {name: where_set(getattr(command, name), check) for name, check in CHECKS.items()}
    # Whoever switches it on has nothing to explain any more.
    reason = None if command.active is True else UNSET
    return {
        **checked,
        "active": command.active,
        "inactive_reason": reason,
        "environment": changed_environment(state.environment, command.environment, command.set_environment),
        "allow_late": command.allow_late,
    }


def _change(state: RunTemplate, command: RunTemplateCommand, wanted: dict[str, Any]) -> list[RunTemplateEvent]:
    changed = changes(state, wanted)
    if not changed:
        return []
    if not changed.keys().isdisjoint(_SCHEDULE):
        changed["next_due"] = _next_due(msgspec.structs.replace(state, **changed), command)
    if "environment" in changed:
        changed["environment"] = stored_environment(changed["environment"])
    return [RunTemplateChanged(run_template_id=state.run_template_id, company_id=state.company_id, **changed)]


def _activity(command: ActivateRunTemplate | DeactivateRunTemplate) -> dict[str, Any]:
    if isinstance(command, ActivateRunTemplate):
        return {"active": True, "inactive_reason": None}
    return {"active": False, "inactive_reason": checks.reason_of(True, command.reason or UNSET, "reason")}


def _assignment(state: RunTemplate, command: AssignCredential | UnassignCredential) -> list[RunTemplateEvent]:
    template_id, company_id, credential_id = state.run_template_id, state.company_id, command.credential_id
    if isinstance(command, UnassignCredential):
        if credential_id not in state.credentials:
            return []
        return [CredentialUnassigned(run_template_id=template_id, company_id=company_id, credential_id=credential_id)]
    if credential_id in state.credentials:
        return []
    removed = sorted(state.environment.keys() & command.provided)
    kept = {name: value for name, value in state.environment.items() if name not in removed}
    events: list[RunTemplateEvent] = [
        CredentialAssigned(
            run_template_id=template_id, company_id=company_id, credential_id=credential_id, removed=removed
        )
    ]
    if removed:
        environment = stored_environment(kept)
        events.append(RunTemplateChanged(run_template_id=template_id, company_id=company_id, environment=environment))
    return events


def _reschedule(state: RunTemplate, command: RescheduleRunTemplate) -> list[RunTemplateEvent]:
    if not state.active or state.interval == "n" or (state.time_zone is not None and not command.all):
        return []
    next_due = _next_due(state, command)
    return [RunTemplateChanged(run_template_id=state.run_template_id, company_id=state.company_id, next_due=next_due)]


def _next_due(template: RunTemplate | RunTemplateCreated, command: RunTemplateCommand) -> datetime | None:
    start_at, end_at = template.start_at, template.end_at
    if start_at is not None and end_at is not None and start_at > end_at:
        raise ValidationError(
            f"The template ends at {end_at.isoformat()}, before it begins at {start_at.isoformat()}.",
            field="end_at",
            code="end_before_start",
        )
    after = moment(command.now)
    if start_at is not None:
        after = max(after, start_at - timedelta(microseconds=1))
    zone = template.time_zone or checks.time_zone(given(command.zone, "zone"), "zone")
    # An inactive template has to be due one day, too: what is wrong with its schedule is told now.
    due = schedule.next_due(template.interval, template.cron, zone, after)
    too_late = due is not None and end_at is not None and due > end_at
    return due if template.active and not too_late and not command.dormant else None
