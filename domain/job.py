"""A job, one run of a run template: it waits, it runs, it ends.

::

    ScheduleJob ──► queued ──► StartJob ──► running ──► FinishJob ──► finished
              ChangeJob┤                      └─► RequestCancel (its executor ends it)
                       └─────► CancelJob ─► cancelled

Examples
--------
>>> from datetime import UTC, datetime
>>> now = datetime(2026, 1, 5, 10, 20, tzinfo=UTC)
>>> [scheduled] = decide(None, ScheduleJob(
...     run_template_id=42, job_id=1001, company_id=7, application_id=3, application_version="1.0",
...     uuid="775ed801-2489-4981-bc14-d8a01cba1938", now=now))
>>> job = evolve(None, scheduled)
>>> decide(job, FinishJob(job_id=1001, outcome="success", exit_code=0, now=now))
Traceback (most recent call last):
domain.errors.StateError: Job 1001 is queued; only a running job can finish.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import msgspec

from domain import checks
from domain.command import Command, changes, given, moment, set_fields, where_set
from domain.environment import environment_in, stored_environment
from domain.errors import NotFoundError, StateError
from domain.event import UNSET, Unset
from domain.job_events import (
    Artifact,
    Channel,
    JobCancelled,
    JobCancelRequested,
    JobChanged,
    JobEvent,
    JobFinished,
    JobScheduled,
    JobStarted,
)
from domain.run_template_fields import EXECUTORS, executor, labels, priority

QUEUED, RUNNING, FINISHED, CANCELLED = "queued", "running", "finished", "cancelled"
OUTCOMES = ("success", "warning", "failure", "not_found", "killed", "timeout", "lost", "cancelled")
LONGEST_REASON = 2_000
CHANGEABLE = ("not_before", "executor", "priority", "schedule_type")
"""What may change while a job waits."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A job as its events left it."""

    job_id: int
    company_id: int
    run_template_id: int
    application_id: int
    uuid: str
    state: str
    executor: str
    not_before: datetime
    priority: int = 0
    schedule_type: str = "adhoc"
    due: datetime | None = None
    environment: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    executor_id: str | None = None
    task_id: int | None = None
    attempt: int = 1
    cancel_requested: bool = False
    outcome: str | None = None
    exit_code: int | None = None


class JobCommand(Command, frozen=True, kw_only=True):
    """Base of the commands of a job. The executor of the command gives ``now``."""

    category: ClassVar[str] = "job"

    job_id: int
    now: datetime | None = None


class ScheduleJob(JobCommand, frozen=True, kw_only=True):
    """Put a job of a run template into the queue.

    ``not_before`` is the moment from which it may start (None: at once), ``environment`` holds one-off values of this
    job alone, ``executor``, ``priority`` and ``labels`` are those of the template unless given. ``due`` and
    ``next_due`` are for the scheduler: the due time that the job fulfils and the one after it. The executor of the
    command gives the rest.
    """

    creates: ClassVar[bool] = True
    secret: ClassVar[tuple[str, ...]] = ("environment",)

    run_template_id: int
    not_before: datetime | None = None
    environment: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    executor: str | None = None
    priority: int | Unset = UNSET
    labels: list[str] | Unset = UNSET
    schedule_type: str = ""
    due: datetime | None = None
    next_due: datetime | Unset | None = UNSET
    task_id: int | None = None
    attempt: int = 1
    retry_of: int | None = None
    job_id: int = 0
    uuid: str = ""
    company_id: int = 0
    application_id: int = 0
    application_version: str = ""
    launched_by: str = ""


class ChangeJob(JobCommand, frozen=True, kw_only=True):
    """Change a job that waits: when it may start, where, how urgently, what it is called; unset leaves it as it is."""

    not_before: datetime | Unset = UNSET
    executor: str | Unset = UNSET
    priority: int | Unset = UNSET
    schedule_type: str | Unset = UNSET


class StartJob(JobCommand, frozen=True, kw_only=True):
    """Take a job out of the queue and run it. ``command`` is the command line with secrets masked."""

    executor_id: str
    host: str
    command: list[str] = msgspec.field(default_factory=list[str])


