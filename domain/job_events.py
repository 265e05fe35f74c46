"""Events of a job, one run of a run template: stream ``job-ID``; its output in a stream of its own, ``output-ID``.

The life of a job: JobScheduled, then JobStarted, then JobFinished (perhaps after JobCancelRequested); or JobCancelled
instead of the rest. Output is apart so that retention can let go of it without touching the life of the job:
JobFinished carries digest and length of each channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

import msgspec

from domain import environment
from domain.event import UNSET, Event, Personal, Unset


class JobEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a job."""

    category: ClassVar[str] = "job"

    job_id: int
    company_id: int
    run_template_id: int


class JobScheduled(JobEvent, frozen=True, kw_only=True):
    """A job was put into the queue.

    ``due`` is the due time of the template that it fulfils (None: ad hoc), ``not_before`` the moment from which it may
    start, ``schedule_type`` the interval code or ``adhoc``, ``next_due`` the template's due time after this one (unset:
    the template's due time is untouched), ``environment`` one-off values of this job alone as a JSON object,
    ``launched_by`` the actor, ``attempt`` which one of its task it is, ``retry_of`` the job before it.
    """

    personal: ClassVar[Mapping[str, str]] = {"environment": environment.KEY}

    uuid: str
    application_id: int
    application_version: str
    not_before: datetime
    scheduled_at: datetime
    schedule_type: str = "adhoc"
    due: datetime | None = None
    next_due: datetime | Unset | None = UNSET
    executor: str = "Native"
    priority: int = 0
    labels: list[str] = msgspec.field(default_factory=list[str])
    environment: Personal | None = None
    launched_by: str = "system"
    task_id: int | None = None
    attempt: int = 1
    retry_of: int | None = None


class JobChanged(JobEvent, frozen=True, kw_only=True):
    """A job that waits was changed: when it may start, where, how urgently, what it is called; unset: as it was."""

    changed_at: datetime
    not_before: datetime | Unset = UNSET
    executor: str | Unset = UNSET
    priority: int | Unset = UNSET
    schedule_type: str | Unset = UNSET


class JobStarted(JobEvent, frozen=True, kw_only=True):
    """An executor claimed the job and starts its process."""

    executor_id: str
    host: str
    started_at: datetime
    task_id: int | None = None
    command: list[str] = msgspec.field(default_factory=list[str])


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """What a job wrote to stdout or stderr: its length in bytes and SHA-256 of all bytes kept, and bytes dropped."""

    length: int = 0
    digest: str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    dropped: int = 0


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a job left: its content is stored under its SHA-256, once however often it repeats; size in bytes."""

    name: str
    content_type: str
    size: int
    digest: str


class JobCancelRequested(JobEvent, frozen=True, kw_only=True):
    """A running job is to be ended; its executor does so and records the end."""

    requested_at: datetime
    requested_by: str
    reason: str | None = None


class JobFinished(JobEvent, frozen=True, kw_only=True):
    """The process of the job ended, or the job was given up.

    ``outcome`` is one of ``success, warning, failure, not_found, killed, timeout, lost, cancelled``; ``exit_code`` as
    the process gave it (127: executable not found, 128 + n: signal n, 255: failure); ``duration`` in seconds;
    ``command`` the command line with secrets masked.
    """

    outcome: str
    exit_code: int
    finished_at: datetime
    duration: float | None = None
    command: list[str] = msgspec.field(default_factory=list[str])
    pid: int | None = None
    signal: int | None = None
    reason: str | None = None
    stdout: Channel = Channel()
    stderr: Channel = Channel()
    task_id: int | None = None
    artifacts: list[Artifact] = msgspec.field(default_factory=list[Artifact])
    artifacts_left_out: int = 0


class JobCancelled(JobEvent, frozen=True, kw_only=True):
    """The job was taken out of the queue before it started."""

    cancelled_at: datetime
    reason: str | None = None


class OutputEvent(Event, frozen=True, kw_only=True):
    """Base of the events of a job's output."""

    category: ClassVar[str] = "output"

    job_id: int
    company_id: int


class OutputCaptured(OutputEvent, frozen=True, kw_only=True):
    """Bytes that a job wrote. They are the event's payload, compressed and encrypted under the company's key.

    ``channel`` is ``stdout`` or ``stderr``, ``offset`` the place of the first byte in that channel, ``length`` the
    number of bytes before compression, ``captured_at`` when the last of them was read.
    """

    channel: str
    offset: int
    length: int
    captured_at: datetime


class OutputDropped(OutputEvent, frozen=True, kw_only=True):
    """Bytes over the job's output limit were not kept: ``length`` bytes from ``offset`` of ``channel`` on."""

    channel: str
    offset: int
    length: int
    limit: int
    captured_at: datetime
