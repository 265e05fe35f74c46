"""Assigning credentials to run templates: what a template's jobs get from them, and what that hides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from commands.facts import Facts, present
from commands.preparing import Desk, Prepared, guard
from domain.aggregates import CREDENTIAL
from domain.credential_definition import fields as fields_of
from domain.credential_environment import Assigned, Conflict, conflicts
from domain.environment import environment_in
from domain.errors import NotFoundError
from domain.run_template import AssignCredential, UnassignCredential


async def prepare_assign(desk: Desk, command: AssignCredential) -> Prepared:
    """See that credential and template are of one company; tell what the credential gives and what that hides."""
    template = await present(desk.facts, "company_of_run_template", command.run_template_id, "run_template")
    credential = await desk.facts.row("credential", command.credential_id)
    if credential is None or credential["removed"] or credential["company_id"] != template["company_id"]:
        raise NotFoundError(
            f"There is no credential {command.credential_id} in the company of run template {command.run_template_id}. "
            "`credential:list` shows those there are.",
            field="credential_id",
            code="credential_not_found",
        )
    new = assigned_of(
        {
            "id": credential["id"],
            "name": credential["name"],
            "prototype": credential["prototype"],
            "fields": msgspec.json.decode(credential["definition"]).get("fields"),
            "shared": msgspec.json.decode(credential["shared"]),
            "values": msgspec.json.decode(credential["values"]),
        }
    )
    others, tiers = await around(desk.facts, command.run_template_id)
    there = [one for one in others if one.id != new.id]
    company_id: int = template["company_id"]
    return Prepared(
        command=msgspec.structs.replace(command, now=desk.now, provided=new.provided),
        guards=(guard(CREDENTIAL, credential, company_id=company_id),),
        warnings=tuple(conflicts([*there, new], tiers)),
    )


async def prepare_unassign(desk: Desk, command: UnassignCredential) -> Prepared:
    """Refuse to take away a credential that the template does not have."""
    await present(desk.facts, "company_of_run_template", command.run_template_id, "run_template")
    assigned, _ = await around(desk.facts, command.run_template_id)
    if command.credential_id not in (one.id for one in assigned):
        raise NotFoundError(
            f"Credential {command.credential_id} is not assigned to run template {command.run_template_id}. "
            "`run-template:list-credentials` shows those that are.",
            field="credential_id",
            code="credential_not_assigned",
        )
    return Prepared(command=msgspec.structs.replace(command, now=desk.now))


async def around(facts: Facts, run_template_id: int) -> tuple[list[Assigned], dict[str, list[str]]]:
    """Return the credentials of a run template, and the names of the values of the tiers below them."""
    row = await facts.row("credential_values", run_template_id)
    if row is None:
        return [], {}
    listed: list[dict[str, Any]] = msgspec.json.decode(row["credentials"] or "[]")
    company, template = await facts.opened(
        [
            (msgspec.json.decode(row["company_environment"] or "null"), f"company-{row['company_id']}|environment"),
            (msgspec.json.decode(row["template_environment"] or "null"), f"run_template-{row['id']}|environment"),
        ]
    )
    tiers = {"company": sorted(environment_in(company)), "template": sorted(environment_in(template))}
    return [assigned_of(one) for one in listed], tiers


async def hidden_values(desk: Desk, run_template_id: int, tier: str, names: Iterable[str]) -> list[Conflict]:
    """Return which values, that a tier is about to be given, credentials of a run template hide."""
    assigned, _ = await around(desk.facts, run_template_id)
    return conflicts(assigned, {tier: names}) if assigned else []


def assigned_of(entry: Mapping[str, Any]) -> Assigned:
    """Return a credential as conflicts are found with it, as ``credentials_of`` of the database gives it."""
    return Assigned(
        id=entry["id"],
        name=entry["name"],
        prototype=entry["prototype"],
        fields=fields_of({"fields": entry["fields"] or []}),
        given=frozenset({**(entry["shared"] or {}), **(entry["values"] or {})}),
    )
