"""The order in which the members of a document stand, for stores that do not keep it.

PostgreSQL's ``jsonb`` sorts the members of an object by length and name. Fields of a form and choices of a list are
meant in the order in which their author wrote them, so it is kept beside the document: of each object that would come
back in another order, its names.

Examples
--------
>>> kept = order_of({"name": "Probe", "environment": {"UNTIL": {}, "FROM": {}}})
>>> kept
{'/environment': ['UNTIL', 'FROM']}
>>> in_order({"name": "Probe", "environment": {"FROM": {}, "UNTIL": {}}}, kept)
{'name': 'Probe', 'environment': {'UNTIL': {}, 'FROM': {}}}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from domain.findings import child

Order = Mapping[str, Sequence[str]]
"""Names of the members of objects by the JSON pointer of the object."""

_EXACT = 2**63


def order_of(document: object) -> dict[str, list[str]]:
    """Return the order of members that a document has, where it matters."""
    found: dict[str, list[str]] = {}
    _collect(document, "", found)
    return found


def in_order(document: Any, order: Order) -> Any:
    """Return a document with its members in an order; those that the order does not name come last.

    Whole numbers that no ``bigint`` holds are read as the floating point numbers that they were written as.
    """
    return _arranged(document, "", order)


def _collect(value: object, pointer: str, found: dict[str, list[str]]) -> None:
    members: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        names = list(cast("dict[str, object]", value))
        if names != sorted(names, key=_jsonb):
            found[pointer] = names
        members = cast("dict[str | int, object]", value).items()
    elif isinstance(value, list):
        members = enumerate(cast("list[object]", value))
    for name, member in members:
        if isinstance(member, dict | list):
            _collect(cast("object", member), child(pointer, name), found)


def _jsonb(name: str) -> tuple[int, bytes]:
    encoded = name.encode()
    return len(encoded), encoded


def _member(value: Any, pointer: str, name: str | int, order: Order) -> Any:
    """Arrange a member; the place of one that is no object or list is not worth building."""
    return _arranged(value, child(pointer, name) if isinstance(value, dict | list) else "", order)


def _arranged(value: Any, pointer: str, order: Order) -> Any:
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        names = dict.fromkeys([*(name for name in order.get(pointer, ()) if name in members), *members])
        return {name: _member(members[name], pointer, name, order) for name in names}
    if isinstance(value, list):
        return [_member(member, pointer, index, order) for index, member in enumerate(cast("list[Any]", value))]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT:
        return float(value)
    return value
