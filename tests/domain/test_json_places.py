"""Lines of the parts of a JSON text: those that an oracle finds by putting a mark in each place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import credential_definition, definition
from domain.findings import DocumentError, Finding, child
from domain.json_places import LARGEST, located, places

MARK = "·here·"
names = st.text(st.sampled_from('ab~/"\\{}[],:\n é'), max_size=4)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | names,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def marked(value: Any, pointer: str, wanted: str) -> Any:
    """Return a value with the mark in place of the part that a pointer names."""
    if pointer == wanted:
        return MARK
    if isinstance(value, dict):
        return {name: marked(member, child(pointer, name), wanted) for name, member in value.items()}
    if isinstance(value, list):
        return [marked(member, child(pointer, index), wanted) for index, member in enumerate(value)]
    return value


def pointers(value: Any, pointer: str = "") -> list[str]:
    below = (
        [(child(pointer, name), member) for name, member in value.items()]
        if isinstance(value, dict)
        else [(child(pointer, index), member) for index, member in enumerate(value)]
        if isinstance(value, list)
        else []
    )
    return [pointer, *(found for place, member in below for found in pointers(member, place))]


@settings(max_examples=200, deadline=None)
@given(documents, st.sampled_from([None, 0, 2]))
def test_each_part_is_found_on_its_line(document: Any, indent: int | None) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    found = places(text)
    assert set(found.lines) == set(pointers(document))
    assert found.twice == ()
    for pointer in pointers(document):
        with_mark = json.dumps(marked(document, "", pointer), indent=indent, ensure_ascii=False)
        # What comes before a part is the same with and without the mark.
        assert found.lines[pointer] == with_mark[: with_mark.index(MARK)].count("\n") + 1


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_refused_definition_names_the_line_of_each_place(newline: str, mark: str) -> None:
    lines = [
        "{",
        '  "name": "Probe",',
        '  "description": "Checks",',
        '  "executable": ["probe"],',
        '  "environment": {',
        '    "A": {"type": "string"},',
        '    "B": "text"',
        "  },",
        '  "exitCodes": {"0": {"description": "Well"},',
        '                "abc": {"description": "Ill"}}',
        "}",
    ]
    with pytest.raises(DocumentError) as caught:
        definition.read((mark + newline.join(lines)).encode())
    assert [(one.pointer, one.line) for one in caught.value.findings] == [
        ("/executable", 4),
        ("/environment/B", 7),
        ("/exitCodes/abc", 10),
    ]
    assert "/environment/B: line 7: expected an object, found text." in caught.value.message


def test_what_is_missing_is_told_at_the_object_that_should_hold_it() -> None:
    text = b'{"name": "P", "description": "d", "executable": "x", "environment": {},\n"artifacts": [\n{"name": "a"}]}'
    with pytest.raises(DocumentError) as caught:
        definition.read(text)
    assert [(one.pointer, one.line) for one in caught.value.findings] == [("/artifacts/0/path", 3)]


def test_names_given_twice_are_told_with_their_places() -> None:
    text = (
        '{"code": "Bank", "uuid": "f79aaa38-2eaf-453a-beee-3a2afa1221d5", "name": "a", "version": "1.0",\n"name": "b"}'
    )
    read = credential_definition.read(text)
    assert [(one.pointer, one.code) for one in read.warnings] == [("/name", "name_twice")]
    assert (
        str(located(read.warnings, text)[0]) == "/name: line 2: the object holds the name twice; the last one counts."
    )
    assert read.document["name"] == "b"


def test_a_refused_prototype_has_codes_without_spaces() -> None:
    with pytest.raises(DocumentError) as caught:
        credential_definition.read("{")
    assert caught.value.code == "credential_prototype_not_json"


def test_very_long_texts_are_not_looked_through() -> None:
    finding = Finding("/a", "form", "so")
    assert located([finding], '{"a":1}' + " " * LARGEST) == (finding,)
