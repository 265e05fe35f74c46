"""Planning the set-up of many companies from a sheet: all is checked against what there is, and nothing is written.

A company is known by its code, a run template by its application and name, a credential by its type and name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from commands.actor import Actor
from commands.company_update import There, Update, sealed_of, update_of
from commands.shell import Shell
from domain import definition
from domain.business_numbers import Warning  # noqa: A004 (a field's own word)
from domain.company import warnings
from domain.company_sheet import Line, Sheet
from domain.credential_definition import fields as fields_of
from domain.credential_values import checked_all, missing
from domain.errors import ValidationError
from domain.sheet_rows import Problem

_IN_COMPANY = ("company.change", "template.configure", "credential.change", "credential.assign")
_COMPARED = ("name", "time_zone", "registration_number", "vat_number", "zabbix_host", "max_parallel")


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A line with what there is of it already.

    Attributes
    ----------
    line : Line
        What is asked for; its template has the id of the application.
    prototype_id, prototype : int and str, or None
        The credential prototype that is meant.
    company_id, type_id, credential_id, template_id : int or None
        What is there already.
    finish : bool
        Whether the template still lacks its credential.
    differs : tuple[str, ...]
        Columns of which something else is there; it stays.
    update : Update
        What is changed of what is there, if that is wished.
    fresh : dict[str, int]
        Ids for what is to be made: company, credential, run template.
    """

    line: Line
    prototype_id: int | None = None
    prototype: str | None = None
    company_id: int | None = None
    type_id: int | None = None
    credential_id: int | None = None
    template_id: int | None = None
    finish: bool = False
    differs: tuple[str, ...] = ()
    update: Update = Update()
    fresh: dict[str, int] = {}

    @property
    def missing(self) -> tuple[str, ...]:
        """What is to be made."""
        wanted = {
            "company": self.company_id is None,
            "credential_type": self.prototype_id is not None and self.type_id is None,
            "credential": self.prototype_id is not None and self.credential_id is None,
            "run_template": self.line.template is not None and self.template_id is None,
            "assignment": self.finish,
        }
        return tuple(name for name, absent in wanted.items() if absent)


