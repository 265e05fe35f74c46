"""A company, the tenant: what it is, what may be wished of it and what follows from that.

Examples
--------
>>> from datetime import UTC, datetime
>>> [created] = decide(None, CreateCompany(name="Acme Corp", company_id=7, uuid="775ed801-2489-4981-bc14-d8a01cba1938"))
>>> created.code
'acme-corp'
>>> company = evolve(None, created)
>>> decide(company, ChangeCompany(company_id=7, name="Acme Corp"))
[]
>>> [changed] = decide(company, ChangeCompany(company_id=7, enabled=False))
>>> evolve(company, changed).enabled
False
"""

from __future__ import annotations

import re
import unicodedata
from functools import partial
from typing import Any

import msgspec

from domain import business_numbers, checks
from domain.business_numbers import Warning  # noqa: A004 (a field's own word)
from domain.command import changes, given, set_fields, where_set
from domain.company_commands import (
    AssignApplication,
    ChangeCompany,
    CompanyCommand,
    CreateCompany,
    RemoveCompany,
    RestoreCompany,
    SuspendCompany,
    UnassignApplication,
)
from domain.company_events import (
    ApplicationAssigned,
    ApplicationUnassigned,
    CompanyChanged,
    CompanyCreated,
    CompanyEvent,
    CompanyRemoved,
)
from domain.environment import changed_environment, environment_in, stored_environment
from domain.errors import NotFoundError, StateError, ValidationError
from domain.event import Personal, Unset
from domain.retention import kept_days

_CODE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?")
_SETTING = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
KEPT = ("keep_output", "keep_artifacts", "keep_history")
"""Days for which output, files and the history of jobs are kept; None: for ever."""

_FIELDS = (
    "name",
    "code",
    "time_zone",
    "enabled",
    "registration_number",
    "vat_number",
    "email",
    "logo",
    "customer_id",
    "server_id",
    "zabbix_host",
    "max_parallel",
    "paused",
    "pause_reason",
    "settings",
    *KEPT,
)
_STATE = ("suspend_reason", "archived")


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """A company as its events left it."""

    company_id: int
    uuid: str
    name: str
    code: str
    time_zone: str
    enabled: bool
    registration_number: str | None = None
    vat_number: str | None = None
    email: Personal | None = None
    logo: str | None = None
    customer_id: int | None = None
    server_id: int | None = None
    zabbix_host: str | None = None
    max_parallel: int | None = None
    paused: bool = False
    pause_reason: str | None = None
    settings: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    environment: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    keep_output: int | None = None
    keep_artifacts: int | None = None
    keep_history: int | None = None
    suspend_reason: Personal | None = None
    archived: bool = False
    applications: frozenset[int] = frozenset()
    removed: bool = False


def decide(state: Company | None, command: CompanyCommand) -> list[CompanyEvent]:
    """Return the events that a command leads to, none if it changes nothing.

    Raises
    ------
    DomainError
        The command is refused.
    """
    match command:
        case CreateCompany():
            return _create(state, command)
        case ChangeCompany():
            return _change(_present(state, command.company_id), command)
        case SuspendCompany() | RestoreCompany():
            return _suspend(_present(state, command.company_id), command)
        case AssignApplication() | UnassignApplication():
            return _assign(_present(state, command.company_id), command)
        case RemoveCompany():
            return [CompanyRemoved(company_id=_present(state, command.company_id).company_id)]
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a company.")


def evolve(state: Company | None, event: CompanyEvent) -> Company:
    """Return the company as an event leaves it."""
    match event:
        case CompanyCreated():
            return Company(company_id=event.company_id, uuid=event.uuid, **_fields(event))
        case CompanyChanged() if state is not None:
            return msgspec.structs.replace(state, **_fields(event))
        case ApplicationAssigned() if state is not None:
            return msgspec.structs.replace(state, applications=state.applications | {event.application_id})
        case ApplicationUnassigned() if state is not None:
            return msgspec.structs.replace(state, applications=state.applications - {event.application_id})
        case CompanyRemoved() if state is not None:
            return msgspec.structs.replace(state, removed=True)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def warnings(command: CreateCompany | ChangeCompany) -> list[Warning]:
    """Return what looks wrong in a command but is no reason to refuse it.

    Examples
    --------
    >>> [warning.code for warning in warnings(CreateCompany(name="Acme", registration_number="12345678"))]
    ['registration_number_check_digit']
    """
    found: list[Warning | None] = []
    if command.registration_number:
        found.append(business_numbers.registration_number_warning(command.registration_number.replace(" ", "")))
    if command.vat_number:
        found.append(business_numbers.vat_number_warning(command.vat_number))
    return [warning for warning in found if warning is not None]