class FinishJob(JobCommand, frozen=True, kw_only=True):
    """Tell how the process of a job ended, or that the job was given up; ``outcome`` is one of :data:`OUTCOMES`."""

    outcome: str
    exit_code: int
    duration: float | None = None
    command: list[str] = msgspec.field(default_factory=list[str])
    pid: int | None = None
    signal: int | None = None
    reason: str | None = None
    stdout: Channel = Channel()
    stderr: Channel = Channel()
    artifacts: list[Artifact] = msgspec.field(default_factory=list[Artifact])
    artifacts_left_out: int = 0


class RequestCancel(JobCommand, frozen=True, kw_only=True):
    """Have a running job ended by its executor; asking again changes nothing."""

    requested_by: str = ""
    reason: str | None = None


class CancelJob(JobCommand, frozen=True, kw_only=True):
    """Take a job out of the queue before it starts. With ``if_waiting`` one that started meanwhile is left alone."""

    reason: str | None = None
    if_waiting: bool = False


def decide(state: Job | None, command: JobCommand) -> list[JobEvent]:
    """Return the events that a command leads to.

    Raises
    ------
    DomainError
        The command is refused; a ``StateError`` if the job is not in a state for it.
    """
    if isinstance(command, ScheduleJob):
        return _schedule(state, command)
    job = _present(state, command.job_id)
    match command:
        case ChangeJob():
            return _change(job, command)
        case StartJob():
            return _start(job, command)
        case FinishJob():
            return _finish(job, command)
        case RequestCancel():
            return _request_cancel(job, command)
        case CancelJob():
            return _cancel(job, command)
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a job.")


def evolve(state: Job | None, event: JobEvent) -> Job:
    """Return the job as an event leaves it."""
    match event:
        case JobScheduled():
            return Job(
                job_id=event.job_id,
                company_id=event.company_id,
                run_template_id=event.run_template_id,
                application_id=event.application_id,
                uuid=event.uuid,
                state=QUEUED,
                executor=event.executor,
                priority=event.priority,
                schedule_type=event.schedule_type,
                not_before=event.not_before,
                due=event.due,
                environment=environment_in(event.environment),
                task_id=event.task_id,
                attempt=event.attempt,
            )
        case JobChanged() if state is not None:
            return msgspec.structs.replace(state, **set_fields(event, CHANGEABLE))
        case JobStarted() if state is not None:
            return msgspec.structs.replace(state, state=RUNNING, executor_id=event.executor_id)
        case JobCancelRequested() if state is not None:
            return msgspec.structs.replace(state, cancel_requested=True)
        case JobFinished() if state is not None:
            return msgspec.structs.replace(state, state=FINISHED, outcome=event.outcome, exit_code=event.exit_code)
        case JobCancelled() if state is not None:
            return msgspec.structs.replace(state, state=CANCELLED)
        case _:
            raise TypeError(f"{type(event).__name__} cannot follow here.")


def _present(state: Job | None, job_id: int) -> Job:
    if state is None:
        raise NotFoundError(
            f"There is no job {job_id}. `job:list` shows those there are.", field="job_id", code="job_not_found"
        )
    return state


def _must_be(job: Job, wanted: str, verb: str) -> None:
    if job.state != wanted:
        raise StateError(
            f"Job {job.job_id} is {job.state}; only a {wanted} job can {verb}.",
            field="job_id",
            code=f"job_{job.state}",
        )


