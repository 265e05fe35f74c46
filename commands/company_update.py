"""What a sheet of companies says otherwise than what is there: told first, and changed if that is wished.

Only columns that a line fills or empties are looked at: an empty cell leaves a field as it is. Values of variables and
credentials are compared, and never told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from commands.actor import Actor
from commands.facts import Facts
from commands.shell import Shell
from domain import company
from domain.command import Command
from domain.company import ChangeCompany
from domain.company_sheet import COMPANY, TEMPLATE, Line
from domain.credential import ChangeCredential
from domain.environment import environment_in
from domain.run_template import ChangeRunTemplate
from domain.sealed import Sealed
from eventstore.keyring import Keyring
from eventstore.vault import open_all

_UUID = "00000000-0000-4000-8000-000000000000"
_PLAIN = {"max_attempts": 1, "retry_backoff": "none", "retry_min_gap": 0, "delay": 0, "jitter": 0}
"""What a run template has of fields that its document may lack."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A column of which something else is there. What is secret has neither ``before`` nor ``after``."""

    column: str
    before: str | None = None
    after: str | None = None
    told: bool = True

    def __str__(self) -> str:
        if not self.told:
            return self.column
        return f"{self.column}: {self.before or '(nothing)'} → {self.after or '(nothing)'}"


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """What changes, column by column, and the commands that change it."""

    changes: tuple[Change, ...] = ()
    wishes: tuple[Command, ...] = ()


class There(msgspec.Struct, frozen=True, kw_only=True):
    """What is there of a line: ids, the documents of company and template, and what is sealed of the company."""

    company_id: int | None
    credential_id: int | None
    template_id: int | None
    company: Mapping[str, Any]
    template: Mapping[str, Any]
    sealed: Mapping[str, Any]


async def sealed_of(facts: Facts, companies: list[int]) -> dict[int, dict[str, Any]]:
    """Return what is stored encrypted of companies and of their credentials, by company."""
    row = await facts.row("sheet_sealed", companies)
    found: list[dict[str, Any]] = msgspec.json.decode(row["companies"] if row else "[]")
    return {one["id"]: one for one in found}


async def update_of(keyring: Keyring, line: Line, there: There) -> Update:
    """Return what a line says otherwise than what is there of it; what is not there is none of this."""
    if there.company_id is None:
        return Update()
    changes: list[Change] = []
    wishes: list[Command] = []
    of_company = await _of_company(keyring, line, there, changes)
    if of_company is not None:
        wishes.append(of_company)
    if there.credential_id is not None and (values := await _values(keyring, line, there)):
        changes += [Change(column=f"credential.{name}", told=False) for name in values]
        wishes.append(ChangeCredential(credential_id=there.credential_id, values=values))
    if there.template_id is not None and line.template is not None:
        of_template = await _of_template(keyring, line, there, changes)
        if of_template is not None:
            wishes.append(of_template)
    return Update(changes=tuple(changes), wishes=tuple(wishes))


async def carry_out(shell: Shell, actor: Actor, update: Update, *, source: str) -> None:
    """Change what differs of a line, all of it or nothing.

    Raises
    ------
    DomainError
        Something of it is refused.
    """
    if update.wishes:
        await shell.execute_all(list(update.wishes), actor, source=source)


async def _of_company(keyring: Keyring, line: Line, there: There, changes: list[Change]) -> Command | None:
    company_id = there.company_id or 0
    [created] = company.decide(None, msgspec.structs.replace(line.company, company_id=1, uuid=_UUID))
    email, environment = await keyring.reveal(
        [(there.sealed.get(name), f"company-{company_id}|{name}") for name in ("email", "environment")]
    )
    before = {**there.company, "email": email if isinstance(email, str) else None}
    fields: dict[str, Any] = {}
    for column, field in COMPANY.items():
        after = getattr(created, field)
        if column in line.given and column != "code" and after != before.get(field):
            fields[field] = after
            changes.append(Change(column=column, before=_text(before.get(field)), after=_text(after)))
    variables = _differing(_wanted(line, "company_env.", line.company.environment), environment_in(environment))
    changes += [Change(column=f"company_env.{name}", told=False) for name in variables]
    if not fields and not variables:
        return None
    return ChangeCompany(company_id=company_id, set_environment=variables, **fields)


async def _of_template(keyring: Keyring, line: Line, there: There, changes: list[Change]) -> Command | None:
    template, number = line.template, there.template_id or 0
    if template is None:
        return None
    fields: dict[str, Any] = {}
    (note, environment) = await keyring.reveal(
        [(there.template.get(name), f"run_template-{number}|{name}") for name in ("note", "environment")]
    )
    before = {**_PLAIN, **there.template, "note": note if isinstance(note, str) else None}
    # A cron expression alone says that it is the interval, too.
    given = line.given | ({"interval"} if "cron" in line.given else set())
    for column, field in TEMPLATE.items():
        after = getattr(template, field)
        if column in given and column != "template" and after != before.get(field):
            fields[field] = after
            changes.append(Change(column=column, before=_text(before.get(field)), after=_text(after)))
    variables = _differing(_wanted(line, "env.", template.environment), environment_in(environment))
    changes += [Change(column=f"env.{name}", told=False) for name in variables]
    if not fields and not variables:
        return None
    return ChangeRunTemplate(run_template_id=number, set_environment=variables, **fields)


async def _values(keyring: Keyring, line: Line, there: There) -> dict[str, str | None]:
    """Return the values that the credential does not have so."""
    stored: dict[str, Any] = (there.sealed.get("credentials") or {}).get(str(there.credential_id)) or {}
    names = [name for name in line.values if name in stored]
    places = [(f"credential-{there.credential_id}|{name}", msgspec.convert(stored[name], Sealed)) for name in names]
    known = dict(zip(names, await open_all(keyring, places), strict=True))
    return {name: value for name, value in line.values.items() if value != known.get(name)}


def _wanted(line: Line, prefix: str, values: Mapping[str, str]) -> dict[str, str | None]:
    """Return values by variable, None for those that the line takes away."""
    emptied = (column.removeprefix(prefix) for column in line.emptied if column.startswith(prefix))
    return {**values, **dict.fromkeys(emptied)}


def _differing(wanted: Mapping[str, str | None], there: Mapping[str, str]) -> dict[str, str | None]:
    return {name: value for name, value in wanted.items() if value != there.get(name)}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
