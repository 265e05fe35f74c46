"""What a newer definition of an application changes, and what that means for the run templates that use it.

Examples
--------
>>> old = {"version": "1", "environment": {"A": {"type": "string", "defval": "x"}, "B": {"type": "string"}}}
>>> new = {"version": "2", "environment": {"A": {"type": "string", "defval": "y"}, "C": {"required": True}}}
>>> found = compare(old, new)
>>> [(one.name, one.kind) for one in found.fields]
[('A', 'changed'), ('B', 'removed'), ('C', 'added')]
>>> [str(one) for one in effects(old, new, {"B": "kept"})]
['A: it has no value of its own; the default changes from x to y.', 'B: the application no longer takes it; its value \
stays stored and jobs still get it.', 'C: it is required and has no value.']
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec

from domain.definition import Field, as_text, fields

FIELD_PARTS = ("type", "required", "default", "secret", "category", "options", "least", "most", "condition")
TEXTS = ("label", "description", "hint")
HIDDEN = "••••••"
_QUIET = frozenset({"environment", "$schema", "schemaVersion"})


class Part(msgspec.Struct, frozen=True):
    """A part of a definition or of a field that changed; None: it was not there, or no longer is."""

    name: str
    before: str | None
    after: str | None


class FieldChange(msgspec.Struct, frozen=True):
    """A setting that was ``added``, ``removed`` or ``changed``, with the parts that differ."""

    name: str
    kind: str
    parts: tuple[Part, ...] = ()


class Difference(msgspec.Struct, frozen=True):
    """What a definition changes: members of the document beside the environment, and settings."""

    members: tuple[Part, ...] = ()
    fields: tuple[FieldChange, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.members or self.fields)


class Effect(msgspec.Struct, frozen=True):
    """What a change of a definition means for a run template.

    Attributes
    ----------
    field : str
        Name of the variable.
    code : str
        ``missing``, ``unfit``, ``dropped`` or ``default``.
    reason : str
        What changes for the jobs of the template; no value of a template is in it.
    """

    field: str
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    """Return what a definition changes in comparison with the one before."""
    changes = compare_fields(fields(before), fields(after), lambda name: Field(name=name), (*FIELD_PARTS, *TEXTS))
    return Difference(compare_members(before, after, _QUIET), changes)


def compare_members(before: Mapping[str, Any], after: Mapping[str, Any], quiet: Collection[str]) -> tuple[Part, ...]:
    """Return the members of a document that differ, but for those that are told otherwise or not at all."""
    names = [name for name in dict.fromkeys([*before, *after]) if name not in quiet]
    changed = (Part(name, _said(before.get(name)), _said(after.get(name))) for name in names)
    return tuple(part for part in changed if part.before != part.after)


def compare_fields(
    old: Mapping[str, Any], new: Mapping[str, Any], blank: Callable[[str], Any], parts: Sequence[str]
) -> tuple[FieldChange, ...]:
    """Return the fields that differ, with the parts in which they do.

    Parameters
    ----------
    old, new : Mapping[str, Any]
        Fields by name; each has the parts as attributes, and ``secret``.
    blank : Callable[[str], Any]
        Makes the field that a new one is compared with.
    parts : Sequence[str]
        Names of the parts.
    """
    listed: list[FieldChange] = []
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            listed.append(FieldChange(name, "removed"))
        elif name not in old:
            listed.append(FieldChange(name, "added", _parts(blank(name), new[name], parts)))
        elif found := _parts(old[name], new[name], parts):
            listed.append(FieldChange(name, "changed", found))
    return tuple(listed)


def effects(before: Mapping[str, Any], after: Mapping[str, Any], values: Mapping[str, str]) -> tuple[Effect, ...]:
    """Return what a change of a definition means for a run template with certain values; see :func:`judge`."""
    told = judge(before, after)
    return told(values) if told else ()


def judge(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Callable[[Mapping[str, str]], tuple[Effect, ...]] | None:
    """Return what tells of the values of a run template what a change of its definition means for them.

    None if it can mean nothing for any. It looks at the settings that changed alone: thousands of templates are judged
    one after another.

    Parameters
    ----------
    before, after : Mapping[str, Any]
        The definitions.
    """
    old, new = fields(before), fields(after)
    names = _differing(old, new)
    if not names:
        return None
    defaults = {name: field.default for name, field in new.items() if field.default}

    def judged(values: Mapping[str, str]) -> tuple[Effect, ...]:
        whole = defaults | dict(values)
        found = (_effect(name, old.get(name), new.get(name), values, whole) for name in names)
        return tuple(effect for effect in found if effect is not None)

    return judged


def touched(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the settings by which a change of a definition can mean something for a run template.

    Those that differ in more than their texts, and those whose condition depends on them.
    """
    return _differing(fields(before), fields(after))


def _differing(old: Mapping[str, Field], new: Mapping[str, Field]) -> list[str]:
    names = [name for name in dict.fromkeys([*old, *new]) if _rules(old.get(name)) != _rules(new.get(name))]
    depending = [name for name, field in new.items() if set(field.condition) & set(names)]
    return list(dict.fromkeys([*names, *depending]))


def _rules(field: Field | None) -> tuple[Any, ...] | None:
    return None if field is None else tuple(getattr(field, name) for name in FIELD_PARTS)


def _effect(
    name: str, known: Field | None, field: Field | None, values: Mapping[str, str], whole: Mapping[str, str]
) -> Effect | None:
    value = values.get(name, "")
    if field is None:
        reason = "the application no longer takes it; its value stays stored and jobs still get it."
        return Effect(name, "dropped", reason) if name in values else None
    unfit = field.problem(value)
    if unfit and not (known and known.problem(value)):
        return Effect(name, "unfit", f"the value no longer fits: {unfit}")
    was_missing = known is not None and known.required and not (value or known.default)
    if field.required and not whole.get(name) and field.matters(whole) and not was_missing:
        return Effect(name, "missing", "it is required and has no value.")
    if known is not None and not value and known.default != field.default:
        return Effect(name, "default", _default(known, field))
    return None


def _default(before: Field, after: Field) -> str:
    if before.secret or after.secret:
        return "it has no value of its own; the default changes."
    one, other = before.default or "nothing", after.default or "nothing"
    return f"it has no value of its own; the default changes from {one[:60]} to {other[:60]}."


def _parts(before: Any, after: Any, names: Sequence[str]) -> tuple[Part, ...]:
    secret = before.secret or after.secret
    found: list[Part] = []
    for name in names:
        one, other = getattr(before, name), getattr(after, name)
        if one == other:
            continue
        if name == "default" and secret:
            one, other = (HIDDEN if one else None), (HIDDEN if other else None)
        found.append(Part({"least": "min", "most": "max"}.get(name, name), _said(one), _said(other)))
    return tuple(found)


def _said(value: object) -> str | None:
    return None if value is None or value in ({}, [], "") else as_text(value)
