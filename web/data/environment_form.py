"""The environment of a run template as a form: a field for each setting that its application's definition names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from domain import checks, definition
from domain.definition import Field
from web import masking, refusals, words
from web.errors import N_
from web.words import Translate

PREFIX = "env."
FORGET = "forget."
"""Prefix of the box that takes a secret value away."""

EXTRA_NAME, EXTRA_VALUE = "extra_name", "extra_value"
SPARE = 2
"""Empty lines for further variables."""

WIDGETS = {
    "text": "area", "integer": "number", "float": "number", "bool": "bool", "email": "email", "url": "url",
    "date": "date", "datetime": "datetime-local", "time": "time",
}  # fmt: skip
"""How each kind of setting is asked for; any other one is a line of text."""

PICKED = {
    "date": re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII),
    "datetime-local": re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?", re.ASCII),
    "time": re.compile(r"\d{2}:\d{2}(:\d{2})?", re.ASCII),
}
"""Controls that show nothing but their own form: a value of another form, such as a reference, is asked for as text."""

OTHER = "Other"
"""Category of settings that name none."""


class EnvField(msgspec.Struct, frozen=True, kw_only=True):
    """A setting in the form.

    Attributes
    ----------
    widget : str
        ``text``, ``number``, ``email``, ``url``, ``date``, ``datetime-local``, ``time``, ``area``, ``select``, ``bool``
        or ``secret``.
    value : str
        What stands in the field; never a secret.
    stored : bool
        Whether there is a value, which for secrets is all that is told.
    inherited : str or None
        What counts if the field is left empty.
    least, most : float or None
        Bounds of a number.
    condition : dict[str, list[str]]
        It matters only while each of these variables has one of these values.
    given_by : str or None
        Credential that gives the variable, and goes before what stands here.
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
    label: str = ""
    category: str = OTHER
    least: float | None = None
    most: float | None = None
    condition: dict[str, list[str]] = {}
    given_by: str | None = None


class EnvForm(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, and the variables that no definition names; those of ``extra_given`` come from credentials."""

    fields: list[EnvField]
    extra: list[tuple[str, str]]
    error: str | None = None
    extra_given: dict[str, str] = {}

    @property
    def groups(self) -> dict[str, list[EnvField]]:
        """The settings by category, in the order of the definition; those without a category last."""
        found: dict[str, list[EnvField]] = {}
        for each in self.fields:
            found.setdefault(each.category, []).append(each)
        if OTHER in found:
            found[OTHER] = found.pop(OTHER)
        return found


def form_of(
    document: Mapping[str, Any],
    values: Mapping[str, str],
    language: str,
    *,
    below: Mapping[str, str] | None = None,
    given_by: Mapping[str, str] | None = None,
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
        Values that count where there is none: of a job, those of its template; of a template, those of its company.
    given_by : Mapping[str, str] or None
        Variables that credentials give, each with the name of the credential.
    typed : Mapping[str, str] or None
        What was sent, if the form is shown again.
    errors : Mapping[str, str] or None
        What is wrong with it, by variable.
    """
    named = definition.fields(document)
    below, errors, given_by = below or {}, errors or {}, given_by or {}
    known = {**{name: None for name in named}, **{name: None for name in (*below, *values) if _secret(name, named)}}
    fields = [
        msgspec.structs.replace(
            _field(name, named.get(name) or Field(name=name, secret=True), values, below, language, typed),
            error=errors.get(name),
            given_by=given_by.get(name),
        )
        for name in known
    ]
    extra = [(name, value) for name, value in values.items() if name not in known]
    if typed is not None:
        extra = extra_of(typed)
    given = {name: given_by[name] for name, _ in extra if name in given_by}
    return EnvForm(fields=fields, extra=extra, error=errors.get(""), extra_given=given)


def _secret(name: str, named: Mapping[str, Field]) -> bool:
    return (name in named and named[name].secret) or masking.masked({name: "x"})[name] == masking.MASK


def _field(
    name: str,
    field: Field,
    values: Mapping[str, str],
    below: Mapping[str, str],
    language: str,
    typed: Mapping[str, str] | None,
) -> EnvField:
    secret = field.secret or masking.masked({name: "x"})[name] == masking.MASK
    inherited = below.get(name, field.default)
    value = values.get(name, "") if typed is None else typed.get(PREFIX + name, "")
    return EnvField(
        name=name,
        widget="secret" if secret else widget_of(field, value),
        value="" if secret else value,
        stored=name in values,
        inherited=masking.masked({name: inherited}, [name] if secret else ())[name] if inherited else inherited,
        required=field.required,
        options=field.options,
        description=words.localized(field.description, language),
        hint=words.localized(field.hint, language),
        label=words.localized(field.label, language),
        category=field.category,
        least=field.least,
        most=field.most,
        condition={each: list(wanted) for each, wanted in field.condition.items()},
    )


def widget_of(field: Field, value: str) -> str:
    """Return how a setting that has a value is asked for.

    Examples
    --------
    >>> when = Field(name="SINCE", kind="date")
    >>> widget_of(when, ""), widget_of(when, "2026-01-31"), widget_of(when, "{TODAY}")
    ('date', 'date', 'text')
    """
    if field.options:
        return "select"
    widget = WIDGETS.get(field.kind, "area" if field.type == "json" else "text")
    if widget in PICKED and value and not PICKED[widget].fullmatch(value):
        return "text"
    return widget


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
        if text and text != values.get(name) and name in named and (wrong := named[name].problem(text)):
            errors[name] = refusals.misfit(wrong, translate)
    extra = dict(extra_of(form))
    for name in extra:
        if name in shown:
            errors[""] = translate(N_("{name} stands above already; change it there.")).format(name=name)
    if wrong := names_wrong(extra, translate):
        errors[""] = wrong
    wanted |= extra
    for name in values:
        if name not in shown and name not in extra:
            wanted[name] = None
    return {name: value for name, value in wanted.items() if value != values.get(name)}, errors


def names_wrong(names: Iterable[str], translate: Translate) -> str | None:
    """Return what is wrong with names of variables, None if nothing is."""
    for name in names:
        if not checks.is_variable(name):
            return translate(
                N_("“{name}” is no name of an environment variable. Use letters, digits and _, no space and no =.")
            ).format(name=name[:80])
    return None


def extra_of(form: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the variables of the lines below, those without a name left out."""
    texts = [name.rpartition(".")[2] for name in form if name.startswith(f"{EXTRA_NAME}.")]
    numbers = sorted(int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 10)
    lines = [(form.get(f"{EXTRA_NAME}.{n}", "").strip(), form.get(f"{EXTRA_VALUE}.{n}", "")) for n in numbers]
    return [(name, value.replace("\r\n", "\n")) for name, value in lines if name]
