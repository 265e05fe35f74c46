"""What a job of a run template would be started with, without starting one."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from cli.command import Options, command, one_id, option, required_id
from cli.failure import MissingError, RefusedError
from cli.output import Output
from cli.reading import Reader, reading
from cli.values import PAIR
from daemons.environment_file import SystemFile
from daemons.environments import opened
from daemons.job_credentials import NONE, Opened
from daemons.job_credentials import opened as opened_credentials
from daemons.job_environment import MASK, Outline, Plan, PlanError, decoded, mask_text, outline, plan
from eventstore.errors import SecretError
from projections.queries import query
from web.masking import masked

FOLDER = "(its own folder)"
LEFT_OUT = ("MULTIFLEXI_JOB_ID", "MULTIFLEXI_JOB_TOKEN")
"""What only a job has."""


@command(
    *one_id("run template"),
    option("env", type=PAIR, multiple=True, help="A setting for this job alone; several times for more."),
)
async def try_run_template(output: Output, options: Options) -> None:
    """Show what a job of a run template would be started with.

    That is the command line and the environment, each variable with where it comes from; what is secret or comes from a
    credential is masked. Nothing is started. Values of the system file are those of this host.
    """
    number = required_id(options, "run template")
    async with reading() as reader:
        job, credentials = await claimed(reader, number, dict(options.env))
    system = SystemFile().values()
    try:
        outlined = outline(job, system, credentials)
        planned = plan(outlined, 0, FOLDER, "")
    except PlanError as error:
        raise RefusedError(f"A job of run template {number} would not start. {error}") from None
    sources = sources_of(job, outlined, system, credentials)
    environment = [
        {"name": name, "value": shown(name, value, outlined, planned, credentials), "source": sources.get(name, "job")}
        for name, value in sorted(planned.environment.items())
        if name not in LEFT_OUT
    ]
    line = shlex.join(planned.masked_command)
    if output.json:
        output.document({"runtemplate_id": number, "command": planned.masked_command, "environment": environment})
        return
    output.record({"run template": f"{number} {job['name']}", "command": line})
    output.text("")
    output.table(("name", "value", "source"), environment)


async def claimed(reader: Reader, number: int, one_off: Mapping[str, str]) -> tuple[dict[str, Any], Opened]:
    """Return a run template as an executor gets its job, environments in clear, and what its credentials give.

    Raises
    ------
    MissingError
        There is none of that id.
    RefusedError
        A value cannot be opened.
    """
    async with reader.pool.acquire() as connection:
        row = await connection.fetchrow(query("run_template.trial"), number)
    if row is None:
        raise MissingError(
            f"There is no run template {number}. `multiflexi-cli run-template:list` shows those there are."
        )
    keyring = await reader.keyring()
    try:
        clear = await opened(keyring, dict(row), lambda: False)
        listed = msgspec.json.decode(row["credentials"] or "[]")
        credentials = await opened_credentials(keyring, listed) if listed else NONE
    except (PlanError, SecretError) as error:
        raise RefusedError(f"A job of run template {number} would not start. {error}") from None
    environment = msgspec.json.encode(one_off).decode() if one_off else None
    return {**row, **clear, "environment": environment}, credentials


def sources_of(
    job: Mapping[str, Any], outlined: Outline, system: Mapping[str, str], credentials: Opened
) -> dict[str, str]:
    """Return where each variable comes from; later layers win."""
    layers: tuple[tuple[str, Mapping[str, str]], ...] = (
        ("multiflexi", outlined.base),
        ("application", outlined.definition.defaults),
        ("prototype", credentials.defaults),
        ("system", system),
        ("company", decoded(job["company_environment"])),
        ("template", decoded(job["template_environment"])),
        ("job", decoded(job["environment"])),
        ("credential", credentials.values),
        ("multiflexi", outlined.own),
    )
    return {name: layer for layer, values in layers for name in values} | {
        name: "multiflexi" for name in ("HOME", "TMPDIR") if name not in outlined.values
    }


def shown(name: str, value: str, outlined: Outline, planned: Plan, credentials: Opened) -> str:
    """Return a value as it may be shown."""
    if value and (name in outlined.hidden or name in credentials.values):
        return MASK
    return mask_text(masked({name: value})[name], planned.secrets)
