"""Jobs put into the queue and taken out of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cli.acting import Acting, acting, in_zone
from cli.command import KEY_OPTION, Options, command, one_id, option, required_id
from cli.commands.job import typed
from cli.failure import MissingError
from cli.output import Output
from cli.values import ID, MOMENT
from commands.preparing import Outcome
from domain.job import CancelJob, ScheduleJob

AT_ONCE = timedelta(seconds=5)
"""A job that is to start so soon counts as one that is to start at once."""


@command(
    option("runtemplate_id", type=ID, required=True, help="Id of the run template."),
    option("scheduled", type=MOMENT, default="now", help="When it may start: now (default), +2h, or a date and time."),
    option("executor", metavar="NAME", help="Executor; that of the run template unless told."),
    option(
        "schedule_type", metavar="NAME", help="What the job is called in the history; made from the time unless told."
    ),
    KEY_OPTION,
)
async def create_job(output: Output, options: Options) -> None:
    """Put a job of a run template into the queue."""
    async with acting() as act:
        wish = await scheduled(act, options.runtemplate_id, options.scheduled, options.executor, options.schedule_type)
        outcome = await act.execute(wish, options.idempotency_key)
        await tell(act, outcome, {"job_id": outcome.id}, f"Job {outcome.id} is in the queue.", output)


@command(*one_id("job"), option("reason", metavar="TEXT", help="Why; it stays in the history."), KEY_OPTION)
async def cancel_job(output: Output, options: Options) -> None:
    """Take a job out of the queue."""
    number = required_id(options, "job")
    async with acting() as act:
        outcome = await act.execute(CancelJob(job_id=number, reason=options.reason), options.idempotency_key)
        document = {"cancelled": True, "job_id": number}
        await tell(act, outcome, document, f"Job {number} was cancelled.", output)


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


async def tell(act: Acting, outcome: Outcome, document: dict[str, Any], text: str, output: Output) -> None:
    """Answer what was done; with ``--verbose`` the whole job. Whoever asks for the job next will find it."""
    await act.shown_in_history(outcome)
    record = await act.reader.row("job.find", outcome.id) if output.verbose else None
    if record is None:
        output.answer(document, text)
    else:
        output.record(typed(record), await act.reader.zones([record]))
