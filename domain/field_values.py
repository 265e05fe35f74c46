"""What a setting of an application may be: its kind, how it is asked for, and whether a value fits.

Values are texts, as an environment has them. A value that refers to another variable (``{NAME}``, ``${NAME}``) is only
known when the job starts and passes. Messages never repeat a value: it may be a secret.

Examples
--------
>>> problem("integer", "ten"), problem("integer", "10"), problem("integer", "{LIMIT}")
('expected a whole number.', None, None)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Mapping
from datetime import date, datetime, time
from types import MappingProxyType
from urllib.parse import urlsplit

from domain.errors import ValidationError

KINDS = {
    "string": "string", "str": "string", "text": "text", "textarea": "text", "multiline": "text",
    "password": "password", "secret": "password", "token": "password", "hidden": "password",
    "integer": "integer", "int": "integer", "float": "float", "number": "float", "double": "float",
    "bool": "bool", "boolean": "bool", "checkbox": "bool", "switch": "bool",
    "set": "set", "select": "set", "enum": "set", "list": "set",
    "file-path": "file-path", "file": "file-path", "path": "file-path", "directory": "file-path",
    "url": "url", "uri": "url", "email": "email", "date": "date", "datetime": "datetime", "time": "time",
}  # fmt: skip
"""The kind that each type of a definition is read as; any other one is read as ``string``."""

WIDGETS = {
    "string": "text", "text": "textarea", "password": "password", "integer": "number", "float": "number",
    "bool": "checkbox", "set": "select", "file-path": "text", "url": "url", "email": "email", "date": "date",
    "datetime": "datetime-local", "time": "time",
}  # fmt: skip
"""The control of a form that asks for each kind."""

BOOLEANS = MappingProxyType(
    {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
)
LONGEST_PATH = 4096

_REFERENCE = re.compile(r"\$?\{\w+\}")
_WHOLE = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_EMAIL = re.compile(r"(?:[^<>@]*<)?[^@\s<>,;]+@[^@\s<>,;]+>?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


class FieldsError(ValidationError):
    """Values that do not fit the fields of a definition.

    Attributes
    ----------
    fields : dict[str, str]
        What is wrong, by the name of the variable.
    """

    default_code = "environment_invalid"

    def __init__(self, fields: Mapping[str, str]) -> None:
        listed = "".join(f"\n  {name}: {reason}" for name, reason in list(fields.items())[:20])
        more = f"\n  … and {len(fields) - 20} more" if len(fields) > 20 else ""
        values = "1 value does" if len(fields) == 1 else f"{len(fields)} values do"
        super().__init__(f"{values} not fit what the application takes:{listed}{more}", field="environment")
        self.fields = dict(fields)


def kind_of(kind: str) -> str:
    """Return what a type is read as.

    Examples
    --------
    >>> kind_of("Boolean"), kind_of("select"), kind_of("colour")
    ('bool', 'set', 'string')
    """
    return KINDS.get(kind.strip().lower(), "string")


def problem(
    kind: str, value: str, options: Container[str] = (), bounds: tuple[float | None, float | None] = (None, None)
) -> str | None:
    """Return what is wrong with a value, None if it fits. The empty value means that there is none.

    Parameters
    ----------
    kind : str
        One of the kinds that :func:`kind_of` returns.
    value : str
        The value.
    options : Container[str]
        What may be chosen, for the kind ``set``; empty: anything.
    bounds : tuple
        Smallest and largest value of a number, None where there is no bound.
    """
    if not value or _REFERENCE.search(value):
        return None
    if kind == "set":
        return _chosen(value, options)
    found = _PROBLEMS[kind](value) if kind in _PROBLEMS else None
    if found is None and kind in ("integer", "float"):
        return _bounded(float(value), *bounds)
    return found


def _chosen(value: str, options: Container[str]) -> str | None:
    return None if not options or value in options else "expected one of the options."


def _bounded(number: float, least: float | None, most: float | None) -> str | None:
    if least is not None and number < least:
        return f"expected at least {least:g}."
    return f"expected at most {most:g}." if most is not None and number > most else None


def _whole(value: str) -> str | None:
    return None if _WHOLE.fullmatch(value.strip()) else "expected a whole number."


def _number(value: str) -> str | None:
    try:
        if math.isfinite(float(value)) and "_" not in value:
            return None
    except ValueError:
        pass
    return f"expected a number{', with a point in place of the comma' if ',' in value else ''}."


def _truth(value: str) -> str | None:
    return None if value.strip().lower() in BOOLEANS else "expected true or false."


def _one_line(value: str) -> str | None:
    return "expected one line." if "\n" in value or "\r" in value else None


def _path(value: str) -> str | None:
    if len(value.encode()) > LONGEST_PATH:
        return f"a path has at most {LONGEST_PATH} bytes."
    return _one_line(value)


def _url(value: str) -> str | None:
    try:
        parts = urlsplit(value.strip())
        _ = parts.port
    except ValueError:
        return "expected an address such as https://example.org/."
    known = _SCHEME.fullmatch(parts.scheme) and (parts.hostname or parts.path.strip("/"))
    if not known or re.search(r"[\s<>\"]", value.strip()):
        return "expected an address such as https://example.org/."
    return None


def _email(value: str) -> str | None:
    addresses = [part.strip() for part in re.split(r"[,;]", value) if part.strip()]
    if addresses and all(_EMAIL.fullmatch(address) for address in addresses):
        return None
    return "expected a mail address such as name@example.org."


def _moment(read: Callable[[str], object], example: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        try:
            read(value.strip())
        except ValueError:
            return f"expected the form {example}."
        return None

    return check


_PROBLEMS: dict[str, Callable[[str], str | None]] = {
    "integer": _whole,
    "float": _number,
    "bool": _truth,
    "file-path": _path,
    "url": _url,
    "email": _email,
    "date": _moment(date.fromisoformat, "2026-01-31"),
    "datetime": _moment(datetime.fromisoformat, "2026-01-31T12:00"),
    "time": _moment(time.fromisoformat, "12:00"),
}
