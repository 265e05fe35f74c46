"""A history of an installation: what was appended so far, and what is there now."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from domain.event import Event
from domain.job_events import OutputCaptured
from eventstore.append import guard
from eventstore.log import Append
from tests.testbed.events import DAY

Step = list[Append]
"""What one command appends, as a whole."""


class Job(NamedTuple):
    """A job that waits or runs: what its events say of it."""

    company_id: int
    run_template_id: int
    task_id: int | None = None
    attempt: int = 1

    def named(self, job: int) -> dict[str, Any]:
        return {"job_id": job, "company_id": self.company_id, "run_template_id": self.run_template_id}


@dataclass
class History:
    """What has happened so far, and what is there now."""

    steps: list[Step] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    companies: dict[int, str] = field(default_factory=dict)
    applications: dict[int, str] = field(default_factory=dict)
    templates: dict[int, tuple[int, datetime | None]] = field(default_factory=dict)
    used: dict[int, int] = field(default_factory=dict)
    """Of each run template, its application."""
    prototypes: dict[int, str] = field(default_factory=dict)
    types: dict[int, int] = field(default_factory=dict)
    credentials: dict[int, int] = field(default_factory=dict)
    assigned: set[tuple[int, int]] = field(default_factory=set)
    """Companies with their applications."""
    users: dict[int, str] = field(default_factory=dict)
    passkeys: dict[str, int] = field(default_factory=dict)
    identities: dict[str, int] = field(default_factory=dict)
    memberships: dict[tuple[int, int], int] = field(default_factory=dict)
    tokens: dict[int, int] = field(default_factory=dict)
    groups: dict[int, set[int]] = field(default_factory=dict)
    let_in: dict[tuple[int, int], int] = field(default_factory=dict)
    """Of each group and company, the membership."""
    requests: dict[int, tuple[int, int]] = field(default_factory=dict)
    erasures: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Those that nobody has answered, with company and user."""
    dues: set[datetime] = field(default_factory=set)
    queued: dict[int, Job] = field(default_factory=dict)
    running: dict[int, Job] = field(default_factory=dict)
    ended_tasks: set[int] = field(default_factory=set)
    offsets: dict[tuple[int, str], int] = field(default_factory=dict)
    last_id: int = 0

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def happen(self, *appends: Append) -> None:
        for append in appends:
            self.versions[append.stream] = self.versions.get(append.stream, 0) + len(append.events)
        self.steps.append(list(appends))

    def one(self, category: str, entity_id: int, company_id: int | None, *events: Event) -> Append:
        stream = f"{category}-{entity_id}"
        expected = self.versions.get(stream, 0)
        payloads = [b"\x02" * 9 if isinstance(event, OutputCaptured) else None for event in events]
        return Append(stream=stream, company_id=company_id, events=events, expected=expected, payloads=payloads)


def pick(things: dict[int, Any], number: int) -> int:
    return sorted(things)[number % len(things)]


def moment(minutes: int) -> datetime:
    return DAY + timedelta(minutes=minutes)


def held(now: History, template: int, company: int) -> Append:
    stream = f"run_template-{template}"
    return guard(stream, company, now.versions[stream])
