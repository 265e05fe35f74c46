"""Shapes that a JSON document is checked against: small checks, put together to what a format asks for.

Each check takes the findings, the place and the value there. A value of the wrong kind that the program would trip over
is an error; what can be read all the same, or is left out of use, is a warning.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard, cast

import msgspec

from domain.findings import Findings, child
from domain.localized import LANGUAGES

Check = Callable[[Findings, str, object], None]


def kind(value: object) -> str:
    """Return what kind of JSON value something is.

    Examples
    --------
    >>> kind(True), kind(1.5), kind(None)
    ('a boolean', 'a number', 'null')
    """
    names: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "a boolean"),
        ((int, float), "a number"),
        (str, "text"),
        (dict, "an object"),
        (list, "a list"),
    ]
    return next((name for types, name in names if isinstance(value, types)), "null")


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether a value is a JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Tell whether a value is a JSON list."""
    return isinstance(value, list)


def wrong_kind(findings: Findings, pointer: str, value: object, expected: str) -> None:
    """Note that a value is of the wrong kind."""
    findings.error(pointer, "wrong_kind", f"expected {expected}, found {kind(value)}.")


def anything(findings: Findings, pointer: str, value: object) -> None:
    """Let every value pass."""


def text(findings: Findings, pointer: str, value: object) -> None:
    """Ask for text; a number or a boolean is read as text."""
    if isinstance(value, bool | int | float):
        findings.warn(pointer, "not_text", f"expected text, found {kind(value)}; it is read as text.")
    elif not isinstance(value, str):
        wrong_kind(findings, pointer, value, "text")


def strict_text(findings: Findings, pointer: str, value: object) -> None:
    """Ask for text of one line that is not empty."""
    if not isinstance(value, str):
        wrong_kind(findings, pointer, value, "text")
    elif not value.strip():
        findings.error(pointer, "empty", "the text is empty.")
    elif re.search(r"[\x00-\x1f\x7f]", value):
        findings.error(pointer, "control_character", "the text holds a control character.")


def like(pattern: str, example: str, *, strict: bool = False) -> Check:
    """Ask for text of a form; one of another form is an error only if ``strict``."""
    form = re.compile(pattern, re.ASCII)

    def check(findings: Findings, pointer: str, value: object) -> None:
        text(findings, pointer, value)
        if isinstance(value, str) and not form.fullmatch(value):
            note = findings.error if strict else findings.warn
            note(pointer, "form", f"“{value[:80]}” has not the expected form, such as {example}.")

    return check


def one_of(*options: str) -> Check:
    """Ask for one of some words; another one is a warning."""

    def check(findings: Findings, pointer: str, value: object) -> None:
        if not isinstance(value, str):
            wrong_kind(findings, pointer, value, "text")
        elif value not in options:
            findings.warn(pointer, "not_an_option", f"“{value[:80]}” is none of {', '.join(options)}.")

    return check


def boolean(findings: Findings, pointer: str, value: object) -> None:
    """Ask for true or false; words and numbers that mean them are read so."""
    if isinstance(value, bool):
        return
    if value in (0, 1) or (isinstance(value, str) and value.lower() in ("true", "false", "yes", "no", "0", "1", "")):
        findings.warn(pointer, "not_boolean", f"expected true or false, found {kind(value)}; it is read as such.")
    else:
        wrong_kind(findings, pointer, value, "true or false")


