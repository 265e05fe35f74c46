"""A new company set up like another one: its applications, credential types, credentials and run templates.

What identifies the other company (numbers, address, host in Zabbix, logo) is not taken over, and no secret is: values
of credentials, variables that look secret and secret fields of shared values are left out. So run templates are made
inactive, until somebody has given the credentials their values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from commands.actor import SYSTEM, Actor, require
from commands.company_import import founder
from commands.facts import present
from commands.shell import Shell
from domain import definition
from domain.company import AssignApplication, CreateCompany, RemoveCompany
from domain.credential import CreateCredential
from domain.credential_definition import SECRET_NAME
from domain.credential_definition import fields as fields_of
from domain.credential_type import CreateCredentialType
from domain.credential_values import password_in
from domain.environment import environment_in
from domain.errors import DomainError, StateError
from domain.run_template import AssignCredential, CreateRunTemplate
from domain.run_template_fields import CHECKS
from domain.sealed import Sealed
from eventstore.errors import EventStoreError
from eventstore.vault import open_all

_OF_COMPANY = ("time_zone", "max_parallel", "settings", "keep_output", "keep_artifacts", "keep_history")
_NOT_OF_TEMPLATE = frozenset({"note"})
"""Personal: it is about the other company."""


class Cloned(msgspec.Struct, kw_only=True):
    """What was made, and the names of variables that were left out because they look secret."""

    company_id: int
    applications: int = 0
    credential_types: int = 0
    credentials: int = 0
    run_templates: int = 0
    left_out: list[str] = []


async def clone(shell: Shell, actor: Actor, source_id: int, wish: CreateCompany, *, via: str = "cli") -> Cloned:
    """Set up a company like another one.

    Parameters
    ----------
    source_id : int
        The other one.
    wish : CreateCompany
        The new one; what it leaves at its default of time zone, limits, settings and retention is taken over.

    Raises
    ------
    DomainError
        The actor may not see the other company or set up companies, or the code is in use.
    """
    for permission in ("company.view", "template.view", "credential.view"):
        require(actor, permission, source_id, wish="clone a company")
    await present(shell.facts, "company", source_id, "company")
    row = await shell.facts.row("company_to_clone", source_id)
    assert row is not None
    source: dict[str, Any] = msgspec.json.decode(row["source"])
    clear = await _environment(shell, f"company-{source_id}", source["document"])
    kept = {name: value for name, value in clear.items() if not _secret(name, value)}
    made = Cloned(company_id=0, left_out=sorted(clear.keys() - kept.keys()))
    made.company_id = (await shell.execute(_like(wish, source["document"], kept), actor, source=via)).id
    try:
        await _furnish(shell, founder(actor, made.company_id), source, made, via)
    except BaseException:
        await _undo(shell, made.company_id, via)
        raise
    made.left_out = sorted(set(made.left_out))
    return made


async def _undo(shell: Shell, company_id: int, via: str) -> None:
    """Remove a company that was set up in part: nobody can tell by looking at it what is missing.

    Raises
    ------
    StateError
        It cannot be removed, either.
    """
    removing = shell.execute(RemoveCompany(company_id=company_id, cascade=True), SYSTEM, source=via)
    try:
        # Also when who waits for it has gone away.
        await asyncio.shield(removing)
    except (DomainError, EventStoreError) as error:
        raise StateError(
            f"Company {company_id} was set up in part, and could not be taken away again. Remove it with "
            f"`company:remove {company_id} --cascade`.",
            code="company_cloned_in_part",
        ) from error


async def _furnish(shell: Shell, actor: Actor, source: Mapping[str, Any], made: Cloned, via: str) -> None:
    """Give a new company what the other one has."""
    for application_id in source["applications"]:
        assign = AssignApplication(company_id=made.company_id, application_id=application_id)
        await shell.execute(assign, actor, source=via)
        made.applications += 1
    credentials = await _credentials(shell, actor, source, made, via)
    for template in source["templates"]:
        clear = await _environment(shell, f"run_template-{template['id']}", template["document"])
        like = _template(template["document"], template["definition"], clear, made)
        new = await shell.execute(like, actor, source=via)
        made.run_templates += 1
        for old in template["credentials"]:
            assigned = AssignCredential(run_template_id=new.id, credential_id=credentials[old])
            await shell.execute(assigned, actor, source=via)


def _like(wish: CreateCompany, document: Mapping[str, Any], environment: Mapping[str, str]) -> CreateCompany:
    plain = CreateCompany(name=wish.name)
    taken = {
        name: document[name]
        for name in _OF_COMPANY
        if document.get(name) is not None and getattr(wish, name) == getattr(plain, name)
    }
    return msgspec.structs.replace(wish, environment={**environment, **wish.environment}, **taken)


async def _environment(shell: Shell, stream: str, document: Mapping[str, Any]) -> dict[str, str]:
    (clear,) = await shell.store.keyring.reveal([(document.get("environment"), f"{stream}|environment")])
    return environment_in(clear)


async def _credentials(shell: Shell, actor: Actor, source: Mapping[str, Any], made: Cloned, via: str) -> dict[int, int]:
    """Make types and credentials like those of the other company; return the new ids by the old ones."""
    types: dict[int, int] = {}
    for one in source["types"]:
        secret = {name for name, field in fields_of(one["definition"]).items() if field.secret}
        shared = {
            name: msgspec.convert(value, Sealed) for name, value in (one["values"] or {}).items() if name not in secret
        }
        texts = await open_all(
            shell.store.keyring, [(f"credential_type-{one['id']}|{name}", sealed) for name, sealed in shared.items()]
        )
        of_type = CreateCredentialType(
            company_id=made.company_id,
            credential_prototype_id=one["prototype_id"],
            name=one["name"],
            values={name: text for name, text in zip(shared, texts, strict=True) if password_in(text) is None},
        )
        types[one["id"]] = (await shell.execute(of_type, actor, source=via)).id
        made.credential_types += 1
    credentials: dict[int, int] = {}
    for one in source["credentials"]:
        wish = CreateCredential(
            credential_type_id=types[one["type_id"]],
            name=one["name"],
            write_only=one["write_only"],
            rotate_every=one["rotate_every"],
        )
        credentials[one["id"]] = (await shell.execute(wish, actor, source=via)).id
        made.credentials += 1
    return credentials


def _template(
    document: Mapping[str, Any], described: Mapping[str, Any] | None, environment: Mapping[str, str], made: Cloned
) -> CreateRunTemplate:
    """Return a run template like another one, but inactive and without what is secret of its environment."""
    secret = {name for name, field in definition.fields(described or {}).items() if field.secret}
    kept = {name: value for name, value in environment.items() if name not in secret and not _secret(name, value)}
    made.left_out.extend(environment.keys() - kept.keys())
    names = (*CHECKS, "allow_late")
    fields = {name: document[name] for name in names if name in document and name not in _NOT_OF_TEMPLATE}
    return msgspec.convert(
        {
            **fields,
            "company_id": made.company_id,
            "application_id": document["application_id"],
            "environment": kept,
            "active": False,
        },
        CreateRunTemplate,
    )


def _secret(name: str, value: str) -> bool:
    return SECRET_NAME.search(name) is not None or password_in(value) is not None
