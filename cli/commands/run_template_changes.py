"""Run templates created, and run once."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from cli.acting import Acting, acting
from cli.command import KEY_OPTION, Options, boolean, command, one_id, option, required_id
from cli.commands.job_changes import scheduled
from cli.commands.run_template import zone
from cli.failure import RefusedError
from cli.finding import application_id, company_id
from cli.output import Output
from cli.values import APPLICATION, ID, MOMENT, PAIR, Count
from domain.errors import ValidationError
from domain.job_events import JobScheduled
from domain.run_template import CreateRunTemplate

FIELDS = {
    "name": "name",
    "interv": "interval",
    "cron": "cron",
    "time_zone": "time_zone",
    "delay": "delay",
    "active": "active",
    "executor": "executor",
    "deadline_offset": "deadline_offset",
    "max_attempts": "max_attempts",
    "retry_backoff": "retry_backoff",
    "retry_min_gap": "retry_min_gap",
    "allow_late": "allow_late",
    "note": "note",
}
"""Fields of the command by the names of options."""

SETTINGS = (
    option("interv", metavar="CODE", help="How often: n manual (default), i h d w m y, or c by --cron."),
    option("cron", metavar="EXPRESSION", help="When, for --interv c: five or six fields."),
    option("time_zone", metavar="ZONE", help="Time zone of the schedule; that of the company unless told."),
    option("delay", type=Count(0), metavar="SECONDS", help="Start each job so long after it is due."),
    boolean("active", "Whether it is due at all."),
    option("executor", metavar="NAME", help="Native (default), Docker, Podman, Kubernetes or Azure."),
    option("config", type=PAIR, multiple=True, help="A setting of the application, kept; several times for more."),
    option("deadline_offset", metavar="OFFSET", help="Deadline of each window: +3h after its start, or 08:00."),
    option("max_attempts", type=Count(1), metavar="N", help="Attempts in each window."),
    option("retry_backoff", metavar="NAME", help="none, fixed, linear or exponential."),
    option("retry_min_gap", type=Count(0), metavar="SECONDS", help="At least so long between two attempts."),
    boolean("allow_late", "Whether success after the deadline counts, as late."),
    option("note", metavar="TEXT", help="Note for people; stored encrypted."),
)


@command(
    option("name", required=True, metavar="TEXT", help="Name of the run template."),
    option("app_id", type=APPLICATION, help="Application, by id or UUID."),
    option("app_uuid", metavar="UUID", help="Application, by UUID."),
    option("company_id", type=ID, help="Company, by id."),
    option("company", metavar="CODE|ID", help="Company, by code or id."),
    *SETTINGS,
    KEY_OPTION,
)
async def create_run_template(output: Output, options: Options) -> None:
    """Configure an application for a company."""
    async with acting() as act:
        wish = CreateRunTemplate(
            company_id=await company_id(act.reader, options) or missing("company", "--company or --company_id"),
            application_id=await application_id(act.reader, options)
            or missing("application", "--app_id or --app_uuid"),
            environment=dict(options.config),
            **given(options),
        )
        try:
            outcome = await act.execute(wish, options.idempotency_key)
        except ValidationError as error:
            if error.field != "cron":
                raise
            raise RefusedError(error.message, field="cron", cron=options.cron) from error
        document = {"runtemplate_id": outcome.id, "created": True}
        await tell(act, outcome.id, document, f"Run template {outcome.id} was created.", output)


@command(
    *one_id("run template"),
    option("schedule_time", type=MOMENT, default="now", help="When: now (default), +2h, or a date and time."),
    option("executor", metavar="NAME", help="Executor of this job; that of the run template unless told."),
    option("env", type=PAIR, multiple=True, help="A setting for this job alone; several times for more."),
    option("config", type=PAIR, multiple=True, help="The same as --env."),
    KEY_OPTION,
)
async def schedule_run_template(output: Output, options: Options) -> None:
    """Run a template once."""
    number = required_id(options, "run template")
    async with acting() as act:
        wish = await scheduled(act, number, options.schedule_time, options.executor, None)
        wish = msgspec.structs.replace(wish, environment={**dict(options.config), **dict(options.env)})
        outcome = await act.execute(wish, options.idempotency_key)
        await act.shown_in_history(outcome)
        (event,) = outcome.events
        assert isinstance(event, JobScheduled)
        document = {
            "runtemplate_id": number,
            "scheduled": event.not_before,
            "executor": event.executor,
            "job_id": outcome.id,
        }
    output.answer(
        document,
        f"Job {outcome.id} is in the queue. `multiflexi-cli job:watch {outcome.id}` follows it.",
    )


def given(options: Options) -> dict[str, Any]:
    """Return the fields of the command that options were given for."""
    return {FIELDS[name]: value for name, value in vars(options).items() if name in FIELDS and value is not None}


def missing(what: str, how: str) -> int:
    """Say that something was not given.

    Raises
    ------
    click.UsageError
        Always.
    """
    raise click.UsageError(f"Which {what}? Give {how}.")


async def tell(act: Acting, number: int, document: dict[str, Any], text: str, output: Output) -> None:
    """Answer what was done; with ``--verbose`` the whole run template."""
    record = await act.reader.row("run_template.find", number, None) if output.verbose else None
    if record is None:
        output.answer(document, text)
        return
    await act.reader.reveal([record], "run_template", "note")
    output.record(record, zone)