def code_from_name(name: str) -> str:
    """Derive the code of a company from its name; empty when no letter or digit of the name fits.

    Examples
    --------
    >>> code_from_name("Žluťoučký kůň, s.r.o.")
    'zlutoucky-kun-s-r-o'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:63].strip("-")


def _present(state: Company | None, company_id: int) -> Company:
    if state is None or state.removed:
        raise NotFoundError(
            f"There is no company {company_id}. `company:list` shows those there are.",
            field="company_id",
            code="company_not_found",
        )
    return state


def _create(state: Company | None, command: CreateCompany) -> list[CompanyEvent]:
    company_id = given(command.company_id, "company_id")
    if state is not None:
        raise StateError(f"Company {company_id} exists already.", field="company_id", code="company_exists")
    name = checks.line(command.name, "name")
    return [
        CompanyCreated(
            company_id=company_id,
            uuid=checks.uuid_text(given(command.uuid, "uuid")),
            name=name,
            code=_code(command.code) if command.code else code_from_name(name) or f"company-{company_id}",
            time_zone=checks.time_zone(command.time_zone),
            enabled=command.enabled,
            registration_number=_registration_number(command.registration_number),
            vat_number=_vat_number(command.vat_number),
            email=checks.email(command.email),
            logo=_logo(command.logo),
            customer_id=command.customer_id,
            server_id=command.server_id,
            zabbix_host=_zabbix_host(command.zabbix_host),
            max_parallel=checks.most_at_once(command.max_parallel),
            settings=_settings(command.settings),
            environment=stored_environment(checks.environment(command.environment)),
            keep_output=kept_days(command.keep_output, "keep_output"),
            keep_artifacts=kept_days(command.keep_artifacts, "keep_artifacts"),
            keep_history=kept_days(command.keep_history, "keep_history"),
        )
    ]


def _change(state: Company, command: ChangeCompany) -> list[CompanyEvent]:
    changed = changes(
        state,
        {
            "name": where_set(command.name, lambda name: checks.line(name, "name")),
            "code": where_set(command.code, _code),
            "time_zone": where_set(command.time_zone, checks.time_zone),
            "enabled": command.enabled,
            "registration_number": where_set(command.registration_number, _registration_number),
            "vat_number": where_set(command.vat_number, _vat_number),
            "email": where_set(command.email, checks.email),
            "logo": where_set(command.logo, _logo),
            "customer_id": command.customer_id,
            "server_id": command.server_id,
            "zabbix_host": where_set(command.zabbix_host, _zabbix_host),
            "max_parallel": where_set(command.max_parallel, checks.most_at_once),
            "paused": command.paused,
            "pause_reason": checks.reason_of(command.paused, command.pause_reason, "pause_reason"),
            "settings": where_set(command.settings, _settings),
            "environment": changed_environment(state.environment, command.environment, command.set_environment),
            **{name: where_set(getattr(command, name), partial(kept_days, field=name)) for name in KEPT},
        },
    )
    if "environment" in changed:
        changed["environment"] = stored_environment(changed["environment"])
    return [CompanyChanged(company_id=state.company_id, **changed)] if changed else []


def _fields(event: CompanyCreated | CompanyChanged) -> dict[str, Any]:
    fields = set_fields(event, _FIELDS if isinstance(event, CompanyCreated) else (*_FIELDS, *_STATE))
    if not isinstance(event.environment, Unset):
        fields["environment"] = environment_in(event.environment)
    return fields


def _suspend(state: Company, command: SuspendCompany | RestoreCompany) -> list[CompanyEvent]:
    if isinstance(command, RestoreCompany):
        wanted = {"enabled": True, "suspend_reason": None, "archived": False}
    else:
        reason = checks.optional_line(command.reason, "reason", longest=1_000)
        wanted = {"enabled": False, "suspend_reason": reason, "archived": command.archived or state.archived}
    changed = changes(state, wanted)
    return [CompanyChanged(company_id=state.company_id, **changed)] if changed else []


def _assign(state: Company, command: AssignApplication | UnassignApplication) -> list[CompanyEvent]:
    company_id, application_id = state.company_id, given(command.application_id, "application_id")
    if isinstance(command, AssignApplication):
        if application_id in state.applications:
            return []
        return [ApplicationAssigned(company_id=company_id, application_id=application_id)]
    if application_id not in state.applications:
        return []
    return [ApplicationUnassigned(company_id=company_id, application_id=application_id)]


def _code(code: str) -> str:
    cleaned = code.strip()
    if not _CODE.fullmatch(cleaned):
        raise ValidationError(
            f"The code “{cleaned[:80]}” has not the right form. Use 1 to 63 letters, digits, - and _, and letters or "
            "digits at both ends.",
            field="code",
            code="company_code_invalid",
        )
    return cleaned


def _registration_number(number: str | None) -> str | None:
    return checks.optional_line(number and number.replace(" ", ""), "registration_number", longest=32)


def _vat_number(number: str | None) -> str | None:
    return checks.optional_line(number and number.replace(" ", ""), "vat_number", longest=32)


def _zabbix_host(host: str | None) -> str | None:
    return checks.optional_line(host, "zabbix_host")


def _logo(logo: str | None) -> str | None:
    return checks.text(logo.strip(), "logo", longest=262_144) or None if logo else None


def _settings(settings: dict[str, str]) -> dict[str, str]:
    if len(settings) > 1_000:
        raise ValidationError("There are more than 1000 settings.", field="settings", code="too_many")
    for key, value in settings.items():
        if not _SETTING.fullmatch(key):
            raise ValidationError(
                f"“{key[:80]}” is no name of a setting. Use letters, digits and _ . : -", field="settings"
            )
        checks.text(value, "settings")
    return dict(settings)
