"""What a job of a run template would be started with, without starting one."""

from __future__ import annotations

from cli.command import Options, command, one_id, required_id
from cli.failure import MissingError, RefusedError
from cli.output import Output
from cli.reading import reading
from cli.sources import setting_options
from commands import trial
from commands.environment_file import SystemFile
from commands.job_environment import PlanError
from projections.queries import query
from web.masking import masked


@command(
    *one_id("run template"),
    *setting_options("env", "A setting for this job alone"),
)
async def try_run_template(output: Output, options: Options) -> None:
    """Show what a job of a run template would be started with.

    That is the command line and the environment, each variable with where it comes from; what is secret or comes from a
    credential is masked. Nothing is started. Values of the system file are those of this host.
    """
    number = required_id(options, "run template")
    try:
        async with reading() as reader:
            async with reader.pool.acquire() as connection:
                row = await connection.fetchrow(query("run_template.trial"), number)
            if row is None:
                raise MissingError(
                    f"There is no run template {number}. `multiflexi-cli run-template:list` shows those there are."
                )
            system, keyring = SystemFile().values(), await reader.keyring()
            found = await trial.of_row(keyring, dict(row), one_off=dict(options.env), system=system, masked=masked)
    except PlanError as error:
        raise RefusedError(f"A job of run template {number} would not start. {error}") from None
    environment = [{"name": one.name, "value": one.value, "source": one.source} for one in found.environment]
    if output.json:
        output.document({"runtemplate_id": number, "command": found.command, "environment": environment})
        return
    output.record({"run template": f"{number} {found.name}", "command": found.line})
    output.text("")
    output.table(("name", "value", "source"), environment)
