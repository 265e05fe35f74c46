"""The environment and the command line of a job, from its definition and its configuration.

Later layers win: the program's own variables, defaults of the definition, the run template, the one-off values of the
job. The command line is never given to a shell: it is split first and filled in afterwards, so no value can add an
argument.
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

SECRET_TYPES = frozenset({"password", "secret"})
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}|\{(\w+)\}")
MASK = "******"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is started for a job, and the values that its output must not show."""

    command: list[str]
    masked_command: list[str]
    environment: dict[str, str]
    secrets: list[str]


def base_environment(folder: Path) -> dict[str, str]:
    """Return what every job has.

    A path that finds the program's own applications, its folder as home and for temporary files.
    """
    own = str(Path(sys.executable).parent)
    return {
        "PATH": f"{own}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": os.environ.get("LANG", "C.UTF-8"),
    }


def default_of(field: Mapping[str, Any]) -> str | None:
    """Return the default value of an environment field of a definition as text, or None if it has none."""
    value = field.get("defval")
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def plan(job: Mapping[str, Any], folder: Path) -> Plan:
    """Work out what to start.

    Parameters
    ----------
    job : Mapping[str, Any]
        ``definition``, ``template_environment``, ``environment`` (decoded JSON), ``job_id``, ``company_id``,
        ``run_template_id``, ``company_name``, ``company_slug``, ``zone``.
    folder : Path
        Working directory of the job.
    """
    definition: Mapping[str, Any] = job["definition"] or {}
    fields: Mapping[str, Any] = definition.get("environment") or {}
    values = {name: text for name, field in fields.items() if (text := default_of(field)) is not None}
    values |= job["template_environment"] or {}
    values |= job["environment"] or {}
    environment = {
        **base_environment(folder),
        "TZ": job["zone"],
        **values,
        "MULTIFLEXI_JOB_ID": str(job["job_id"]),
        "MULTIFLEXI_RUNTEMPLATE_ID": str(job["run_template_id"]),
        "MULTIFLEXI_COMPANY_ID": str(job["company_id"]),
        "COMPANY": job["company_slug"] or "",
        "COMPANY_NAME": job["company_name"] or "",
    }
    secrets = [
        values[name]
        for name, field in fields.items()
        if values.get(name) and (field.get("type") in SECRET_TYPES or field.get("secret") is True)
    ]
    command = command_line(definition, environment)
    return Plan(
        command=command,
        masked_command=[mask_text(part, secrets) for part in command],
        environment=environment,
        secrets=secrets,
    )


def command_line(definition: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Return the executable and its parameters; ``${VAR}`` and ``{VAR}`` stand for values of the environment."""
    template = definition.get("cmdparamsTemplate") or definition.get("cmdparams") or ""
    executable = str(definition.get("executable") or "")
    return [executable, *(fill(part, environment) for part in shlex.split(str(template)))]


def fill(part: str, environment: Mapping[str, str]) -> str:
    """Return a parameter with its placeholders filled in; unknown ones become empty."""
    return _PLACEHOLDER.sub(lambda match: environment.get(match.group(1) or match.group(2), ""), part)


def mask_text(text: str, secrets: list[str]) -> str:
    """Return a text with secret values replaced."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
