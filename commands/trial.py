"""What a job of a run template would be started with, without starting one: its command line and its environment."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from commands.credential_opening import NONE, Opened
from commands.credential_opening import opened as opened_credentials
from commands.job_environment import MASK, Outline, Plan, PlanError, decoded, mask_text, outline, plan
from domain.definition import missing
from domain.event import Erased
from eventstore.errors import MasterKeyError, SecretError
from eventstore.keyring import Keyring

FOLDER = "(its own folder)"
LEFT_OUT = ("MULTIFLEXI_JOB_ID", "MULTIFLEXI_JOB_TOKEN")
"""What only a job has."""

PROGRAM, JOB = "multiflexi", "job"

Masked = Callable[[Mapping[str, str]], dict[str, str]]


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A variable of the environment.

    Attributes
    ----------
    name, value : str
        The value as it may be shown.
    source : str
        Where it comes from: ``multiflexi``, ``application``, ``prototype``, ``system``, ``company``, ``template``,
        ``job`` or ``credential``.
    hides : list[str]
        Where else it has a value, which this one goes before: the nearest first.
    """

    name: str
    value: str
    source: str
    hides: list[str] = []


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a job would be started with; what is secret or comes from a credential is masked.

    ``missing`` are the variables that the application requires and that have no value.
    """

    run_template_id: int
    name: str
    command: list[str]
    environment: list[Variable]
    missing: list[str]

    @property
    def line(self) -> str:
        """The command line as a shell would take it."""
        return shlex.join(self.command)


async def of_row(
    keyring: Keyring, row: Mapping[str, Any], *, one_off: Mapping[str, str], system: Mapping[str, str], masked: Masked
) -> Trial:
    """Return what a job of a run template would be started with.

    Parameters
    ----------
    row : Mapping[str, Any]
        What the query ``run_template.trial`` answers.
    one_off : Mapping[str, str]
        Values of the job alone.
    system : Mapping[str, str]
        Values of the system file of a host.
    masked : Callable
        Hides what looks secret of an environment.

    Raises
    ------
    PlanError
        It would not start; the message says why.
    """
    try:
        clear = await _opened(keyring, row)
        listed = msgspec.json.decode(row["credentials"] or "[]")
        credentials = await opened_credentials(keyring, listed) if listed else NONE
    except (SecretError, MasterKeyError) as error:
        raise PlanError(str(error)) from None
    job = {**row, **clear, "environment": msgspec.json.encode(one_off).decode() if one_off else None}
    outlined = outline(job, system, credentials)
    planned = plan(outlined, 0, FOLDER, "")
    sources = _sources(job, outlined, system, credentials)
    return Trial(
        run_template_id=row["run_template_id"],
        name=row["name"],
        command=planned.masked_command,
        environment=[
            Variable(
                name=name,
                value=_shown(name, value, outlined, planned, credentials, masked),
                source=(found := sources.get(name, [JOB]))[-1],
                hides=[one for one in reversed(found[:-1]) if one != found[-1]],
            )
            for name, value in sorted(planned.environment.items())
            if name not in LEFT_OUT
        ],
        missing=list(missing(outlined.definition.document, planned.environment)),
    )


async def _opened(keyring: Keyring, row: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the environments of company and template in clear, as JSON text; None where there is none."""
    places = {"company_environment": f"company-{row['company_id']}", "template_environment": _template(row)}
    sealed = [(msgspec.json.decode(row[name] or "null"), f"{stream}|environment") for name, stream in places.items()]
    clear = await keyring.reveal(sealed)
    return {
        name: text if isinstance(text, str) else None
        for name, text in zip(places, (None if isinstance(one, Erased) else one for one in clear), strict=True)
    }


def _template(row: Mapping[str, Any]) -> str:
    return f"run_template-{row['run_template_id']}"


def _sources(
    job: Mapping[str, Any], outlined: Outline, system: Mapping[str, str], credentials: Opened
) -> dict[str, list[str]]:
    """Return of each variable the layers that give it; the last one counts."""
    layers: tuple[tuple[str, Mapping[str, str]], ...] = (
        (PROGRAM, outlined.base),
        ("application", outlined.definition.defaults),
        ("prototype", credentials.defaults),
        ("system", system),
        ("company", decoded(job["company_environment"])),
        ("template", decoded(job["template_environment"])),
        (JOB, decoded(job["environment"])),
        ("credential", credentials.values),
        (PROGRAM, outlined.own),
    )
    found: dict[str, list[str]] = {}
    for layer, values in layers:
        for name in values:
            found.setdefault(name, []).append(layer)
    for name in ("HOME", "TMPDIR"):
        if name not in outlined.values:
            found[name] = [PROGRAM]
    return found


def _shown(name: str, value: str, outlined: Outline, planned: Plan, credentials: Opened, masked: Masked) -> str:
    """Return a value as it may be shown."""
    if value and (name in outlined.hidden or name in credentials.values):
        return MASK
    return mask_text(masked({name: value})[name], planned.secrets)
