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

from commands.credential_opening import NONE, Opened
from commands.environment_file import SECRET, SystemFile
from domain.definition import Field, fields

_EITHER = re.compile(r"\$\{(\w+)\}|\{(\w+)\}")
_DOLLAR = re.compile(r"\$\{(\w+)\}")
MASK = "******"
REMEMBERED = 256
"""Definitions that are kept decoded, and settings that are kept worked out."""

NEUTRAL = "C.UTF-8"

SETTINGS = (
    "definition",
    "company_environment",
    "template_environment",
    "environment",
    "company_id",
    "run_template_id",
    "company_name",
    "company_slug",
    "zone",
)
"""What a plan depends on, beside the job itself: columns of ``claim_jobs``."""

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


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all jobs of the same settings.

    Attributes
    ----------
    definition : Prepared
        The application's.
    base, values, own : dict[str, str]
        Variables of every job; those of the settings, by the order of their layers; the job's own, which win.
    hidden, literal : frozenset[str]
        Names whose values must not be shown; those whose values refer to no variables.
    secrets : list[str]
        Further values that must not be shown.
    plain : Plan or None
        The plan but for what is the job's alone, where no value or argument refers to a variable.
    """

    definition: Prepared
    base: dict[str, str]
    values: dict[str, str]
    own: dict[str, str]
    hidden: frozenset[str]
    literal: frozenset[str]
    secrets: list[str]
    plain: Plan | None = None


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


def base_environment() -> dict[str, str]:
    """Return what every job has, but for its folder: a path that finds the program's own applications, and UTF-8.

    Where the executor has no language of its own, only the encoding is set: of C.UTF-8 nothing else differs from C, and
    each further category is a file that every program of a job would load as it starts (setlocale(3)).
    """
    language = os.environ.get("LANG", NEUTRAL)
    return {
        "PATH": OWN_PATH + os.environ.get("PATH", os.defpath),
        **({"LC_CTYPE": NEUTRAL} if language == NEUTRAL else {"LANG": language}),
    }


def outline(job: Mapping[str, Any], system: Mapping[str, str], credentials: Opened = NONE) -> Outline:
    """Work out what is the same for all jobs of the same settings.

    Parameters
    ----------
    job : Mapping[str, Any]
        ``definition``, ``company_environment``, ``template_environment``, ``environment`` (each JSON text in clear, or
        None), ``company_id``, ``run_template_id``, ``company_name``, ``company_slug``, ``zone``.
    system : Mapping[str, str]
        Values of the system file.
    credentials : Opened
        What the credentials of the run template give.

    Raises
    ------
    PlanError
        The command line cannot be understood, there is nothing to start, a credential lacks what it requires, or a
        value cannot be passed to a process.
    """
    definition = prepare(job["definition"])
    chosen = {
        **system,
        **decoded(job.get("company_environment")),
        **decoded(job.get("template_environment")),
        **decoded(job.get("environment")),
    }
    values = {
        **definition.defaults,
        **credentials.defaults,
        **chosen,
        **credentials.values,
    }
    own = {
        "MULTIFLEXI_RUNTEMPLATE_ID": str(job["run_template_id"]),
        "MULTIFLEXI_COMPANY_ID": str(job["company_id"]),
        "COMPANY": job["company_slug"] or "",
        "COMPANY_NAME": job["company_name"] or "",
    }
    for name, credential in credentials.required.items():
        if not values.get(name):
            raise PlanError(f"The credential “{credential}” requires {name}, which has no value. Give it one.")
    base = {**base_environment(), "TZ": job["zone"]}
    if "LANG" in values or "LC_ALL" in values:
        base.pop("LC_CTYPE", None)
    hidden = definition.hidden | credentials.hidden
    if chosen:
        hidden |= {name for name in chosen if SECRET.search(name)}
    made = Outline(
        definition=definition,
        base=base,
        values=values,
        own=own,
        hidden=hidden,
        literal=hidden | credentials.values.keys(),
        secrets=credentials.secrets,
    )
    refers = any("{" in value for name, value in values.items() if name not in made.literal)
    if refers or any("{" in part for part in definition.arguments):
        return made
    return msgspec.structs.replace(made, plain=filled(made, {**base, **values, **own}, values))


def decoded(environment: str | None) -> dict[str, str]:
    """Return an environment that is given as JSON text or not at all."""
    return msgspec.json.decode(environment) or {} if environment else {}


def filled(outlined: Outline, environment: dict[str, str], values: Mapping[str, str]) -> Plan:
    """Return the plan for an environment whose values are what they are to be."""
    check(environment)
    secrets = [values[name] for name in outlined.hidden if values.get(name)] + outlined.secrets
    command = command_line(outlined.definition, environment)
    return Plan(
        command=command,
        masked_command=[mask_text(part, secrets) for part in command] if secrets else command,
        environment=environment,
        secrets=secrets,
        definition=outlined.definition,
    )


def plan(outlined: Outline, job_id: int, folder: str, token: str) -> Plan:
    """Work out what to start.

    Parameters
    ----------
    outlined : Outline
        What the job has in common with others.
    job_id : int
        The job.
    folder : str
        Its working directory.
    token : str
        Mark by which its processes are known.

    Raises
    ------
    PlanError
        A value cannot be passed to a process.
    """
    values = outlined.values
    mine = {"MULTIFLEXI_JOB_ID": str(job_id), "MULTIFLEXI_JOB_TOKEN": token}
    folders = {name: values.get(name, folder) for name in ("HOME", "TMPDIR")}
    if (plain := outlined.plain) is not None:
        return Plan(
            command=plain.command,
            masked_command=plain.masked_command,
            environment={**plain.environment, **folders, **mine},
            secrets=plain.secrets,
            definition=plain.definition,
        )
    own = {**outlined.own, **mine}
    expanded = dict(values)
    expand(expanded, outlined.literal, own)
    return filled(outlined, {**outlined.base, "HOME": folder, "TMPDIR": folder, **expanded, **own}, expanded)


class Planner:
    """Plans jobs, and remembers what those of the same settings have in common.

    Parameters
    ----------
    system : SystemFile
        Values of the host.
    """

    def __init__(self, system: SystemFile) -> None:
        self._system = system
        self._shared = system.values()
        self._outlines: dict[tuple[object, ...], Outline] = {}

    def plan(self, job: Mapping[str, Any], folder: str, token: str, credentials: Opened = NONE) -> Plan:
        """Work out what to start for a row of ``claim_jobs``; see :func:`outline` and :func:`plan`.

        What was opened for this job from its credentials is not remembered.
        """
        shared = self._system.values()
        if credentials is not NONE:
            return plan(outline(job, shared, credentials), job["job_id"], folder, token)
        if shared is not self._shared or len(self._outlines) >= REMEMBERED:
            self._outlines.clear()
            self._shared = shared
        settings = tuple([job[name] for name in SETTINGS])
        known = self._outlines.get(settings)
        if known is None:
            known = self._outlines[settings] = outline(job, shared)
        return plan(known, job["job_id"], folder, token)


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
