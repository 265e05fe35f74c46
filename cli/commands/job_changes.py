"""Jobs put into the queue, taken out of it, ended, and run again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click
import msgspec

from cli.acting import SOURCE, Acting, acting, in_zone
from cli.command import KEY_OPTION, Options, command, flag, one_id, option, required_id
from cli.commands.job import typed
from cli.failure import MissingError, RefusedError
from cli.output import Output
from cli.sources import setting_options
from cli.values import ID, MOMENT, WHOLE
from cli.watch import follow
from commands import queue
from commands.preparing import Outcome
from domain.errors import StateError
from domain.event import Event
from domain.job import CancelJob, ChangeJob, ScheduleJob
from domain.job_events import JobCancelled, JobFinished

AT_ONCE = timedelta(seconds=5)
"""A job that is to start so soon counts as one that is to start at once."""

AT_OPTIONS = (
    option("executor", metavar="NAME", help="Executor of this job; that of the run template unless told."),
    *setting_options("env", "A setting for this job alone"),
)
SCHEDULED = option("scheduled", type=MOMENT, default="now", help="When: now (default), +2h, or a date and time.")
REASON = option("reason", metavar="TEXT", help="Why; it stays in the history.")
NEVER_DELETED = "What happened is never deleted; its output goes when the retention of its company says so."

BELONGS = """
    SELECT (e.data->>'run_template_id')::integer AS runtemplate_id, (e.data->>'application_id')::integer AS app_id
      FROM events e WHERE e.stream = $1 AND e.version = 1
"""
ZONE = """
    SELECT coalesce(t.document->>'time_zone', c.time_zone) AS zone
      FROM streams s
      JOIN company c ON c.id = s.company_id
      LEFT JOIN events e ON e.stream = s.stream AND e.version = 1
      LEFT JOIN run_template t ON t.id = (e.data->>'run_template_id')::integer
     WHERE s.stream = $1
