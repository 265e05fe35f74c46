"""Application definitions: the JSON documents that say what an application is and which settings it takes.

Examples
--------
>>> read({"name": "Probe", "description": "Checks", "executable": "probe", "environment": []}).uuid
'b54edffd-f876-55cc-a806-4109bf6cff43'
>>> read(b'{"name": "Probe",}')
Traceback (most recent call last):
domain.findings.DocumentError: The definition is refused: 1 place is wrong.
  /: line 1, column 18: it is no JSON, the comma before } is one too many.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from domain import checks, json_text
from domain.definition_format import DEFINITION, OTHER_DEFAULTS
from domain.field_values import WIDGETS, FieldsError, kind_of, problem
from domain.findings import DocumentError, Finding, Findings, child
from domain.json_places import located
from domain.localized import localized
from domain.member_order import order_of
from domain.shapes import entries, is_object

LARGEST = 10_000_000
"""Most bytes of a definition."""

NAMESPACE = uuid.UUID("5f2f6b4c-6a0e-5c53-9b1c-6f0f5f6ad7a1")
"""Namespace of the UUIDs of definitions that have none."""

_GIVEN_UUID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


class Definition(msgspec.Struct, frozen=True):
    """A definition that was read.

    Attributes
    ----------
    document : dict[str, Any]
        The JSON document as it was given.
    digest : str
        SHA-256 of the document, whatever the order of its members and the space between them.
    uuid : str
        Its UUID in small letters; derived from name and executable when it has none. Some in use are no UUID by
        RFC 9562 and are kept as they are.
    name, version, executable : str
        As a list of applications shows them; the name in English if there is one, the version empty if there is none.
    warnings : tuple[Finding, ...]
        Where it leaves the format.
    """

    document: dict[str, Any]
    digest: str
    uuid: str
    name: str
    version: str
    executable: str
    warnings: tuple[Finding, ...]

    @property
    def order(self) -> dict[str, list[str]]:
        """Order of the members of its objects, for stores that do not keep it."""
        return order_of(self.document)


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A setting that an application takes from its environment.

    Attributes
    ----------
    name : str
        Name of the environment variable.
    type : str
        Type as the definition has it; ``string`` if it has none.
    kind : str
        What the type is read as (:mod:`domain.field_values`).
    default : str or None
        Value when nobody gives one; None if there is none.
    secret : bool
        Whether its values are to be hidden.
    options : dict[str, str]
        Labels by value, where a value is to be chosen.
    least, most : float or None
        Bounds of a number.
    condition : dict[str, tuple[str, ...]]
        The setting matters only while each of these variables has one of these values.
    label, description, hint : Any
        Texts, plain or by language (``domain.localized``).
    """

    name: str
    type: str = "string"
    kind: str = "string"
    required: bool = False
    default: str | None = None
    secret: bool = False
    category: str = "Other"
    options: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    least: float | None = None
    most: float | None = None
    condition: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])
    label: Any = None
    description: Any = None
    hint: Any = None

    @property
    def widget(self) -> str:
        """The control of a form that asks for it."""
        return WIDGETS[self.kind]

    def problem(self, value: str) -> str | None:
        """Return what is wrong with a value, None if it fits."""
        return problem(self.kind, value, self.options, (self.least, self.most))

    def matters(self, values: Mapping[str, str]) -> bool:
        """Tell whether the setting matters, with these values of the others."""
        return all(values.get(name, "") in wanted for name, wanted in self.condition.items())


def read(source: bytes | str | Mapping[str, Any]) -> Definition:
    """Read a definition.

    Parameters
    ----------
    source : bytes, str or Mapping[str, Any]
        JSON text, or the document it holds.

    Raises
    ------
    DocumentError
        It is no definition; the error holds every place that is wrong.
    """
    findings = Findings()
    if isinstance(source, Mapping):
        document: object = json_text.plain(dict(source))
        json_text.check_storable(document, findings)
        if not findings.errors and len(_canonical(document)) > LARGEST:
            findings.error("", "too_large", f"it has more than {LARGEST} bytes.")
    else:
        document = json_text.parse(source, "definition", largest=LARGEST, findings=findings)
    if not findings.errors:
        DEFINITION(findings, "", document)
    if findings.errors or not is_object(document):
        raise DocumentError("definition", located(findings.errors, source), code="definition_invalid")
    definition = _definition(document, findings)
    if findings.errors:
        raise DocumentError("definition", located(findings.errors, source), code="definition_invalid")
    return definition


def fields(document: Mapping[str, Any]) -> dict[str, Field]:
    """Return the settings that a definition names, in its order, by the name of their variable.

    Examples
    --------
    >>> fields({"environment": {"LIMIT": {"type": "integer", "defval": 5}}})["LIMIT"].default
    '5'
    """
    return {name: _field(name, entry) for name, entry in entries(document.get("environment")).items()}