def _schedule(state: Job | None, command: ScheduleJob) -> list[JobEvent]:
    job_id = given(command.job_id, "job_id")
    if state is not None:
        raise StateError(f"Job {job_id} exists already.", field="job_id", code="job_exists")
    now = moment(command.now)
    return [
        JobScheduled(
            job_id=job_id,
            company_id=given(command.company_id, "company_id"),
            run_template_id=given(command.run_template_id, "run_template_id"),
            uuid=checks.uuid_text(given(command.uuid, "uuid")),
            application_id=given(command.application_id, "application_id"),
            application_version=command.application_version,
            not_before=now if command.not_before is None else moment(command.not_before, "not_before"),
            scheduled_at=now,
            schedule_type=_schedule_type(command.schedule_type or "adhoc"),
            due=None if command.due is None else moment(command.due, "due"),
            next_due=command.next_due,
            executor=executor(command.executor or EXECUTORS[0]),
            priority=0 if command.priority is UNSET else priority(command.priority),
            labels=[] if command.labels is UNSET else labels(command.labels),
            environment=stored_environment(checks.environment(command.environment)),
            launched_by=command.launched_by or "system",
            task_id=command.task_id,
            attempt=checks.whole(command.attempt, "attempt", lowest=1, highest=1_000_000),
            retry_of=command.retry_of,
        )
    ]


def _change(job: Job, command: ChangeJob) -> list[JobEvent]:
    _must_be(job, QUEUED, "be changed")
    changed = changes(
        job,
        {
            "not_before": where_set(command.not_before, lambda value: moment(value, "not_before")),
            "executor": where_set(command.executor, executor),
            "priority": where_set(command.priority, priority),
            "schedule_type": where_set(command.schedule_type, _schedule_type),
        },
    )
    if not changed:
        return []
    return [
        JobChanged(
            job_id=job.job_id,
            company_id=job.company_id,
            run_template_id=job.run_template_id,
            changed_at=moment(command.now),
            **changed,
        )
    ]


def _schedule_type(name: str) -> str:
    return checks.line(name, "schedule_type", longest=32)


def _start(job: Job, command: StartJob) -> list[JobEvent]:
    _must_be(job, QUEUED, "start")
    return [
        JobStarted(
            job_id=job.job_id,
            company_id=job.company_id,
            run_template_id=job.run_template_id,
            executor_id=checks.line(command.executor_id, "executor_id"),
            host=checks.line(command.host, "host"),
            started_at=moment(command.now),
            task_id=job.task_id,
            command=_command_line(command.command),
        )
    ]


def _finish(job: Job, command: FinishJob) -> list[JobEvent]:
    _must_be(job, RUNNING, "finish")
    return [
        JobFinished(
            job_id=job.job_id,
            company_id=job.company_id,
            run_template_id=job.run_template_id,
            outcome=checks.one_of(command.outcome, "outcome", OUTCOMES),
            exit_code=checks.whole(command.exit_code, "exit_code", lowest=-(2**31), highest=2**31 - 1),
            finished_at=moment(command.now),
            duration=command.duration,
            command=_command_line(command.command),
            pid=command.pid,
            signal=command.signal,
            reason=_reason(command.reason),
            stdout=command.stdout,
            stderr=command.stderr,
            task_id=job.task_id,
            artifacts=command.artifacts,
            artifacts_left_out=command.artifacts_left_out,
        )
    ]


def _request_cancel(job: Job, command: RequestCancel) -> list[JobEvent]:
    _must_be(job, RUNNING, "be asked to end")
    if job.cancel_requested:
        return []
    return [
        JobCancelRequested(
            job_id=job.job_id,
            company_id=job.company_id,
            run_template_id=job.run_template_id,
            requested_at=moment(command.now),
            requested_by=command.requested_by or "system",
            reason=_reason(command.reason),
        )
    ]


def _cancel(job: Job, command: CancelJob) -> list[JobEvent]:
    if command.if_waiting and job.state != QUEUED:
        return []
    _must_be(job, QUEUED, "be cancelled")
    return [
        JobCancelled(
            job_id=job.job_id,
            company_id=job.company_id,
            run_template_id=job.run_template_id,
            cancelled_at=moment(command.now),
            reason=_reason(command.reason),
        )
    ]


def _command_line(parts: list[str]) -> list[str]:
    return [checks.text(part, "command", longest=131_072) for part in parts]


def _reason(reason: str | None) -> str | None:
    return checks.text(reason.strip(), "reason", longest=LONGEST_REASON) or None if reason else None
