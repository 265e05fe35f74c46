"""Run templates copied, made for all applications of a company, and changed many at once."""

from __future__ import annotations

import click

from cli.acting import acting
from cli.command import KEY_OPTION, Options, command, one_id, option, required_id
from cli.finding import application_id, company_id
from cli.output import Output
from cli.run_template_options import SETTINGS, given, missing
from cli.values import APPLICATION, ID
from commands.copies import MOST, clone, populate, reconfigure

COMPANY = (
    option("company_id", type=ID, help="Company, by id."),
    option("company", metavar="CODE|ID", help="Company, by code or id."),
)


@command(*one_id("run template"), option("name", metavar="TEXT", help="Name of the copy."), KEY_OPTION)
async def clone_run_template(output: Output, options: Options) -> None:
    """Copy a run template with its values and credentials.

    The copy is inactive, whatever its template is: `run-template:activate` lets it be due once you have looked at it.
    """
    number = required_id(options, "run template")
    async with acting() as act:
        outcome = await clone(act.shell, act.actor, number, options.name, key=options.idempotency_key, source="cli")
    answer = {"runtemplate_id": outcome.id, "cloned_from": number, "active": False}
    output.answer(answer, f"Run template {outcome.id} is a copy of {number}; it is inactive.")


@command(*COMPANY, *SETTINGS)
async def populate_company(output: Output, options: Options) -> None:
    """Make a run template of each application of a company that has none yet.

    All of them get the settings that are given, and are inactive unless --active says otherwise.
    """
    async with acting() as act:
        company = await company_id(act.reader, options) or missing("company", "--company or --company_id")
        fields = given(options, options.time_zone)
        if options.config:
            fields["environment"] = dict(options.config)
        made = await populate(act.shell, act.actor, company, fields, source="cli")
    records = [{"app_id": application, "runtemplate_id": outcome.id} for application, outcome in made]
    numbers = ", ".join(str(one["runtemplate_id"]) for one in records)
    text = f"{len(made)} run templates were made: {numbers}." if made else "Each application has one already."
    output.answer({"company_id": company, "created": records}, text)


@command(
    option("id", type=ID, multiple=True, help="A run template; several times for more."),
    *COMPANY,
    option("app_id", type=APPLICATION, help="Those of this application, by id or UUID."),
    option("app_uuid", metavar="UUID", help="Those of this application, by UUID."),
    *SETTINGS,
    option("unset", metavar="KEY", multiple=True, help="A setting of the application to take away."),
)
async def reconfigure_run_templates(output: Output, options: Options) -> None:
    """Change many run templates at once, all or none of them.

    Those with the ids that are given, or all of a company, of an application, or of both.
    """
    async with acting() as act:
        company, application = await company_id(act.reader, options), await application_id(act.reader, options)
        numbers = list(options.id)
        if not numbers:
            if company is None and application is None:
                raise click.UsageError("Which run templates? Give --id, --company or --app_id.")
            found = await act.reader.rows("run_template.list", company, application, MOST + 1, 0, False, None, None)
            numbers = [row["id"] for row in found.rows]
        fields = given(options, options.time_zone)
        if options.config or options.unset:
            fields["set_environment"] = {**dict(options.config), **dict.fromkeys(options.unset)}
        if not fields:
            raise click.UsageError("What is to change? Give at least one field, e.g. --interv.")
        outcomes = await reconfigure(act.shell, act.actor, numbers, fields, source="cli")
    changed = [outcome.id for outcome in outcomes if outcome.events]
    text = f"{len(changed)} of {len(outcomes)} run templates were changed; the others are like that already."
    output.answer({"updated": changed, "chosen": len(outcomes)}, text)
