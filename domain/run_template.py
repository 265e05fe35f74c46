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

from datetime import datetime
from typing import Any, ClassVar

import msgspec

from domain import checks, cron, schedule
from domain.command import Command, changes, given, moment, set_fields, where_set
from domain.deadline import checked_offset
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import UNSET, Personal, Unset
from domain.run_template_events import RunTemplateChanged, RunTemplateCreated, RunTemplateEvent, RunTemplateRemoved

EXECUTORS = ("Native", "Docker", "Podman", "Kubernetes", "Azure")
BACKOFFS = ("none", "fixed", "linear", "exponential")
LONGEST_DELAY = 31 * 86_400
LONGEST_GAP = 7 * 86_400
MOST_ATTEMPTS = 100

_SCHEDULE = ("interval", "cron", "time_zone", "active")
_FIELDS = (
    *_SCHEDULE,
    "name",
    "delay",
    "executor",
    "environment",
    "deadline_offset",
    "max_attempts",
    "retry_backoff",
    "retry_min_gap",
    "allow_late",
    "note",
)


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
    executor: str
    environment: dict[str, str]
    deadline_offset: str | None
    max_attempts: int
    retry_backoff: str
    retry_min_gap: int
    allow_late: bool
    note: Personal | None
    removed: bool = False


class RunTemplateCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a run template. The executor gives ``now`` and ``zone``, the company's time zone."""

    category: ClassVar[str] = "run_template"

    run_template_id: int
    now: datetime | None = None
    zone: str = ""


class CreateRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Configure an application for a company.

    ``delay`` and ``retry_min_gap`` are in seconds; ``time_zone`` is that of the company unless given; ``interval`` is a
    code or a word (``h``, ``hourly``); ``deadline_offset`` a span (``+3h``) or a time of day (``08:00``).
    """

    creates: ClassVar[bool] = True

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
    note: str | None = None
    run_template_id: int = 0
    uuid: str = ""


class ChangeRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Change some fields of a run template; None empties one, unset leaves it as it is.

    ``environment`` takes the place of the whole environment; ``set_environment`` changes single variables, None takes
    one away.
    """

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
    note: str | Unset | None = UNSET


class ActivateRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Let a template be due again, from now on."""


class DeactivateRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Keep a template from being due; it can still be run by hand."""


class RescheduleRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Work out anew when a template is due, because the time zone of its company changed."""


class RemoveRunTemplate(RunTemplateCommand, frozen=True, kw_only=True):
    """Take a template away. Its jobs that wait are cancelled, those that ran stay in the history."""


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
        case ActivateRunTemplate():
            return _change(present, command, {"active": True})
        case DeactivateRunTemplate():
            return _change(present, command, {"active": False})
        case RescheduleRunTemplate():
            return _reschedule(present, command)
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
                **set_fields(event, _FIELDS),
            )
        case RunTemplateChanged() if state is not None:
            return msgspec.structs.replace(state, **set_fields(event, _FIELDS))
        case RunTemplateRemoved() if state is not None:
            return msgspec.structs.replace(state, removed=True)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


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
    created = RunTemplateCreated(
        run_template_id=run_template_id,
        company_id=given(command.company_id, "company_id"),
        uuid=checks.uuid_text(given(command.uuid, "uuid")),
        application_id=given(command.application_id, "application_id"),
        name=_name(command.name),
        interval=schedule.interval_code(command.interval),
        cron=_cron(command.cron),
        time_zone=_time_zone(command.time_zone),
        delay=_delay(command.delay),
        active=command.active,
        executor=_executor(command.executor),
        environment=checks.environment(command.environment),
        deadline_offset=_deadline(command.deadline_offset),
        max_attempts=_attempts(command.max_attempts),
        retry_backoff=_backoff(command.retry_backoff),
        retry_min_gap=_gap(command.retry_min_gap),
        allow_late=command.allow_late,
        note=_note(command.note),
    )
    return [msgspec.structs.replace(created, next_due=_next_due(created, command))]


def _checked(state: RunTemplate, command: ChangeRunTemplate) -> dict[str, Any]:
    return {
        "name": where_set(command.name, _name),
        "interval": where_set(command.interval, schedule.interval_code),
        "cron": where_set(command.cron, _cron),
        "time_zone": where_set(command.time_zone, _time_zone),
        "delay": where_set(command.delay, _delay),
        "active": command.active,
        "executor": where_set(command.executor, _executor),
        "environment": _environment(state, command),
        "deadline_offset": where_set(command.deadline_offset, _deadline),
        "max_attempts": where_set(command.max_attempts, _attempts),
        "retry_backoff": where_set(command.retry_backoff, _backoff),
        "retry_min_gap": where_set(command.retry_min_gap, _gap),
        "allow_late": command.allow_late,
        "note": where_set(command.note, _note),
    }


def _change(state: RunTemplate, command: RunTemplateCommand, wanted: dict[str, Any]) -> list[RunTemplateEvent]:
    changed = changes(state, wanted)
    if not changed:
        return []
    if not changed.keys().isdisjoint(_SCHEDULE):
        changed["next_due"] = _next_due(msgspec.structs.replace(state, **changed), command)
    return [RunTemplateChanged(run_template_id=state.run_template_id, company_id=state.company_id, **changed)]


def _reschedule(state: RunTemplate, command: RunTemplateCommand) -> list[RunTemplateEvent]:
    if state.time_zone is not None or not state.active or state.interval == "n":
        return []
    next_due = _next_due(state, command)
    return [RunTemplateChanged(run_template_id=state.run_template_id, company_id=state.company_id, next_due=next_due)]


def _next_due(template: RunTemplate | RunTemplateCreated, command: RunTemplateCommand) -> datetime | None:
    zone = template.time_zone or checks.time_zone(given(command.zone, "zone"), "zone")
    # An inactive template has to be due one day, too: what is wrong with its schedule is told now.
    due = schedule.next_due(template.interval, template.cron, zone, moment(command.now))
    return due if template.active else None


def _name(name: str) -> str:
    return checks.line(name, "name")


def _cron(expression: str | None) -> str | None:
    cleaned = expression.strip() if expression else ""
    if not cleaned:
        return None
    cron.parse(cleaned)
    return cleaned


def _time_zone(name: str | None) -> str | None:
    return checks.time_zone(name) if name and name.strip() else None


def _delay(seconds: int) -> int:
    return checks.whole(seconds, "delay", lowest=0, highest=LONGEST_DELAY)


def _executor(name: str) -> str:
    return checks.one_of(name, "executor", EXECUTORS)


def _deadline(offset: str | None) -> str | None:
    return checked_offset(offset) if offset and offset.strip() else None


def _attempts(number: int) -> int:
    return checks.whole(number, "max_attempts", lowest=1, highest=MOST_ATTEMPTS)


def _backoff(name: str) -> str:
    return checks.one_of(name, "retry_backoff", BACKOFFS)


def _gap(seconds: int) -> int:
    return checks.whole(seconds, "retry_min_gap", lowest=0, highest=LONGEST_GAP)


def _note(text: str | None) -> str | None:
    return checks.text(text, "note") if text and text.strip() else None


def _environment(state: RunTemplate, command: ChangeRunTemplate) -> dict[str, str] | Unset:
    if isinstance(command.environment, Unset) and not command.set_environment:
        return UNSET
    if not isinstance(command.environment, Unset) and command.set_environment:
        raise ValidationError(
            "The environment is given as a whole and by single variables. Give one of the two.", field="environment"
        )
    if not isinstance(command.environment, Unset):
        return checks.environment(command.environment)
    merged: dict[str, str | None] = {**state.environment, **command.set_environment}
    return checks.environment({name: value for name, value in merged.items() if value is not None})
