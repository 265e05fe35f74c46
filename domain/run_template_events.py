"""Events of a run template, an application configured for a company: stream ``run_template-ID``.

``interval`` is one of ``n`` (manual), ``i h d w m y`` (minutely to yearly) and ``c`` (custom, by ``cron``).
``next_due`` is the next moment at which a job is due, computed by whoever decided; None if none ever is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

import msgspec

from domain import environment
from domain.event import UNSET, Event, Personal, Unset

SEALED = {"note": "company:{company_id}", "environment": environment.KEY}
"""Fields that are stored encrypted, and whose keys they have."""


class RunTemplateEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a run template."""

    category: ClassVar[str] = "run_template"

    run_template_id: int
    company_id: int


class RunTemplateCreated(RunTemplateEvent, frozen=True, kw_only=True):
    """An application was configured for a company. ``delay`` and ``retry_min_gap`` are in seconds.

    ``environment`` holds the variables of its jobs as a JSON object, which often are secret.
    """

    personal: ClassVar[Mapping[str, str]] = SEALED

    uuid: str
    application_id: int
    name: str
    interval: str = "n"
    cron: str | None = None
    time_zone: str | None = None
    delay: int = 0
    active: bool = True
    inactive_reason: str | None = None
    executor: str = "Native"
    environment: Personal | None = None
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
    note: Personal | None = None
    next_due: datetime | None = None


class RunTemplateChanged(RunTemplateEvent, frozen=True, kw_only=True):
    """Some fields were changed; those that are unset stay.

    ``next_due`` is unset when the change leaves the schedule alone, so that a due time that is being fulfilled at this
    moment is neither lost nor brought back.
    """

    personal: ClassVar[Mapping[str, str]] = SEALED

    name: str | Unset = UNSET
    interval: str | Unset = UNSET
    cron: str | Unset | None = UNSET
    time_zone: str | Unset | None = UNSET
    delay: int | Unset = UNSET
    active: bool | Unset = UNSET
    inactive_reason: str | Unset | None = UNSET
    executor: str | Unset = UNSET
    environment: Personal | Unset | None = UNSET
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
    note: Personal | Unset | None = UNSET
    next_due: datetime | Unset | None = UNSET


class RunTemplateRemoved(RunTemplateEvent, frozen=True, kw_only=True):
    """The template was taken away; its jobs stay in the history."""


class CredentialAssigned(RunTemplateEvent, frozen=True, kw_only=True):
    """Jobs of the template get the values of a credential from now on.

    ``removed`` are the names of values of the template that the credential gives, too: they were taken away, as they
    would have had no effect.
    """

    credential_id: int
    removed: list[str]


class CredentialUnassigned(RunTemplateEvent, frozen=True, kw_only=True):
    """Jobs of the template no longer get the values of a credential."""

    credential_id: int
