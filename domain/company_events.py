"""Events of a company, the tenant: stream ``company-ID``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from domain import environment
from domain.event import UNSET, Event, Personal, Unset

SEALED = {
    "email": "company:{company_id}",
    "environment": environment.KEY,
}
"""Fields that are stored encrypted, and whose keys they have: erasing a mail address leaves the environment."""


class CompanyEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a company."""

    category: ClassVar[str] = "company"

    company_id: int


class CompanyCreated(CompanyEvent, frozen=True, kw_only=True):
    """A company was set up.

    ``code`` is its unique slug, ``registration_number`` its IČO, ``vat_number`` its DIČ, ``time_zone`` an IANA name.
    ``environment`` holds the variables of all of its jobs as a JSON object, which often are secret.
    ``keep_output``, ``keep_artifacts`` and ``keep_history`` are the days for which output, files and the history of its
    jobs are kept (None: for ever).
    """

    personal: ClassVar[Mapping[str, str]] = SEALED

    uuid: str
    name: str
    code: str
    time_zone: str
    enabled: bool = True
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
    environment: Personal | None = None
    keep_output: int | None = None
    keep_artifacts: int | None = None
    keep_history: int | None = None


class CompanyChanged(CompanyEvent, frozen=True, kw_only=True):
    """Some fields of a company were changed; those that are unset stay as they were."""

    personal: ClassVar[Mapping[str, str]] = {**SEALED, "suspend_reason": "company:{company_id}"}

    name: str | Unset = UNSET
    code: str | Unset = UNSET
    time_zone: str | Unset = UNSET
    enabled: bool | Unset = UNSET
    registration_number: str | Unset | None = UNSET
    vat_number: str | Unset | None = UNSET
    email: Personal | Unset | None = UNSET
    logo: str | Unset | None = UNSET
    customer_id: int | Unset | None = UNSET
    server_id: int | Unset | None = UNSET
    zabbix_host: str | Unset | None = UNSET
    max_parallel: int | Unset | None = UNSET
    paused: bool | Unset = UNSET
    pause_reason: str | Unset | None = UNSET
    settings: dict[str, str] | Unset = UNSET
    environment: Personal | Unset | None = UNSET
    keep_output: int | Unset | None = UNSET
    keep_artifacts: int | Unset | None = UNSET
    keep_history: int | Unset | None = UNSET
    suspend_reason: Personal | Unset | None = UNSET
    archived: bool | Unset = UNSET


class CompanyRemoved(CompanyEvent, frozen=True, kw_only=True):
    """A company left."""


class ApplicationAssigned(CompanyEvent, frozen=True, kw_only=True):
    """A company was given an application of the catalogue."""

    application_id: int


class ApplicationUnassigned(CompanyEvent, frozen=True, kw_only=True):
    """An application was taken from a company."""

    application_id: int
