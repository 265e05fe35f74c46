"""What a newer document of a credential prototype changes, and what that means for what is made of it.

Examples
--------
>>> old = {"version": "1", "fields": [{"keyword": "A", "default": "x"}, {"keyword": "B"}]}
>>> new = {"version": "2", "fields": [{"keyword": "A", "default": "y"}, {"keyword": "C", "required": True}]}
>>> [(one.name, one.kind) for one in compare(old, new).fields]
[('A', 'changed'), ('B', 'removed'), ('C', 'added')]
>>> [str(one) for one in effects(old, new, own={"B"})]
['A: it has no value of its own; the default changes.', 'B: jobs no longer get it; its value stays stored.', \
'C: it is required and has no value.']
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from domain.credential_definition import Field, fields
from domain.definition_diff import Difference, Effect, compare_fields, compare_members

PARTS = ("type", "required", "default", "secret", "options", "validation", "label", "description", "hint")
_QUIET = frozenset({"fields", "$schema"})

REASONS = {
    "dropped": "jobs no longer get it; its value stays stored.",
    "missing": "it is required and has no value.",
    "default": "it has no value of its own; the default changes.",
    "shown": "its value is no longer treated as a secret.",
}
"""Of each effect, what it means."""


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference:
    """Return what a document changes in comparison with the one before."""
    changes = compare_fields(fields(before), fields(after), lambda name: Field(name=name), PARTS)
    return Difference(compare_members(before, after, _QUIET), changes)


def effects(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    own: Collection[str],
    shared: Collection[str] = (),
    *,
    of_type: bool = False,
) -> tuple[Effect, ...]:
    """Return what a change of a prototype means for a credential, or a type, that has certain values.

    Parameters
    ----------
    before, after : Mapping[str, Any]
        The documents.
    own, shared : Collection[str]
        Names of the fields that it has a value of, and of those that its type has.
    of_type : bool
        It is a type: what it has no value of, its credentials may have.
    """
    old, new = fields(before), fields(after)
    codes = {name: _code(old.get(name), new.get(name), name in own, name in shared) for name in {**old, **new}}
    counted = ("dropped", "shown") if of_type else tuple(REASONS)
    return tuple(Effect(name, code, REASONS[code]) for name, code in codes.items() if code and code in counted)


def _code(old: Field | None, new: Field | None, own: bool, shared: bool) -> str | None:
    if new is None:
        return "dropped" if own else None
    if old is not None and own and old.secret and not new.secret:
        return "shown"
    if own or shared:
        return None
    was_missing = old is not None and old.required and not old.default
    if new.required and not new.default:
        return None if was_missing else "missing"
    return "default" if old is not None and old.default != new.default else None
