"""The format of credential prototypes, version 0.2.0, and of its sister for credential types, as shapes.

Files in use mix both: names and descriptions by language, ``default`` beside ``default_value``, options as plain words,
``secret`` and ``number`` beside ``password`` and ``integer``. All of that is read. What the program would trip over is
an error: no name, a code or a variable of a wrong form, a field given twice.
"""

from __future__ import annotations

import re

from domain.checks import is_variable
from domain.definition_format import image
from domain.findings import Findings, child
from domain.shapes import (
    Check,
    Record,
    anything,
    boolean,
    is_list,
    is_object,
    like,
    localized_text,
    one_of,
    strict_text,
    text,
    words,
    wrong_kind,
)

VERSION = "0.2.0"
MOST_FIELDS = 500
LONGEST_PATTERN = 200

PROTOTYPE_TYPES = ("string", "password", "email", "url", "integer", "boolean", "select", "textarea", "file")
TYPE_TYPES = ("number", "secret")
"""Words that only the format of credential types has."""

_TYPE_NAMES = (*PROTOTYPE_TYPES, *TYPE_TYPES)
_URI = like(r"[A-Za-z][A-Za-z0-9+.-]*:.+", "https://example.org/")
_CODE = like(r"[A-Za-z0-9_-]{2,64}", "FioBank: 2 to 64 letters, digits, - and _", strict=True)
_KEYWORD = re.compile(r"[A-Z][A-Z0-9_]*")
_REPEATED_GROUP = re.compile(r"\([^()]*[*+}][^()]*\)[*+{]")


def keyword(findings: Findings, pointer: str, value: object) -> None:
    """Ask for the name of an environment variable; one in small letters is a warning."""
    strict_text(findings, pointer, value)
    if not isinstance(value, str) or not value.strip():
        return
    if not is_variable(value):
        findings.error(pointer, "not_a_variable", f"“{value[:80]}” is no name of an environment variable.")
    elif not _KEYWORD.fullmatch(value):
        findings.warn(pointer, "form", f"“{value[:80]}” is not in capital letters, digits and _.")


def option(findings: Findings, pointer: str, value: object) -> None:
    """Ask for an option: ``{"value": …, "label": …}``, or a word."""
    if not is_object(value):
        text(findings, pointer, value)
        return
    if value.get("value") is None:
        findings.error(child(pointer, "value"), "missing", "it is required and missing.")
    else:
        text(findings, child(pointer, "value"), value["value"])
    if value.get("label") is None:
        findings.warn(child(pointer, "label"), "missing", "the format asks for it; the value is shown instead.")
    else:
        localized_text(findings, child(pointer, "label"), value["label"])


def options(findings: Findings, pointer: str, value: object) -> None:
    """Ask for the options of a field: a list of options, or an object of labels by value."""
    if is_list(value):
        for index, member in enumerate(value):
            option(findings, child(pointer, index), member)
    elif is_object(value):
        findings.warn(pointer, "not_a_list", "expected a list of options; the object is read as labels by value.")
        for name, label in value.items():
            localized_text(findings, child(pointer, name), label)
    else:
        wrong_kind(findings, pointer, value, "a list of options")


def pattern(findings: Findings, pointer: str, value: object) -> None:
    """Ask for a regular expression that takes little time on any value."""
    strict_text(findings, pointer, value)
    if not isinstance(value, str):
        return
    if len(value) > LONGEST_PATTERN or _REPEATED_GROUP.search(value):
        findings.error(pointer, "pattern_costly", "the pattern may take very long: do not repeat a repetition.")
        return
    try:
        re.compile(value)
    except re.error as error:
        findings.error(pointer, "pattern_invalid", f"the pattern cannot be used: {error}.")


def length(findings: Findings, pointer: str, value: object) -> None:
    """Ask for a number, whole or not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        wrong_kind(findings, pointer, value, "a number")


VALIDATION = Record(
    {"pattern": pattern, "min": length, "max": length, "minLength": length, "maxLength": length}, extra=False
)
FIELD = Record(
    {
        "keyword": keyword,
        "type": one_of(*_TYPE_NAMES),
        "name": localized_text,
        "description": localized_text,
        "hint": localized_text,
        "default_value": text,
        "default": text,
        "required": boolean,
        "secret": boolean,
        "options": options,
        "validation": VALIDATION,
    },
    required=("keyword",),
    wanted=("type",),
    extra=False,
)


def fields(findings: Findings, pointer: str, value: object) -> None:
    """Ask for the list of fields, each with a variable of its own."""
    if not is_list(value):
        wrong_kind(findings, pointer, value, "a list of fields")
        return
    if len(value) > MOST_FIELDS:
        findings.error(pointer, "too_many", f"there are {len(value)} fields; at most {MOST_FIELDS} are possible.")
        return
    seen: dict[str, int] = {}
    for index, member in enumerate(value):
        place = child(pointer, index)
        FIELD(findings, place, member)
        name = member.get("keyword") if is_object(member) else None
        if not isinstance(name, str):
            continue
        if name in seen:
            reason = f"the field {name[:80]} is given twice, first as field {seen[name]}."
            findings.error(child(place, "keyword"), "field_twice", reason)
        seen.setdefault(name, index)
        if member.get("type") == "select" and not member.get("options"):
            findings.warn(child(place, "options"), "missing", "a select has no options; any text may be given.")


_MEMBERS: dict[str, Check] = {
    "$schema": text,
    "schemaVersion": text,
    "uuid": like(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "a UUID", strict=True),
    "code": _CODE,
    "name": localized_text,
    "description": localized_text,
    "version": like(r"\d+(\.\d+){0,2}", "1.0 or 1.0.0"),
    "homepage": _URI,
    "url": _URI,
    "logo": image,
    "tags": words,
    "fields": fields,
    "localized": anything,
}
PROTOTYPE = Record(_MEMBERS, required=("uuid", "code", "name"), wanted=("version",), extra=False)
