"""Read JSON text written by people: errors with line and column, and nothing that could not be stored afterwards."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, cast

from domain import json_places
from domain.findings import DocumentError, Finding, Findings, child
from domain.json_places import located, places

DEEPEST = 64
_LARGEST = 2**63
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def parse(source: bytes | str, what: str, *, largest: int, findings: Findings) -> object:
    """Return the value of a JSON text.

    Parameters
    ----------
    source : bytes or str
        The text; bytes are UTF-8.
    what : str
        What it is, for messages.
    largest : int
        Most bytes that are read.
    findings : Findings
        Takes warnings.

    Raises
    ------
    DocumentError
        It is too large, no UTF-8, no JSON, or holds what cannot be stored.
    """
    if len(source) > largest:
        reason = f"it has {len(source)} bytes, at most {largest} are read."
        raise DocumentError(what, [Finding("", "too_large", reason)], code=f"{_name(what)}_too_large")
    text = _decoded(source, what)
    if text.startswith("\ufeff"):
        text = text[1:]
        findings.warn("", "byte_order_mark", "it begins with a byte order mark, which JSON has not (RFC 8259, 8.1).")

    twice: list[str] = []

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(members)
        if len(found) < len(members):
            names: set[str] = set()
            twice.append(next(name for name, _ in members if name in names or names.add(name)))
        return found

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=_no_constant, parse_float=_float)
    except json.JSONDecodeError as error:
        raise _not_json(what, text, error) from None
    except RecursionError:
        raise DocumentError(what, [Finding("", "too_deep", f"it is nested deeper than {DEEPEST} levels.")]) from None
    except ValueError as error:
        raise DocumentError(what, [Finding("", "number_invalid", f"a number cannot be read: {error}.")]) from None
    if twice:
        _warn_of_names(text, twice, findings)
    check_storable(value, findings)
    if findings.errors:
        raise DocumentError(what, located(findings.errors, text))
    return value


def plain(value: Any) -> Any:
    """Return a JSON value with its numbers as they come back from a store that keeps them in decimal digits.

    Examples
    --------
    >>> plain([1e17, -0.0, 1.5, 1e300])
    [100000000000000000, 0.0, 1.5, 1e+300]
    """
    if isinstance(value, dict):
        return {name: plain(member) for name, member in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [plain(member) for member in cast("list[Any]", value)]
    return _number(value) if isinstance(value, float) else value


def check_storable(value: object, findings: Findings, pointer: str = "", depth: int = 0) -> None:
    """Note texts and numbers of a JSON value that PostgreSQL could not store, and what is nested too deeply."""
    if depth > DEEPEST:
        findings.error(pointer, "too_deep", f"it is nested deeper than {DEEPEST} levels.")
        return
    members: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        members = cast("dict[str | int, Any]", value).items()
    elif isinstance(value, list):
        members = enumerate(cast("list[Any]", value))
    elif wrong := _unstorable(value):
        findings.error(pointer, *wrong)
    for name, member in members:
        if isinstance(name, str) and _UNSTORABLE.search(name):
            reason = "the name holds a NUL or half of a surrogate pair."
            findings.error(child(pointer, name), "unstorable", reason)
        # Nearly every member is a text or a number that can be stored: its place is not worth building.
        if isinstance(member, dict | list) or depth == DEEPEST or _unstorable(member):
            check_storable(cast("Any", member), findings, child(pointer, name), depth + 1)


def _unstorable(value: object) -> tuple[str, str] | None:
    """Return the code of what is wrong with a text or a number, and how it is told."""
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            return "unstorable", "the text holds a NUL or half of a surrogate pair."
    elif (isinstance(value, int) and abs(value) >= _LARGEST) or (isinstance(value, float) and not math.isfinite(value)):
        return "number_too_large", "the number is too large."
    return None


def _warn_of_names(text: str, twice: list[str], findings: Findings) -> None:
    """Warn of names that one object holds twice; ``twice`` has the last parts of their places."""
    there = places(text).twice if len(text) <= json_places.LARGEST else [child("", name) for name in twice]
    for pointer in there[:20]:
        findings.warn(pointer, "name_twice", "the object holds the name twice; the last one counts.")


def _decoded(source: bytes | str, what: str) -> str:
    if isinstance(source, str):
        return source
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        line, column = _place(source[: error.start].decode(errors="replace"))
        reason = f"line {line}, column {column}: the bytes are no UTF-8. Save the file as UTF-8."
        raise DocumentError(
            what, [Finding("", "not_utf8", reason)], line=line, column=column, code=f"{_name(what)}_not_utf8"
        ) from None


def _not_json(what: str, text: str, error: json.JSONDecodeError) -> DocumentError:
    reason = error.msg[0].lower() + error.msg[1:]
    # Python tells of a comma too many at the comma from 3.13 on, before that at the bracket that follows it.
    end = re.compile(r"[,\s]*([}\]])").match(text, error.pos)
    if end is not None and text[: end.start(1)].rstrip().endswith(","):
        line, column = _place(text[: end.start(1)])
        reason = f"the comma before {end[1]} is one too many"
    else:
        line, column = error.lineno, error.colno
    if "control character" in error.msg:
        reason = "a text is not closed on its line: a double quote is missing, or the line break should be \\n"
    finding = Finding("", "not_json", f"line {line}, column {column}: it is no JSON, {reason}.")
    return DocumentError(what, [finding], line=line, column=column, code=f"{_name(what)}_not_json")


def _name(what: str) -> str:
    return what.replace(" ", "_")


def _float(text: str) -> float | int:
    return _number(float(text))


def _number(value: float) -> float | int:
    if value == 0:
        return 0.0
    # Shorter ones keep their “.0” in decimal digits.
    return int(value) if 1e16 <= abs(value) < _LARGEST and value.is_integer() else value


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def _place(text: str) -> tuple[int, int]:
    return text.count("\n") + 1, len(text) - text.rfind("\n")