def check_values(document: Mapping[str, Any], values: Mapping[str, str], only: Iterable[str] | None = None) -> None:
    """Refuse values that do not fit the fields of a definition; variables that it does not name pass.

    Parameters
    ----------
    document : Mapping[str, Any]
        The definition.
    values : Mapping[str, str]
        Values by variable.
    only : Iterable[str] or None
        Look at these variables alone.

    Raises
    ------
    FieldsError
        It says of each variable what is wrong.
    """
    wrong = problems(document, values)
    if only is not None:
        wrong = {name: wrong[name] for name in only if name in wrong}
    if wrong:
        raise FieldsError(wrong)


def problems(document: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with values, by variable.

    Examples
    --------
    >>> problems({"environment": {"LIMIT": {"type": "integer", "max": 9}}}, {"LIMIT": "10", "OTHER": "x"})
    {'LIMIT': 'expected at most 9.'}
    """
    found = {name: field.problem(values[name]) for name, field in fields(document).items() if name in values}
    return {name: reason for name, reason in found.items() if reason}


def missing(document: Mapping[str, Any], values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables that an application requires and that neither values nor defaults fill."""
    named = fields(document)
    whole = {name: field.default for name, field in named.items() if field.default} | dict(values)
    return tuple(
        name for name, field in named.items() if field.required and not whole.get(name) and field.matters(whole)
    )


def as_text(value: object) -> str:
    """Return a JSON value as the text that an environment variable holds.

    Examples
    --------
    >>> as_text(True), as_text(1.5), as_text(None), as_text(["a"])
    ('true', '1.5', '', '["a"]')
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


def digest(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a document, as 64 hexadecimal digits.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(_canonical(document)).hexdigest()


def _canonical(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _definition(document: dict[str, Any], findings: Findings) -> Definition:
    name = " ".join(localized(document["name"]).split())
    executable: str = document["executable"].strip()
    if not name or len(name) > checks.LONGEST_NAME:
        reason = f"the name has {len(name)} characters; 1 to {checks.LONGEST_NAME} are possible."
        findings.error("/name", "length", reason)
    if len(executable) > 4096:
        findings.error("/executable", "too_long", "the executable has more than 4096 characters.")
    version = as_text(document.get("version")).strip()
    if len(version) > 64:
        findings.error("/version", "too_long", "the version has more than 64 characters.")
    for field in fields(document).values():
        if field.default and (reason := field.problem(field.default)):
            place = child(child("/environment", field.name), "defval")
            findings.warn(place, "default_form", f"the default does not fit the type: {reason}")
    return Definition(
        document=document,
        digest=digest(document),
        uuid=_uuid(document, name, executable, findings),
        name=name,
        version=version,
        executable=executable,
        warnings=tuple(findings.warnings),
    )


def _uuid(document: dict[str, Any], name: str, executable: str, findings: Findings) -> str:
    given = as_text(document.get("uuid")).strip()
    if not given:
        reason = "there is none; the application is known by its name and executable, which must not change then."
        findings.warn("/uuid", "missing", reason)
        return str(uuid.uuid5(NAMESPACE, f"{name}\n{executable}"))
    if not _GIVEN_UUID.fullmatch(given):
        findings.error("/uuid", "form", "this is no UUID, nor any other identifier of letters, digits and . _ : -")
    return given.lower()


def _field(name: str, entry: dict[str, Any]) -> Field:
    kind = as_text(entry.get("type")) or "string"
    default = next((entry[key] for key in ("defval", *OTHER_DEFAULTS) if entry.get(key) is not None), None)
    known = kind_of(kind)
    return Field(
        name=name,
        type=kind,
        kind=known,
        required=_true(entry.get("required")),
        default=None if default is None else as_text(default),
        secret=known == "password" or _true(entry.get("secret")),
        category=as_text(entry.get("category")) or "Other",
        options=_options(entry.get("options")),
        least=_bound(entry.get("min")),
        most=_bound(entry.get("max")),
        condition=_condition(entry.get("condition")),
        label=entry.get("name"),
        description=entry.get("description"),
        hint=entry.get("hint"),
    )


def _true(value: object) -> bool:
    return as_text(value).lower() in ("true", "1", "yes")


def _bound(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _condition(value: object) -> dict[str, tuple[str, ...]]:
    if not is_object(value):
        return {}
    return {
        name: tuple(as_text(one) for one in cast("list[object]", wanted if isinstance(wanted, list) else [wanted]))
        for name, wanted in value.items()
    }


def _options(value: object) -> dict[str, str]:
    if is_object(value):
        return {key: localized(label) or as_text(label) for key, label in value.items()}
    listed = cast("list[object]", value) if isinstance(value, list) else []
    return {as_text(option): as_text(option) for option in listed}
