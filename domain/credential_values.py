"""Values of credentials: what a field may hold, and how a value is shown to people.

Examples
--------
>>> from domain.credential_definition import Field
>>> checked(Field(name="TIMEOUT", type="integer"), " 30 ")
'30'
>>> masked("hunter2"), masked(None)
('••••••••', '(not set)')
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from domain import checks
from domain.credential_definition import Field
from domain.errors import ValidationError

SHOWN = "••••••••"
"""What is shown of a secret; always the same, so that not even its length is told."""

NOT_SET = "(not set)"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_TRUE = frozenset({"true", "1", "yes", "on", "ano"})
_FALSE = frozenset({"false", "0", "no", "off", "ne"})
_USERINFO = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#\s:@]*:([^/?#\s@]+)@")


def masked(value: object) -> str:
    """Return what is shown in place of a secret."""
    return NOT_SET if value in (None, "") else SHOWN


def password_in(value: str) -> str | None:
    """Return the password within an address, None if it has none.

    Examples
    --------
    >>> password_in("smtp://user:pass@smtp.example.com:587")
    'pass'
    """
    found = _USERINFO.match(value)
    return found[1] if found else None


def checked_all(fields: Mapping[str, Field], values: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return values in the form in which jobs get them; None takes one away, empty ones are left out: they stay.

    Raises
    ------
    ValidationError
        A field does not exist, or a value is not what its field asks for. No secret is told.
    """
    found: dict[str, str | None] = {}
    for name, value in values.items():
        field = fields.get(name)
        if value is None:
            found[name] = None
        elif field is None:
            raise _unknown(name, fields)
        elif value != "":
            found[name] = checked(field, value)
    return found


def checked(field: Field, value: str) -> str:
    """Return the value of a field in the form in which jobs get it."""
    checks.environment({field.name: value}, field.name)
    if field.type != "textarea" and not field.secret and field.type != "file":
        value = value.strip()
    match field.type:
        case "integer" | "number":
            value = _number(field, value)
        case "boolean":
            value = _boolean(field, value)
        case "email":
            checks.email(value, field.name)
        case "url":
            if not _URL.fullmatch(value):
                raise _wrong(field, "an address such as https://example.org/")
        case "select" if field.options and value not in field.options:
            raise _wrong(field, f"one of {', '.join(field.options)}")
        case _:
            pass
    _validate(field, value)
    return value


def missing(fields: Mapping[str, Field], present: Iterable[str]) -> list[str]:
    """Return the required fields without a value and without a default."""
    there = set(present)
    return [name for name, field in fields.items() if field.required and not field.default and name not in there]


def _number(field: Field, value: str) -> str:
    whole = field.type == "integer"
    try:
        number = int(value) if whole else float(value)
    except ValueError:
        raise _wrong(field, "a whole number" if whole else "a number") from None
    lowest, highest = field.validation.get("min"), field.validation.get("max")
    if (lowest is not None and number < lowest) or (highest is not None and number > highest):
        bounds = f"from {lowest}" if highest is None else f"up to {highest}" if lowest is None else None
        raise _wrong(field, f"a number {bounds or f'between {lowest} and {highest}'}")
    return value


def _boolean(field: Field, value: str) -> str:
    word = value.lower()
    if word not in _TRUE | _FALSE:
        raise _wrong(field, "true or false")
    return "true" if word in _TRUE else "false"


def _validate(field: Field, value: str) -> None:
    shortest, longest = field.validation.get("minLength"), field.validation.get("maxLength")
    if shortest is not None and len(value) < shortest:
        raise _wrong(field, f"at least {shortest} characters")
    if longest is not None and len(value) > longest:
        raise _wrong(field, f"at most {longest} characters")
    pattern = field.validation.get("pattern")
    if pattern and (len(value) > 4096 or not re.fullmatch(pattern, value)):
        raise _wrong(field, f"the form {pattern}")


def _wrong(field: Field, expected: str) -> ValidationError:
    # The value is not told: it may be a secret, and what is refused is often written into a log.
    return ValidationError(f"The value of {field.name} is not {expected}.", field=field.name, code="value_invalid")


def _unknown(name: str, fields: Mapping[str, Field]) -> ValidationError:
    close = difflib.get_close_matches(name, fields, n=1, cutoff=0.6)
    hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(fields) or 'none'}."
    return ValidationError(f"The credential has no field “{name[:80]}”. {hint}", field="field", code="field_unknown")
