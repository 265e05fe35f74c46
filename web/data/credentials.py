"""Credentials: the list of them, one with its values as they may be shown, and the form of its values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from commands.credential_showing import Shown, shown
from domain.credential_definition import Field, fields
from domain.credential_values import NOT_SET
from eventstore.keyring import Keyring
from projections.queries import query as shared
from web import words
from web.data.environment_form import FORGET, PREFIX, EnvField, EnvForm
from web.database import Connection
from web.errors import N_, NotFoundError
from web.view import View

PAGE = 50
TYPES = 500
"""Most types that the form of a new credential offers."""

STATUS = {
    "ok": ("success", N_("ready")),
    "expired": ("failed", N_("expired")),
    "expiring": ("warning", N_("expires soon")),
    "rotate": ("warning", N_("due for new values")),
    "incomplete": ("failed", N_("incomplete")),
    "broken": ("failed", N_("does not work")),
}
"""Of each status, its sign and its name."""

OUTCOMES = {
    "available": ("success", N_("works")),
    "degraded": ("warning", N_("answers, but is in trouble")),
    "unavailable": ("failed", N_("does not answer")),
    "misconfigured": ("failed", N_("needs to be changed")),
    "unknown": ("queued", N_("cannot be tried")),
}
"""Of each outcome of a check, its sign and its name."""

WIDGETS = {
    "integer": "number",
    "number": "number",
    "boolean": "bool",
    "textarea": "area",
    "email": "email",
    "url": "url",
}


class CredentialRow(msgspec.Struct, frozen=True, kw_only=True):
    """A credential in a list."""

    id: int
    name: str
    company_slug: str | None
    credential_type: str
    prototype: str
    status: str
    expires_at: datetime | None
    rotate_at: datetime | None
    templates: int


class CredentialList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of credentials. ``more`` is the ``skip`` of the next page, if there is one."""

    credentials: list[CredentialRow]
    skip: int
    more: int | None


class ValueShown(msgspec.Struct, frozen=True, kw_only=True):
    """A value as it is shown; ``source`` is ``credential``, ``type``, ``default``, or empty: there is none."""

    name: str
    label: str
    text: str
    source: str
    secret: bool


class CredentialShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page of a credential shows; secrets are masked."""

    id: int
    name: str
    company_id: int
    company_slug: str | None
    credential_type_id: int
    credential_type: str
    prototype: str
    uuid: str
    write_only: bool
    expires_at: datetime | None
    rotate_every: int | None
    values: list[ValueShown]
    used_by: list[dict[str, Any]]
    check: dict[str, Any] | None
    revealed: dict[str, Any] | None
    changed_at: datetime | None
    version: str


class Offered(msgspec.Struct, frozen=True):
    """A credential type that a new credential may be of."""

    id: int
    name: str
    company: str | None
    prototype: str


async def load_list(connection: Connection, view: View) -> CredentialList:
    """Read a page of credentials; with the parameter ``due``, those with something to do within 30 days."""
    skip, due = view.number("skip"), 30 if view.parameters.get("due") else None
    records = await connection.fetch(
        shared("credential.credentials"), view.company_id, None, None, due, PAGE + 1, skip, False
    )
    rows = [CredentialRow(**{name: each[name] for name in CredentialRow.__struct_fields__}) for each in records[:PAGE]]
    return CredentialList(credentials=rows, skip=skip, more=skip + PAGE if len(records) > PAGE else None)


async def record_of(connection: Connection, credential_id: int) -> dict[str, Any]:
    """Read a credential, its JSON decoded, its values encrypted.

    Raises
    ------
    NotFoundError
        There is none of that id, or it is not for this user to see.
    """
    found = await connection.fetchrow(shared("credential.credential"), credential_id)
    if found is None:
        raise NotFoundError(N_("There is no credential {id}."), id=credential_id)
    return _decoded(found, ("definition", "shared", "values", "used_by", "checked", "revealed"))


async def type_of(connection: Connection, type_id: int) -> dict[str, Any]:
    """Read a credential type, as a credential without values of its own.

    Raises
    ------
    NotFoundError
        There is none of that id, or it is not for this user to see.
    """
    found = await connection.fetchrow(shared("credential.type"), type_id, None)
    if found is None:
        raise NotFoundError(N_("There is no credential type {id}."), id=type_id)
    return {**_decoded(found, ("definition", "shared", "values")), "id": 0, "credential_type_id": type_id}


async def types(connection: Connection, view: View) -> list[Offered]:
    """Return the types that a new credential may be of."""
    records = await connection.fetch(shared("credential.types"), view.company_id, TYPES, None, False)
    return [Offered(each["id"], each["name"], each["company_slug"], each["prototype"]) for each in records]


async def page_of(
    keyring: Keyring, record: Mapping[str, Any], language: str, revealed: Mapping[str, str] | None = None
) -> CredentialShown:
    """Return what the page of a credential shows, with values in clear that are on the record as revealed."""
    found = await shown(keyring, record)
    names = set(CredentialShown.__struct_fields__) & record.keys() - {"values"}
    return CredentialShown(
        **{name: record[name] for name in names - {"check", "revealed", "changed_at", "version"}},
        values=[_value(name, one, language, revealed or {}) for name, one in found.items()],
        check=record["checked"],
        revealed=record["revealed"],
        changed_at=record["DatUpdate"],
        version=str(record["valued_at"] or ""),
    )


async def form_of(
    keyring: Keyring,
    record: Mapping[str, Any],
    language: str,
    *,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
    own: str = "credential",
) -> EnvForm:
    """Return the form of the values of a credential, or with ``own="type"`` of a type; a secret is never in it."""
    found = await shown(keyring, record)
    made = [_field(name, one, language, typed, errors or {}, own) for name, one in found.items()]
    return EnvForm(fields=made, extra=[])


async def changes_of(
    keyring: Keyring, record: Mapping[str, Any], form: Mapping[str, str], own: str = "credential"
) -> dict[str, str | None]:
    """Return the values that a form changes: None takes one away; a secret that is left empty stays."""
    wanted: dict[str, str | None] = {}
    for name, one in (await shown(keyring, record)).items():
        if PREFIX + name not in form:
            continue
        text = form[PREFIX + name].replace("\r\n", "\n")
        stored = one.text if one.source == own else ""
        if form.get(FORGET + name) and not text:
            wanted[name] = None
        elif text != stored and not (one.field.secret and not text):
            wanted[name] = text or None
    return wanted


def fields_of(record: Mapping[str, Any]) -> dict[str, Field]:
    """Return the fields of a credential."""
    return fields(record["definition"])


def _value(name: str, one: Shown, language: str, revealed: Mapping[str, str]) -> ValueShown:
    text = revealed.get(name, one.text)
    label = words.localized(one.field.label, language)
    return ValueShown(
        name=name, label=label, text="" if text == NOT_SET else text, source=one.source, secret=one.field.secret
    )


def _field(
    name: str, one: Shown, language: str, typed: Mapping[str, str] | None, errors: Mapping[str, str], own: str
) -> EnvField:
    field, stored = one.field, one.source == own
    value = (one.text if stored else "") if typed is None else typed.get(PREFIX + name, "")
    widget = "secret" if field.secret else "select" if field.options else WIDGETS.get(field.type, "text")
    return EnvField(
        name=name,
        widget=widget,
        value="" if field.secret else value,
        stored=stored,
        inherited=one.text if one.source in ("type", "default") and not stored else None,
        required=field.required,
        options={value: words.localized(label, language) for value, label in field.options.items()},
        description=words.localized(field.description, language) or words.localized(field.label, language),
        hint=words.localized(field.hint, language),
        error=errors.get(name),
    )


def _decoded(record: asyncpg.Record, names: tuple[str, ...]) -> dict[str, Any]:
    return {**record, **{name: msgspec.json.decode(record[name] or "null") for name in names}}