"""


@command(
    option("runtemplate_id", type=ID, required=True, help="Id of the run template."),
    SCHEDULED,
    *AT_OPTIONS,
    option(
        "schedule_type", metavar="NAME", help="What the job is called in the history; made from the time unless told."
    ),
    KEY_OPTION,
)
async def create_job(output: Output, options: Options) -> None:
    """Put a job of a run template into the queue."""
    async with acting() as act:
        wish = await scheduled(act, options.runtemplate_id, options.scheduled, options.executor, options.schedule_type)
        wish = msgspec.structs.replace(wish, environment=dict(options.env))
        outcome = await act.execute(wish, options.idempotency_key)
        await tell(act, outcome, {"job_id": outcome.id}, f"Job {outcome.id} is in the queue.", output)


@command(
    *one_id("job"),
    REASON,
    flag("wait", help="If it runs, wait until it has ended; exits with 0 if it ended because of this."),
    KEY_OPTION,
)
async def cancel_job(output: Output, options: Options) -> int:
    """Take a job out of the queue, or end it if it runs.

    A running job is asked to end, then, after a time of grace, ended with all processes that it started.
    """
    number = required_id(options, "job")
    async with acting() as act:
        outcome = await queue.end(
            act.shell, number, act.actor, reason=options.reason, key=options.idempotency_key, source=SOURCE
        )
        if any(isinstance(event, JobCancelled) for event in outcome.events):
            document = {"cancelled": True, "job_id": number}
            await tell(act, outcome, document, f"Job {number} was cancelled.", output)
            return 0
        if options.wait:
            return tell_end(number, await ended(act, number), output)
        document = {"cancelled": False, "requested": True, "job_id": number}
        again = "" if outcome.events else " before"
        text = f"Job {number} runs; it was asked to end{again}. `multiflexi-cli job:watch {number}` follows it."
        await tell(act, outcome, document, text, output)
    return 0


@command(
    *one_id("job"),
    option("scheduled", type=MOMENT, help="From when it may start: now, +2h, or a date and time."),
    option("executor", metavar="NAME", help="Executor of this job."),
    option("priority", type=WHOLE, help="Higher starts earlier."),
    option("schedule_type", metavar="NAME", help="What the job is called in the history."),
    option("runtemplate_id", type=ID, help="Its run template, which stays."),
    option("app_id", type=ID, help="Its application, which stays."),
    KEY_OPTION,
)
async def update_job(output: Output, options: Options) -> None:
    """Change a job that waits.

    One that has started stays as it is; so do the run template and the application of any job.
    """
    number = required_id(options, "job")
    async with acting() as act:
        await check_same(act, number, options)
        given = {name: getattr(options, name) for name in ("executor", "priority", "schedule_type")}
        fields = {name: value for name, value in given.items() if value is not None}
        if options.scheduled is not None:
            fields["not_before"] = await start(act, number, options.scheduled) or datetime.now(UTC)
        if not fields:
            raise click.UsageError("What is to change? Give --scheduled, --executor, --priority or --schedule_type.")
        outcome = await act.execute(ChangeJob(job_id=number, **fields), options.idempotency_key)
        changed = bool(outcome.events)
        text = f"Job {number} was changed." if changed else f"Job {number} is like that already; nothing was changed."
        await tell(act, outcome, {"updated": changed, "job_id": number}, text, output)


@command(*one_id("job"), REASON, KEY_OPTION)
async def delete_job(output: Output, options: Options) -> None:
    """Take a job out of the queue; one that has started stays.

    Nothing that happened is deleted: a job that waits is cancelled and stays in the history as such; one that runs or
    has ended is refused.
    """
    number = required_id(options, "job")
    async with acting() as act:
        try:
            outcome = await act.execute(CancelJob(job_id=number, reason=options.reason), options.idempotency_key)
        except StateError as error:
            hint = f"`multiflexi-cli job:cancel {number}` ends it. " if error.code == queue.RUNNING else ""
            message = f"Job {number} is {error.code.removeprefix('job_')}, not waiting. {hint}{NEVER_DELETED}"
            raise StateError(message, field="job_id", code=error.code) from None
        text = f"Job {number} was taken out of the queue; it stays in the history as cancelled."
        await tell(act, outcome, {"deleted": True, "job_id": number}, text, output)


@command(*one_id("job"), SCHEDULED, *AT_OPTIONS, KEY_OPTION)
async def retry_job(output: Output, options: Options) -> None:
    """Run a job again that has ended.

    A new job of the same run template, linked to the one before, with the same one-off settings and the same executor,
    unless others are given. The rest is as the run template is now.
    """
    number = required_id(options, "job")
    async with acting() as act:
        outcome = await queue.run_again(
            act.shell,
            number,
            act.actor,
            environment=dict(options.env),
            at=await start(act, number, options.scheduled),
            executor=options.executor,
            key=options.idempotency_key,
            source=SOURCE,
        )
        document = {"job_id": outcome.id, "retry_of": number}
        text = f"Job {outcome.id} is in the queue; it runs job {number} again."
        await tell(act, outcome, document, text, output)


async def check_same(act: Acting, job_id: int, options: Options) -> None:
    """Refuse another run template or another application than those that a job has.

    Raises
    ------
    RefusedError
        One of them is to change.
    """
    found = (await act.reader.fetch(BELONGS, f"job-{job_id}")).rows
    for field, what in (("runtemplate_id", "run template"), ("app_id", "application")):
        wanted = getattr(options, field)
        if found and wanted not in (None, found[0][field]):
            raise RefusedError(
                f"Job {job_id} is of {what} {found[0][field]}, and stays so: its history does. Cancel it and create "
                f"another one for {what} {wanted}.",
                field=field,
            )


async def scheduled(
    act: Acting, run_template_id: int, start: datetime, executor: str | None, schedule_type: str | None
) -> ScheduleJob:
    """Return the wish for a job of a run template.

    Raises
    ------
    MissingError
        There is no such run template.
    """
    template = await act.reader.row("run_template.find", run_template_id, None)
    if template is None:
        raise MissingError(
            f"There is no run template {run_template_id}. `multiflexi-cli run-template:list` shows those there are."
        )
    moment = in_zone(start, template["zone"])
    at_once = moment <= datetime.now(UTC) + AT_ONCE
    return ScheduleJob(
        run_template_id=run_template_id,
        not_before=None if at_once else moment,
        executor=executor,
        schedule_type=schedule_type or ("adhoc-cli" if at_once else "CommandLine"),
    )


async def start(act: Acting, job_id: int, wished: datetime) -> datetime | None:
    """Return when a job may start again, in the time zone of its run template; None: at once."""
    zone = (await act.reader.fetch(ZONE, f"job-{job_id}")).rows
    moment = in_zone(wished, zone[0]["zone"] if zone else None)
    return None if moment <= datetime.now(UTC) + AT_ONCE else moment


async def ended(act: Acting, job_id: int) -> Event | None:
    """Wait until a job has ended and return the event that tells how."""
    last: Event | None = None
    async for seen in follow(act.store, job_id):
        if isinstance(seen, JobFinished | JobCancelled):
            last = seen
    return last


def tell_end(job_id: int, event: Event | None, output: Output) -> int:
    """Answer how a job ended that was to be cancelled, and return the exit code."""
    outcome = event.outcome if isinstance(event, JobFinished) else "cancelled"
    code = event.exit_code if isinstance(event, JobFinished) else None
    cancelled = outcome == "cancelled"
    document = {"cancelled": cancelled, "job_id": job_id, "outcome": outcome, "exitcode": code}
    how = "was cancelled" if cancelled else f"ended by itself before ({outcome})"
    output.answer(document, f"Job {job_id} {how}.")
    return 0 if cancelled else 1


async def tell(act: Acting, outcome: Outcome, document: dict[str, Any], text: str, output: Output) -> None:
    """Answer what was done; with ``--verbose`` the whole job. Whoever asks for the job next will find it."""
    await act.shown_in_history(outcome)
    record = await act.reader.row("job.find", outcome.id) if output.verbose else None
    if record is None:
        output.answer(document, text)
    else:
        output.record(typed(record), await act.reader.zones([record]))
