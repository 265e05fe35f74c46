"""Run templates made of others, of the applications that a company has, and changed many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from commands.actor import Actor, authorise
from commands.facts import available, sql
from commands.preparing import Outcome
from commands.shell import Shell
from domain.aggregates import RUN_TEMPLATE
from domain.command import Command
from domain.errors import NotFoundError, ValidationError
from domain.run_template import (
    AssignCredential,
    ChangeRunTemplate,
    CreateRunTemplate,
    DeactivateRunTemplate,
    RunTemplate,
)

MOST = 500
"""Run templates that are changed as a whole, all or none."""

OWN = frozenset({"run_template_id", "uuid", "name", "active", "inactive_reason", "note", "credentials", "removed"})
"""What a copy does not have from its template."""


async def clone(
    shell: Shell, actor: Actor, run_template_id: int, name: str | None = None, *, key: str | None = None, source: str
) -> Outcome:
    """Copy a run template with its values and credentials. The copy is inactive until somebody has looked at it.

    Parameters
    ----------
    run_template_id : int
        What is copied.
    name : str or None
        Name of the copy.

    Raises
    ------
    DomainError
        There is no such template, or the actor may not make one in its company or assign its credentials.
    """
    state = await _state(shell, run_template_id)
    wish = CreateRunTemplate(
        **{field: value for field, value in msgspec.structs.asdict(state).items() if field not in OWN},
        name=name or f"{state.name[:190]} (copy)",
        active=False,
    )
    authorise(actor, wish, state.company_id)
    if state.credentials:
        # Before anything is made: a copy that lacks what its template had would fail where that one does not.
        authorise(actor, AssignCredential(run_template_id=0, credential_id=0), state.company_id)
    outcome = await shell.execute(wish, actor, key=key, source=source)
    for credential in state.credentials:
        assign = AssignCredential(run_template_id=outcome.id, credential_id=credential)
        await shell.execute(assign, actor, source=source)
    return outcome


async def populate(
    shell: Shell, actor: Actor, company_id: int, fields: dict[str, Any], *, source: str
) -> list[tuple[int, Outcome]]:
    """Make a run template of each application of a company that has none yet, all or none of them.

    Parameters
    ----------
    company_id : int
        The company.
    fields : dict[str, Any]
        Fields that all of them get; they are inactive unless told.

    Returns
    -------
    list[tuple[int, Outcome]]
        Of each application, its id and what was made.
    """
    async with available():
        rows = await shell.store.pool.fetch(sql("applications_without_template"), company_id)
    wishes = [
        CreateRunTemplate(
            company_id=company_id, application_id=row["id"], **{"name": row["name"], "active": False, **fields}
        )
        for row in rows
    ]
    if not wishes:
        authorise(actor, CreateRunTemplate(company_id=company_id, application_id=0, name=""), company_id)
        return []
    outcomes = await shell.execute_all(wishes, actor, source=source)
    return [(row["id"], outcome) for row, outcome in zip(rows, outcomes, strict=True)]


async def reconfigure(
    shell: Shell,
    actor: Actor,
    numbers: Sequence[int],
    fields: dict[str, Any],
    *,
    reason: str | None = None,
    source: str,
) -> list[Outcome]:
    """Change fields of many run templates, of all or of none.

    Parameters
    ----------
    fields : dict[str, Any]
        Fields of the command that changes one.
    reason : str or None
        Why they are switched off, if ``active`` is False among the fields.

    Raises
    ------
    ValidationError
        There are none, or too many of them.
    """
    numbers = list(dict.fromkeys(numbers))
    if not 1 <= len(numbers) <= MOST:
        raise ValidationError(
            f"{len(numbers)} run templates were chosen; 1 to {MOST} can be changed at once.", field="id"
        )
    others = dict(fields)
    off = reason is not None and others.get("active") is False
    if off:
        del others["active"]
    wishes: list[Command] = []
    for number in numbers:
        if others:
            wishes.append(ChangeRunTemplate(run_template_id=number, **others))
        if off:
            wishes.append(DeactivateRunTemplate(run_template_id=number, reason=reason))
    return await shell.execute_all(wishes, actor, source=source)


async def _state(shell: Shell, run_template_id: int) -> RunTemplate:
    state: RunTemplate | None = None
    async with available():
        async for recorded in shell.store.read_stream(RUN_TEMPLATE.stream(run_template_id)):
            # What a credential or a job of it put there does not matter here; what it is made of does.
            state = RUN_TEMPLATE.evolve(state, recorded.event)
    if state is None or state.removed:
        raise NotFoundError(
            f"There is no run template {run_template_id}. `run-template:list` shows those there are.",
            field="run_template_id",
            code="run_template_not_found",
        )
    return state
