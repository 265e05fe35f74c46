"""Companies created, changed and removed."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from cli.acting import Acting, acting, warn
from cli.command import KEY_OPTION, Options, boolean, command, flag, one_id, option, required_id
from cli.commands.company import add_environment, zone
from cli.commands.company_states import dependents, told
from cli.failure import MissingError
from cli.output import Output
from cli.sources import setting_options
from cli.values import ID, Count, OrEmpty
from domain.company import KEPT, ChangeCompany, CreateCompany, RemoveCompany

FIELDS = {
    "name": "name",
    "slug": "code",
    "time_zone": "time_zone",
    "enabled": "enabled",
    "ic": "registration_number",
    "dic": "vat_number",
    "email": "email",
    "logo": "logo",
    "customer": "customer_id",
    "server": "server_id",
    "zabbix_host": "zabbix_host",
    "max_parallel": "max_parallel",
    "keep_output": "keep_output",
    "keep_artifacts": "keep_artifacts",
    "keep_history": "keep_history",
}
"""Fields of the command by the names of options."""

EMPTIED = (
    "customer_id",
    "server_id",
    "registration_number",
    "vat_number",
    "email",
    "logo",
    "zabbix_host",
    "max_parallel",
    *KEPT,
)
"""Fields that an empty option takes away."""

WHAT_IS_KEPT = ("output of jobs can be read", "files of jobs are kept", "jobs stay in the history")


def details() -> tuple[click.Parameter, ...]:
    """Return the options for what a company is, but its name."""
    return (
        option("slug", metavar="CODE", help="Unique code; made from the name unless told."),
        option("ic", metavar="NUMBER", help="IČO, the registration number."),
        option("dic", metavar="NUMBER", help="DIČ, the VAT number."),
        option("email", metavar="ADDRESS", help="Mail address; stored encrypted."),
        option("logo", metavar="URL", help="Logo, as URL or data URL."),
        option("customer", type=OrEmpty(ID), help="Id of the customer."),
        option("server", type=OrEmpty(ID), help="Id of the server."),
        option("zabbix_host", metavar="NAME", help="Host name in Zabbix."),
        option("settings", metavar="JSON", help='Settings, e.g. \'{"key": "value"}\'.'),
        option("time_zone", metavar="ZONE", help="Time zone, e.g. Europe/Prague."),
        boolean("enabled", "Whether jobs of the company run."),
        option(
            "max_parallel",
            type=OrEmpty(Count(1)),
            metavar="N",
            help="Jobs of the company at once; any number unless told.",
        ),
        *(
            option(name, type=OrEmpty(Count(1)), metavar="DAYS", help=f"Days for which {what}; for ever unless told.")
            for name, what in zip(KEPT, WHAT_IS_KEPT, strict=True)
        ),
        *setting_options("env", "A variable for all jobs of the company, stored encrypted"),
    )


@command(option("name", required=True, metavar="TEXT", help="Name of the company."), *details(), KEY_OPTION)
async def create_company(output: Output, options: Options) -> None:
    """Create a company."""
    fields = {name: value for name, value in given(options).items() if value is not None}
    wish = CreateCompany(environment=dict(options.env), **fields)
    async with acting() as act:
        outcome = await act.execute(wish, options.idempotency_key)
        warn(outcome, output)
        await tell(act, outcome.id, {"company_id": outcome.id}, f"Company {outcome.id} was created.", output)


@command(
    *one_id("company"),
    option("name", metavar="TEXT", help="Name of the company."),
    *details(),
    option("unset_env", metavar="KEY", multiple=True, help="A variable of its jobs to take away."),
    KEY_OPTION,
)
async def update_company(output: Output, options: Options) -> None:
    """Change a company.

    An empty value takes a field away: --email ''.
    """
    number = required_id(options, "company")
    fields = given(options)
    variables = {**dict(options.env), **dict.fromkeys(options.unset_env)}
    if not fields and not variables:
        raise click.UsageError("What is to change? Give at least one field, e.g. --name.")
    wish = ChangeCompany(company_id=number, set_environment=variables, **fields)
    async with acting() as act:
        outcome = await act.execute(wish, options.idempotency_key)
        warn(outcome, output)
        if outcome.events:
            await tell(act, number, {"updated": True, "company_id": number}, f"Company {number} was changed.", output)
            return
        text = f"Company {number} is like that already; nothing was changed."
        await tell(act, number, {"updated": False, "company_id": number, "message": text}, text, output)


@command(
    *one_id("company"),
    flag("cascade", help="Its run templates and credentials go with it."),
    flag("dry-run", help="Tell what would go with it; remove nothing."),
    KEY_OPTION,
)
async def remove_company(output: Output, options: Options) -> None:
    """Remove a company.

    What happened in it stays in the log; the keys of its credentials are destroyed.
    """
    number = required_id(options, "company")
    async with acting() as act:
        if options.dry_run:
            if await act.reader.row("company.find", number, None, None, None) is None:
                raise MissingError("There is no such company. `multiflexi-cli company:list` shows those there are.")
            there = await dependents(act, number)
            text = f"Company {number} is still there. With it would go: {told(there)}."
            output.answer({"company_id": number, "removed": False, "dependents": there}, text)
            return
        await act.execute(RemoveCompany(company_id=number, cascade=options.cascade), options.idempotency_key)
    output.answer({"company_id": number, "removed": True}, f"Company {number} was removed.")


def given(options: Options) -> dict[str, Any]:
    """Return the fields of the command that options were given for."""
    fields = {FIELDS[name]: value for name, value in vars(options).items() if name in FIELDS and value is not None}
    for name in EMPTIED:
        if fields.get(name) == "":
            fields[name] = None
    if options.settings is not None:
        fields["settings"] = settings(options.settings)
    return fields


def settings(text: str) -> dict[str, str]:
    """Return the settings in a JSON text.

    Raises
    ------
    click.UsageError
        It is no object of texts.
    """
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, str])
    except msgspec.DecodeError as error:
        raise click.UsageError(f'--settings takes a JSON object of texts, e.g. {{"key": "value"}}: {error}.') from None


async def tell(act: Acting, company_id: int, document: dict[str, Any], text: str, output: Output) -> None:
    """Answer what was done; with ``--verbose`` the whole company."""
    record = await act.reader.row("company.find", company_id, None, None, None) if output.verbose else None
    if record is None:
        output.answer(document, text)
        return
    await act.reader.reveal([record], "company", "email")
    await add_environment(act.reader, [record])
    output.record(record, zone)
