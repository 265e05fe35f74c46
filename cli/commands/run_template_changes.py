"""Run templates created, changed and removed, switched on and off, and run once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec

from cli.acting import Acting, acting, warn
from cli.cells import cell
from cli.command import KEY_OPTION, Options, command, one_id, option, required_id
from cli.commands.job_changes import AT_OPTIONS, scheduled
from cli.commands.run_template import zone
from cli.environments import show_environments
from cli.failure import MissingError, RefusedError
from cli.finding import application_id, company_id
from cli.output import Output
from cli.run_template_options import SETTINGS, given, missing
from cli.sources import setting_options
from cli.values import APPLICATION, ID, MOMENT
from domain.errors import ValidationError
from domain.job_events import JobScheduled
from domain.run_template import (
    ActivateRunTemplate,
    ChangeRunTemplate,
    CreateRunTemplate,
    DeactivateRunTemplate,
    RemoveRunTemplate,
)

WHOSE = (
    option("app_id", type=APPLICATION, help="Application, by id or UUID."),
    option("app_uuid", metavar="UUID", help="Application, by UUID."),
    option("company_id", type=ID, help="Company, by id."),
    option("company", metavar="CODE|ID", help="Company, by code or id."),
)


@command(option("name", required=True, metavar="TEXT", help="Name of the run template."), *WHOSE, *SETTINGS, KEY_OPTION)
async def create_run_template(output: Output, options: Options) -> None:
    """Configure an application for a company."""
    async with acting() as act:
        owner = await company_id(act.reader, options) or missing("company", "--company or --company_id")
        company = await act.reader.row("company.find", owner, None, None, None)
        wish = CreateRunTemplate(
            company_id=owner,
            application_id=await application_id(act.reader, options)
            or missing("application", "--app_id or --app_uuid"),
            environment=dict(options.config),
            **given(options, options.time_zone or (company["time_zone"] if company else None)),
        )
        with cron_repeated(options.cron):
            outcome = await act.execute(wish, options.idempotency_key)
        document = {"runtemplate_id": outcome.id, "created": True}
        await tell(act, outcome.id, document, f"Run template {outcome.id} was created.", output)


@command(
    *one_id("run template"),
    option("name", metavar="TEXT", help="Name of the run template."),
    *WHOSE,
    *SETTINGS,
    option("unset", metavar="KEY", multiple=True, help="A setting of the application to take away."),
    KEY_OPTION,
)
async def update_run_template(output: Output, options: Options) -> None:
    """Change a run template.

    What is not given stays as it is; an empty value takes a field away: --end_at ''. Company and application stay.
    """
    number = required_id(options, "run template")
    async with acting() as act:
        template = await present(act, number)
        await check_owners(act, template, options)
        fields = given(options, options.time_zone or template["zone"])
        settings = {**dict(options.config), **dict.fromkeys(options.unset)}
        if not fields and not settings:
            raise click.UsageError("What is to change? Give at least one field, e.g. --interv.")
        wish = ChangeRunTemplate(run_template_id=number, set_environment=settings, **fields)
        with cron_repeated(options.cron):
            outcome = await act.execute(wish, options.idempotency_key)
        warn(outcome, output)
        changed = bool(outcome.events)
        text = f"Run template {number} was changed."
        if not changed:
            text = f"Run template {number} is like that already; nothing was changed."
        await tell(act, number, {"runtemplate_id": number, "updated": changed}, text, output)


@command(*one_id("run template"), KEY_OPTION)
async def delete_run_template(output: Output, options: Options) -> None:
    """Remove a run template.

    Its jobs that wait are cancelled; those that run go on; what happened stays in the history.
    """
    number = required_id(options, "run template")
    async with acting() as act:
        await act.execute(RemoveRunTemplate(run_template_id=number), options.idempotency_key)
    text = f"Run template {number} was removed, its waiting jobs were cancelled. Its history stays."
    output.answer({"runtemplate_id": number, "deleted": True}, text)


@command(*one_id("run template"), KEY_OPTION)
async def activate_run_template(output: Output, options: Options) -> None:
    """Let a run template be due again, from now on."""
    number = required_id(options, "run template")
    async with acting() as act:
        outcome = await act.execute(ActivateRunTemplate(run_template_id=number), options.idempotency_key)
        template = await present(act, number)
        done = "is" if outcome.events else "was already"
        due = template["next_schedule"]
        when = f"it is due next at {cell(due, zone(template))}" if due else "but nothing is due: look at its schedule"
        text = f"Run template {number} {done} active; {when}."
        document = {"runtemplate_id": number, "active": True, "next_schedule": template["next_schedule"]}
        await tell(act, number, document, text, output)


@command(
    *one_id("run template"),
    option("reason", metavar="TEXT", help="Why; it is shown until the run template is active again."),
    KEY_OPTION,
)
async def deactivate_run_template(output: Output, options: Options) -> None:
    """Keep a run template from being due; it can still be run by hand."""
    number = required_id(options, "run template")
    async with acting() as act:
        outcome = await act.execute(
            DeactivateRunTemplate(run_template_id=number, reason=options.reason), options.idempotency_key
        )
        done = "is" if outcome.events else "was already"
        document = {"runtemplate_id": number, "active": False, "next_schedule": None}
        await tell(act, number, document, f"Run template {number} {done} inactive.", output)


@command(
    *one_id("run template"),
    option("schedule_time", type=MOMENT, default="now", help="When: now (default), +2h, or a date and time."),
    *AT_OPTIONS,
    *setting_options("config", "The same as --env"),
    KEY_OPTION,
)
async def schedule_run_template(output: Output, options: Options) -> None:
    """Run a template once."""
    number = required_id(options, "run template")
    async with acting() as act:
        wish = await scheduled(act, number, options.schedule_time, options.executor, None)
        wish = msgspec.structs.replace(wish, environment={**dict(options.config), **dict(options.env)})
        outcome = await act.execute(wish, options.idempotency_key)
        warn(outcome, output)
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


@contextmanager
def cron_repeated(expression: str | None) -> Iterator[None]:
    """Repeat a cron expression in the answer when it is what is wrong."""
    try:
        yield
    except ValidationError as error:
        if error.field != "cron":
            raise
        raise RefusedError(error.message, field="cron", cron=expression) from error


async def present(act: Acting, number: int) -> dict[str, Any]:
    """Return a run template.

    Raises
    ------
    MissingError
        There is none of that id.
    """
    template = await act.reader.row("run_template.find", number, None)
    if template is None:
        raise MissingError(
            f"There is no run template {number}. `multiflexi-cli run-template:list` shows those there are."
        )
    return template


async def check_owners(act: Acting, template: dict[str, Any], options: Options) -> None:
    """Refuse another company or another application than those that a run template has.

    Raises
    ------
    RefusedError
        One of them is to change.
    """
    for what, found, field in (
        ("company", await company_id(act.reader, options), "company_id"),
        ("application", await application_id(act.reader, options), "app_id"),
    ):
        if found not in (None, template[field]):
            raise RefusedError(
                f"Run template {template['id']} belongs to {what} {template[field]}, and stays with it: its history "
                f"does. Create another one for {what} {found}.",
                field=field,
            )


async def tell(act: Acting, number: int, document: dict[str, Any], text: str, output: Output) -> None:
    """Answer what was done; with ``--verbose`` the whole run template."""
    record = await act.reader.row("run_template.find", number, None) if output.verbose else None
    if record is None:
        output.answer(document, text)
        return
    await act.reader.reveal([record], "run_template", "note")
    await show_environments(act.reader, [record], "run_template")
    output.record(record, zone)
