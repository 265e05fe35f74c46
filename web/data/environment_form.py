"""The environment of a run template as a form: a field for each setting that its application's definition names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from domain import checks, definition
from domain.definition import Field
from web import masking, words
from web.errors import N_
from web.words import Translate

PREFIX = "env."
FORGET = "forget."
"""Prefix of the box that takes a secret value away."""

EXTRA_NAME, EXTRA_VALUE = "extra_name", "extra_value"
SPARE = 2
"""Empty lines for further variables."""

BOOLS = ("bool", "boolean", "checkbox", "switch")
NUMBERS = {"integer": "numeric", "int": "numeric", "number": "decimal", "float": "decimal"}
INPUTS = {"email": "email", "url": "url", "date": "date"}
TRUE, FALSE = "true", "false"


class EnvField(msgspec.Struct, frozen=True, kw_only=True):
    """A setting in the form.

    Attributes
    ----------
    widget : str
        ``text``, ``number``, ``email``, ``url``, ``date``, ``area``, ``select``, ``bool`` or ``secret``.
    value : str
        What stands in the field; never a secret.
    stored : bool
        Whether there is a value, which for secrets is all that is told.
    inherited : str or None
        What counts if the field is left empty.
    """

    name: str
    widget: str
    value: str
    stored: bool
    inherited: str | None
    required: bool
    options: dict[str, str]
    description: str
    hint: str
    error: str | None = None


class EnvForm(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, and the variables that no definition names."""

    fields: list[EnvField]
    extra: list[tuple[str, str]]
    error: str | None = None


def form_of(
    document: Mapping[str, Any],
    values: Mapping[str, str],
    language: str,
    *,
    below: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> EnvForm:
    """Return the form.

    Parameters
    ----------
    document : Mapping[str, Any]
        Definition of the application.
    values : Mapping[str, str]
        Values there are.
    language : str
        The viewer's.
    below : Mapping[str, str] or None
        Values that count where there is none: of a job, those of its template.
    typed : Mapping[str, str] or None
        What was sent, if the form is shown again.
    errors : Mapping[str, str] or None
        What is wrong with it, by variable.
    """
    named = definition.fields(document)
    below, errors = below or {}, errors or {}
    known = {**{name: None for name in named}, **{name: None for name in (*below, *values) if _secret(name, named)}}
    fields = [
        _field(name, named.get(name) or Field(name=name, secret=True), values, below, language, typed, errors)
        for name in known
    ]
    extra = [(name, value) for name, value in values.items() if name not in known]
    if typed is not None:
        extra = extra_of(typed)
    return EnvForm(fields=fields, extra=extra, error=errors.get(""))


def _secret(name: str, named: Mapping[str, Field]) -> bool:
    return (name in named and named[name].secret) or masking.masked({name: "x"})[name] == masking.MASK


def _field(
    name: str,
    field: Field,
    values: Mapping[str, str],
    below: Mapping[str, str],
    language: str,
    typed: Mapping[str, str] | None,
    errors: Mapping[str, str],
) -> EnvField:
    secret = field.secret or masking.masked({name: "x"})[name] == masking.MASK
    inherited = below.get(name, field.default)
    value = values.get(name, "") if typed is None else typed.get(PREFIX + name, "")
    return EnvField(
        name=name,
        widget="secret" if secret else widget_of(field),
        value="" if secret else value,
        stored=name in values,
        inherited=masking.MASK if secret and inherited else inherited,
        required=field.required,
        options=field.options,
        description=words.localized(field.description, language),
        hint=words.localized(field.hint, language),
        error=errors.get(name),
    )


def widget_of(field: Field) -> str:
    """Return how a setting is asked for."""
    if field.options:
        return "select"
    if field.type in BOOLS:
        return "bool"
    if field.type in NUMBERS:
        return "number"
    return INPUTS.get(field.type) or ("area" if field.type in ("text", "textarea", "json") else "text")


def changes_of(
    form: Mapping[str, str], document: Mapping[str, Any], values: Mapping[str, str], translate: Translate
) -> tuple[dict[str, str | None], dict[str, str]]:
    """Return the variables that a form sets (None: takes away) and what is wrong with it, by variable.

    A field that is left empty takes the value away, a secret one leaves it as it is unless it is to be forgotten.
    """
    wanted: dict[str, str | None] = {}
    errors: dict[str, str] = {}
    named = definition.fields(document)
    shown = [name.removeprefix(PREFIX) for name in form if name.startswith(PREFIX)]
    for name in shown:
        text = form[PREFIX + name].replace("\r\n", "\n")
        secret = _secret(name, named)
        if secret and not text:
            if form.get(FORGET + name):
                wanted[name] = None
            continue
        wanted[name] = text or None
        if text and (wrong := _wrong(named.get(name), text)):
            errors[name] = translate(wrong)
    extra = dict(extra_of(form))
    for name in extra:
        if name in shown:
            errors[""] = translate(N_("{name} stands above already; change it there.")).format(name=name)
        elif not checks.is_variable(name):
            errors[""] = translate(
                N_("“{name}” is no name of an environment variable. Use letters, digits and _, no space and no =.")
            ).format(name=name[:80])
    wanted |= extra
    for name in values:
        if name not in shown and name not in extra:
            wanted[name] = None
    return {name: value for name, value in wanted.items() if value != values.get(name)}, errors


def extra_of(form: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the variables of the lines below, those without a name left out."""
    numbers = sorted(int(name.rpartition(".")[2]) for name in form if name.startswith(f"{EXTRA_NAME}."))
    lines = [(form[f"{EXTRA_NAME}.{n}"].strip(), form.get(f"{EXTRA_VALUE}.{n}", "")) for n in numbers]
    return [(name, value.replace("\r\n", "\n")) for name, value in lines if name]


def _wrong(field: Field | None, text: str) -> str | None:
    if field is None:
        return None
    if field.options and text not in field.options:
        return N_("Choose one of the values that are offered.")
    try:
        if field.type in ("integer", "int"):
            int(text)
        elif field.type in NUMBERS:
            float(text)
    except ValueError:
        return N_("This is no number.")
    return None