def whole(lowest: int, highest: int) -> Check:
    """Ask for a whole number within bounds."""

    def check(findings: Findings, pointer: str, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            wrong_kind(findings, pointer, value, "a whole number")
        elif not lowest <= value <= highest:
            findings.error(pointer, "out_of_range", f"{value} does not lie between {lowest} and {highest}.")

    return check


def localized_text(findings: Findings, pointer: str, value: object) -> None:
    """Ask for text, or an object of texts by language."""
    if isinstance(value, str):
        return
    if not is_object(value):
        wrong_kind(findings, pointer, value, "text or an object of texts by language")
        return
    if not value:
        findings.error(pointer, "empty", "there is no text in any language.")
    for language, entry in value.items():
        if not isinstance(entry, str):
            wrong_kind(findings, child(pointer, language), entry, "text")
        elif language not in LANGUAGES:
            findings.warn(child(pointer, language), "language_unknown", "the language is none that the format names.")


def listing(item: Check) -> Check:
    """Ask for a list whose members pass a check."""

    def check(findings: Findings, pointer: str, value: object) -> None:
        if not is_list(value):
            wrong_kind(findings, pointer, value, "a list")
            return
        for index, member in enumerate(value):
            item(findings, child(pointer, index), member)

    return check


def words(findings: Findings, pointer: str, value: object) -> None:
    """Ask for a list of texts; a text with commas is read as one."""
    if isinstance(value, str):
        findings.warn(pointer, "not_a_list", "expected a list of texts; the text is read as one, split at commas.")
    else:
        listing(text)(findings, pointer, value)


def mapping(key: str, member: Check, *, strict: bool = False) -> Check:
    """Ask for an object whose names have a form and whose values pass a check."""
    form = re.compile(key)

    def check(findings: Findings, pointer: str, value: object) -> None:
        if value == []:
            findings.warn(pointer, "empty_list", "expected an object; the empty list is read as an empty one.")
            return
        if not is_object(value):
            wrong_kind(findings, pointer, value, "an object")
            return
        for name, entry in value.items():
            if not form.fullmatch(name):
                note = findings.error if strict else findings.warn
                note(child(pointer, name), "name_form", f"the name has not the expected form ({key}).")
            member(findings, child(pointer, name), entry)

    return check


class Record(msgspec.Struct, frozen=True):
    """Ask for an object with certain members.

    Attributes
    ----------
    members : Mapping[str, Check]
        Check of each member.
    required, wanted : Sequence[str]
        Members without which it is refused; those whose absence is a warning.
    extra : bool
        Whether other members pass without a word.
    older : Mapping[str, str]
        Members of older versions of the format, each with what to use instead; they are a warning.
    """

    members: Mapping[str, Check]
    required: Sequence[str] = ()
    wanted: Sequence[str] = ()
    extra: bool = True
    older: Mapping[str, str] = {}

    def __call__(self, findings: Findings, pointer: str, value: object) -> None:
        """Check a value."""
        if not is_object(value):
            wrong_kind(findings, pointer, value, "an object")
            return
        for name in self.required:
            if value.get(name) is None:
                findings.error(child(pointer, name), "missing", "it is required and missing.")
        for name in self.wanted:
            if value.get(name) is None:
                findings.warn(child(pointer, name), "missing", "the format asks for it, but it is missing.")
        for name, entry in value.items():
            self._check_member(findings, child(pointer, name), name, entry)

    def _check_member(self, findings: Findings, place: str, name: str, value: object) -> None:
        if name in self.members:
            if value is not None:
                self.members[name](findings, place, value)
            elif name not in self.required and name not in self.wanted:
                findings.warn(place, "null", "null is read as if it was left out.")
        elif name in self.older:
            findings.warn(place, "older", f"it is of an older version of the format: {self.older[name]}.")
        elif not self.extra:
            close = difflib.get_close_matches(name, self.members, n=1, cutoff=0.8)
            hint = f" Did you mean {close[0]}?" if close else ""
            findings.warn(place, "unknown", f"the format does not know it; it is kept and not used.{hint}")


def entries(value: object) -> dict[str, dict[str, Any]]:
    """Return those members of an object that are objects, none if it is none."""
    if not is_object(value):
        return {}
    return {name: member for name, member in value.items() if is_object(member)}


def texts(value: object) -> list[str]:
    """Return a list of texts as the format means it: a list, or a text with commas.

    Examples
    --------
    >>> texts("AbraFlexi, mServer"), texts(["Csas"]), texts(None)
    (['AbraFlexi', 'mServer'], ['Csas'], [])
    """
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [str(part) for part in cast("list[Any]", value)] if isinstance(value, list) else []
