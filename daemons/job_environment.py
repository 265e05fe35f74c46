"""The environment and the command line of a job, from its definition and its configuration.

Later layers win: the program's own variables, defaults of the definition and of the prototypes of its credentials, the
system file, the company, the run template, the one-off values of the job, the credentials. The command line is never
given to a shell: it is split first and filled in afterwards, so no value can add an argument.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from daemons.environment_file import SECRET, SystemFile
from daemons.job_credentials import NONE, Opened
from domain.definition import Field, fields

_EITHER = re.compile(r"\$\{(\w+)\}|\{(\w+)\}")
_DOLLAR = re.compile(r"\$\{(\w+)\}")
MASK = "******"
REMEMBERED = 256
"""Definitions that are kept decoded."""

OWN_PATH = f"{Path(sys.executable).parent}{os.pathsep}"
"""Where the program's own applications are."""


class Prepared(msgspec.Struct, frozen=True):
    """What a definition says of its processes: its settings, its defaults, its command line."""

    document: dict[str, Any]
    fields: dict[str, Field]
    defaults: dict[str, str]
    hidden: frozenset[str]
    executable: str
    arguments: list[str]
    placeholder: re.Pattern[str]
    leaves_files: bool


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is started for a job, and the values that its output must not show."""

    command: list[str]
    masked_command: list[str]
    environment: dict[str, str]
    secrets: list[str]
    definition: Prepared


class PlanError(Exception):
    """The definition or the values of a job make no command line; the message says why."""


_prepared: dict[str, Prepared] = {}


def prepare(definition: str | Mapping[str, Any] | None) -> Prepared:
    """Return a definition, given as JSON text or decoded, ready for use; the same text is decoded once.

    Raises
    ------
    PlanError
        Its command line has a quote without its other half.
    """
    text = definition if isinstance(definition, str) else None
    if text is not None and (known := _prepared.get(text)) is not None:
        return known
    document: dict[str, Any] = msgspec.json.decode(text) if text is not None else dict(definition or {})  # type: ignore[arg-type]
    template = document.get("cmdparamsTemplate")
    named = fields(document)
    try:
        arguments = shlex.split(str(template or document.get("cmdparams") or ""))
    except ValueError as error:
        raise PlanError(f"The definition's command line cannot be understood: {error}.") from error
    made = Prepared(
        document,
        named,
        {name: field.default for name, field in named.items() if field.default},
        frozenset(name for name, field in named.items() if field.secret or secret_by_flag(document, name)),
        str(document.get("executable") or ""),
        arguments,
        _DOLLAR if template else _EITHER,
        bool(document.get("artifacts")),
    )
    if text is not None:
        if len(_prepared) >= REMEMBERED:
            _prepared.clear()
        _prepared[text] = made
    return made


def base_environment(folder: str) -> dict[str, str]:
    """Return what every job has.

    A path that finds the program's own applications, its folder as home and for temporary files.
    """
    return {
        "PATH": OWN_PATH + os.environ.get("PATH", os.defpath),
        "HOME": folder,
        "TMPDIR": folder,
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }


def plan(job: Mapping[str, Any], folder: str, system: SystemFile, token: str, credentials: Opened = NONE) -> Plan:
    """Work out what to start.

    Parameters
    ----------
    job : Mapping[str, Any]
        ``definition`` (JSON text), ``company_environment``, ``template_environment``, ``environment`` (decoded JSON),
        ``job_id``, ``company_id``, ``run_template_id``, ``company_name``, ``company_slug``, ``zone``.
    folder : str
        Working directory of the job.
    system : SystemFile
        Values of the host.
    token : str
        Mark by which the processes of this job are known.
    credentials : Opened
        What the credentials of its run template give.

    Raises
    ------
    PlanError
        There is nothing to start, a credential lacks what it requires, or a value cannot be passed to a process.
    """
    definition = prepare(job["definition"])
    shared = {**system.values(), **(job.get("company_environment") or {})}
    values = {
        **definition.defaults,
        **credentials.defaults,
        **shared,
        **(job["template_environment"] or {}),
        **(job["environment"] or {}),
        **credentials.values,
    }
    own = {
        "MULTIFLEXI_JOB_ID": str(job["job_id"]),
        "MULTIFLEXI_JOB_TOKEN": token,
        "MULTIFLEXI_RUNTEMPLATE_ID": str(job["run_template_id"]),
        "MULTIFLEXI_COMPANY_ID": str(job["company_id"]),
        "COMPANY": job["company_slug"] or "",
        "COMPANY_NAME": job["company_name"] or "",
    }
    for name, credential in credentials.required.items():
        if not values.get(name):
            raise PlanError(f"The credential “{credential}” requires {name}, which has no value. Give it one.")
    hidden = definition.hidden | credentials.hidden
    if shared:
        hidden |= {name for name in shared if SECRET.search(name)}
    expand(values, hidden | credentials.values.keys(), own)
    environment = {**base_environment(folder), "TZ": job["zone"], **values, **own}
    check(environment)
    secrets = [values[name] for name in hidden if values.get(name)]
    secrets += credentials.secrets
    command = command_line(definition, environment)
    return Plan(
        command=command,
        masked_command=[mask_text(part, secrets) for part in command] if secrets else command,
        environment=environment,
        secrets=secrets,
        definition=definition,
    )


def secret_by_flag(document: Mapping[str, Any], name: str) -> bool:
    """Return whether a setting says ``"secret": true`` of itself."""
    return document["environment"][name].get("secret") is True


def expand(values: dict[str, str], hidden: frozenset[str], own: Mapping[str, str]) -> None:
    """Fill ``{NAME}`` in values with the value of that variable, once; names that there are none of stay as they are.

    Values that are hidden stay as they were given.
    """
    given = {**values, **own}
    for name, value in values.items():
        if "{" in value and name not in hidden:
            values[name] = _EITHER.sub(
                lambda match, name=name: (
                    match.group()
                    if (other := match.group(1) or match.group(2)) == name
                    else given.get(other, match.group())
                ),
                value,
            )


def check(environment: Mapping[str, str]) -> None:
    """Refuse what no process can be given: names with ``=``, values with a zero byte (environ(7))."""
    for name, value in environment.items():
        if not name or "=" in name or "\0" in name:
            raise PlanError(f"The environment has a variable {name!r}: a name may not be empty nor hold '='.")
        if "\0" in value:
            raise PlanError(f"The value of {name} holds a zero byte, which no process can be given.")


def command_line(definition: Prepared, environment: Mapping[str, str]) -> list[str]:
    """Return the executable and its parameters.

    ``{VAR}`` and ``${VAR}`` in ``cmdparams``, ``${VAR}`` in ``cmdparamsTemplate`` stand for values of the environment.
    A setting of the definition without a value becomes empty, any other name stays as it is.

    Raises
    ------
    PlanError
        The definition names no executable.
    """
    if not definition.executable:
        raise PlanError("The application's definition names no executable.")

    def value(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(match.lastindex or 1)
        return environment.get(name, "" if name in definition.fields else match.group())

    return [definition.executable, *(definition.placeholder.sub(value, part) for part in definition.arguments)]


def mask_text(text: str, secrets: list[str]) -> str:
    """Return a text with secret values replaced."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
