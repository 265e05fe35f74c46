"""Setting up many companies at once from a sheet: all is checked, then what is not there yet is made.

A company is known by its code, a run template by its application and name, a credential by its type and name:
importing a sheet again makes what is missing, and nothing twice. What is there stays as it is, and where a line says
otherwise, that is told; or it is changed, if that is wished. A template that gets a credential has its schedule only
together with it, so that no job starts without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from commands.actor import Actor
from commands.company_plan import Client, Plan
from commands.company_update import carry_out as update_there
from commands.shell import Shell
from domain.credential import CreateCredential
from domain.credential_type import CreateCredentialType
from domain.errors import DomainError
from domain.permissions import of_company_role
from domain.run_template import AssignCredential, ChangeRunTemplate

AT_ONCE = 4
"""Companies that are set up at the same time."""


class Ids(msgspec.Struct):
    """Ids of what a line is about, as far as it is there."""

    company: int | None
    credential: int | None
    run_template: int | None


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What was done for a line: what was made, the columns that were changed, the ids, and why it was not finished."""

    line: int
    code: str
    made: tuple[str, ...]
    changed: tuple[str, ...] = ()
    company_id: int | None = None
    credential_id: int | None = None
    run_template_id: int | None = None
    error: str | None = None


async def carry_out(
    shell: Shell, actor: Actor, planned: Plan, told: Callable[[int, int], None], *, source: str = "cli"
) -> list[Done]:
    """Make what is missing, several companies at a time; ``told`` hears how many are done, of how many.

    Ids follow the lines, whichever company is ready first.

    Raises
    ------
    ValueError
        The plan has problems.
    EventStoreError
        The database cannot be used; what was made stays, and importing again goes on from there.
    """
    if planned.problems:
        raise ValueError("The sheet has problems; nothing of it is to be carried out.")
    numbered = await _numbered(shell, planned.clients)
    places = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def one(client: Client) -> Done:
        nonlocal done
        async with places:
            result = await _set_up(shell, actor, client, source)
        done += 1
        told(done, len(planned.clients))
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(client)) for client in numbered]
    return [task.result() for task in tasks]


async def _numbered(shell: Shell, clients: tuple[Client, ...]) -> list[Client]:
    """Return the same with ids for what is to be made of each line."""
    found = list(clients)
    for category in ("company", "credential", "run_template"):
        places = [place for place, client in enumerate(clients) if category in client.missing]
        numbers = await shell.facts.allocate(category, len(places)) if places else []
        for place, number in zip(places, sorted(numbers), strict=True):
            found[place] = msgspec.structs.replace(found[place], fresh={**found[place].fresh, category: number})
    return found


async def _set_up(shell: Shell, actor: Actor, client: Client, source: str) -> Done:
    made: list[str] = []
    ids = Ids(client.company_id, client.credential_id, client.template_id)
    error = None
    changed: tuple[str, ...] = ()
    try:
        await _make(shell, actor, client, source, made, ids)
        await update_there(shell, actor, client.update, source=source)
        changed = tuple(change.column for change in client.update.changes)
    except DomainError as refused:
        error = refused.message
    return Done(
        line=client.line.number,
        code=str(client.line.company.code),
        made=tuple(made),
        changed=changed,
        company_id=ids.company,
        credential_id=ids.credential,
        run_template_id=ids.run_template,
        error=error,
    )


async def _make(shell: Shell, actor: Actor, client: Client, source: str, made: list[str], ids: Ids) -> None:
    line = client.line
    if client.company_id is None:
        company = msgspec.structs.replace(line.company, company_id=client.fresh.get("company", 0))
        ids.company = (await shell.execute(company, actor, source=source)).id
        actor = founder(actor, ids.company)
        made.append("company")
    company_id = ids.company or 0
    if client.prototype_id is not None and client.credential_id is None:
        type_id = client.type_id
        if type_id is None:
            of_type = CreateCredentialType(
                company_id=company_id, credential_prototype_id=client.prototype_id, name=client.prototype or ""
            )
            type_id = (await shell.execute(of_type, actor, source=source)).id
            made.append("credential_type")
        credential = CreateCredential(
            credential_type_id=type_id,
            name=line.credential or "",
            values=line.values,
            credential_id=client.fresh.get("credential", 0),
        )
        ids.credential = (await shell.execute(credential, actor, source=source)).id
        made.append("credential")
    if line.template is not None and client.template_id is None:
        number = client.fresh.get("run_template", 0)
        template = msgspec.structs.replace(line.template, company_id=company_id, run_template_id=number)
        if client.finish:
            template = msgspec.structs.replace(template, interval="n", cron=None)
        ids.run_template = (await shell.execute(template, actor, source=source)).id
        made.append("run_template")
    if client.finish and line.template is not None:
        # Credential and schedule come together: a job that is due has what it needs.
        template_id = ids.run_template or 0
        schedule = ChangeRunTemplate(
            run_template_id=template_id, interval=line.template.interval, cron=line.template.cron
        )
        assign = AssignCredential(run_template_id=template_id, credential_id=ids.credential or 0)
        both = [assign] if line.template.interval == "n" else [assign, schedule]
        await shell.execute_all(both, actor, source=source)
        made.append("assignment")


def founder(actor: Actor, company_id: int | None) -> Actor:
    """Return an actor with what founding a company gives: a user becomes its administrator."""
    if actor.companies == "*" or company_id is None:
        return actor
    grants = {**actor.grants, company_id: of_company_role("admin")}
    return msgspec.structs.replace(actor, companies=actor.companies | {company_id}, grants=grants)