class Plan(msgspec.Struct, frozen=True):
    """What an import will do, what is wrong with its sheet, and what looks wrong but is no reason to refuse it."""

    clients: tuple[Client, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()


async def plan(shell: Shell, actor: Actor, sheet: Sheet, *, update: bool = False) -> Plan:
    """Check a sheet against what there is; nothing is written. With ``update``, what is there is to be changed, too."""
    codes = [str(line.company.code).lower() for line in sheet.lines]
    row = await shell.facts.row("sheet_companies", codes)
    there = {each["code"].lower(): each for each in msgspec.json.decode(row["companies"] if row else "[]")}
    catalogue = _Catalogue(shell)
    clients: list[Client] = []
    problems: list[Problem] = [*sheet.problems]
    warned: list[Problem] = []
    for line in sheet.lines:
        found = there.get(str(line.company.code).lower())
        client, wrong, odd = await _client(catalogue, actor, line, found)
        clients.append(client)
        problems += [Problem(line.number, column, message) for column, message in wrong]
        warned += [Problem(line.number, column, message) for column, message in odd]
    if update and not problems:
        clients = await _with_updates(shell, clients, there)
    return Plan(tuple(clients), tuple(sorted(problems, key=lambda problem: problem.line)), tuple(warned))


async def _with_updates(shell: Shell, clients: list[Client], there: Mapping[str, Mapping[str, Any]]) -> list[Client]:
    """Return the same with what changes of what is there; that does not stay as it is any more."""
    ids = [client.company_id for client in clients if client.company_id is not None]
    sealed = await sealed_of(shell.facts, ids)
    found: list[Client] = []
    for client in clients:
        company = there.get(str(client.line.company.code).lower()) if client.company_id else None
        templates = company["templates"] if company else ()
        known = There(
            company_id=client.company_id,
            credential_id=client.credential_id,
            template_id=client.template_id,
            company=company["document"] if company else {},
            template=next((one["document"] for one in templates if one["id"] == client.template_id), {}),
            sealed=sealed.get(client.company_id or 0, {}),
        )
        wanted = await update_of(shell.store.keyring, client.line, known)
        found.append(msgspec.structs.replace(client, update=wanted, differs=()))
    return found


class _Catalogue:
    """Applications and prototypes that lines name, each looked up once."""

    def __init__(self, shell: Shell) -> None:
        self._facts = shell.facts
        self._found: dict[tuple[str, str], dict[str, Any] | None] = {}

    async def find(self, query: str, named: str) -> dict[str, Any] | None:
        key = (query, named.lower())
        if key not in self._found:
            row = await self._facts.row(query, named)
            self._found[key] = (
                None if row is None else dict(row) | {"definition": msgspec.json.decode(row["definition"])}
            )
        return self._found[key]


Told = list[tuple[str | None, str]]


async def _client(
    catalogue: _Catalogue, actor: Actor, line: Line, there: Mapping[str, Any] | None
) -> tuple[Client, Told, Told]:
    wrong, odd = Told(), Told()
    odd += [(_column_of(warning), warning.message) for warning in warnings(line.company)]
    if not _may(actor, there):
        wrong.append(("code", f"The code {line.company.code} is in use by a company that you may not change."))
        there = None
    if there is not None and there["archived"]:
        wrong.append(("code", f"Company {there['id']} with this code is in the archive. Restore it first."))
    fields: dict[str, Any] = {"company_id": there["id"] if there else None}
    if line.template is not None and line.application is not None:
        application = await catalogue.find("sheet_application", line.application)
        wrong += _application_problems(line, application)
        if application is not None:
            name = line.template.name or application["name"]
            template = msgspec.structs.replace(line.template, name=name, application_id=application["id"])
            line = msgspec.structs.replace(line, template=template)
            wrong += [(f"env.{name}", why) for name, why in _environment_problems(line, application).items()]
    if line.credential_type is not None:
        prototype = await catalogue.find("sheet_prototype", line.credential_type)
        if prototype is None:
            told = f"There is no credential prototype “{line.credential_type}”. `credential-prototype:list` shows them."
            wrong.append(("credential_type", told))
        else:
            name = line.credential or (line.template.name if line.template else prototype["name"])
            line = msgspec.structs.replace(line, credential=name)
            fields |= {"prototype_id": prototype["id"], "prototype": prototype["name"]}
            fields |= _credential_there(line, prototype, there)
            wrong += _value_problems(line, prototype, new=fields.get("credential_id") is None)
    fields |= _template_there(line, there, fields)
    return Client(line=line, **fields), wrong, odd


def _may(actor: Actor, there: Mapping[str, Any] | None) -> bool:
    if there is None:
        return True
    return all(actor.may(permission, there["id"]) for permission in _IN_COMPANY)


def _column_of(warning: Warning) -> str:
    return {"registration_number": "ic", "vat_number": "dic"}.get(warning.field, warning.field)


def _application_problems(line: Line, application: Mapping[str, Any] | None) -> Told:
    if application is None:
        told = f"There is no application “{line.application}”. `application:list` shows those there are."
        return [("application", told)]
    if application["found"] > 1 and str(application["id"]) != line.application:
        told = f"{application['found']} applications are called “{line.application}”. Give the id of one."
        return [("application", told)]
    if not application["enabled"]:
        return [("application", f"Application {application['id']} is disabled. Enable it first.")]
    return []


def _environment_problems(line: Line, application: Mapping[str, Any]) -> dict[str, str]:
    environment = line.template.environment if line.template else {}
    return definition.problems(application["definition"], environment)


def _value_problems(line: Line, prototype: Mapping[str, Any], *, new: bool) -> Told:
    fields = fields_of(prototype["definition"])
    wrong = Told()
    for name, value in line.values.items():
        try:
            checked_all(fields, {name: value})
        except ValidationError as error:
            wrong.append((f"credential.{name}", error.message))
    if new:
        wrong += [
            (f"credential.{name}", "It is required and has no value. Give it one.")
            for name in missing(fields, line.values)
        ]
    return wrong


def _credential_there(line: Line, prototype: Mapping[str, Any], there: Mapping[str, Any] | None) -> dict[str, Any]:
    if there is None:
        return {}
    types = [one["id"] for one in there["types"] if one["prototype_id"] == prototype["id"]]
    credentials = [one for one in there["credentials"] if one["type_id"] in types and one["name"] == line.credential]
    if credentials:
        return {"type_id": credentials[0]["type_id"], "credential_id": credentials[0]["id"]}
    return {"type_id": types[0] if types else None}


def _template_there(line: Line, there: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    wanted = line.template
    credential = fields.get("credential_id")
    asks = wanted is not None and fields.get("prototype_id") is not None
    differs = [] if there is None else _differing(line.company, there["document"], _COMPARED)
    if there is None or wanted is None:
        return {"finish": asks, "differs": tuple(differs)}
    found = next(
        (
            one
            for one in there["templates"]
            if (one["application_id"], one["name"]) == (wanted.application_id, wanted.name)
        ),
        None,
    )
    if found is None:
        return {"finish": asks, "differs": tuple(differs)}
    finish = asks and (credential is None or credential not in found["credentials"])
    if not (finish and found["document"]["interval"] == "n"):
        differs += _differing(wanted, found["document"], ("cron", "executor", "deadline_offset"))
        if wanted.interval != found["document"]["interval"] and wanted.interval != "n":
            differs.append("interval")
    return {"template_id": found["id"], "finish": finish, "differs": tuple(differs)}


def _differing(wish: Any, document: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    """Return the fields that a line gives and that are something else."""
    plain = {field.name: field.default for field in msgspec.structs.fields(wish)}
    given = {name: getattr(wish, name) for name in names if getattr(wish, name) != plain[name]}
    return [
        {"registration_number": "ic", "vat_number": "dic"}.get(name, name)
        for name, value in given.items()
        if str(value).replace(" ", "") != str(document.get(name) or "").replace(" ", "")
    ]
