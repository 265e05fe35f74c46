"""What a newer definition changes, against an oracle that checks all values with both definitions."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.definition import missing, problems
from domain.definition_diff import HIDDEN, compare, effects, touched

NAMES = ("A", "B", "C")
settings_of_fields = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "bool", "password"])},
    optional={
        "required": st.booleans(),
        "defval": st.sampled_from(["", "1", "x", True]),
        "description": st.sampled_from(["one", "two"]),
        "condition": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["1", "x"]), max_size=1),
    },
)
definitions = st.builds(
    lambda environment, version: {"environment": environment, "version": version},
    st.dictionaries(st.sampled_from(NAMES), settings_of_fields),
    st.sampled_from(["1", "2"]),
)
values = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["", "1", "x", "true"]))


@settings(max_examples=500, deadline=None)
@given(definitions, definitions, values)
def test_effects_are_what_a_check_with_both_definitions_finds(
    before: dict[str, Any], after: dict[str, Any], given_values: dict[str, str]
) -> None:
    found = {one.field: one.code for one in effects(before, after, given_values)}
    unfit = problems(after, given_values).keys() - problems(before, given_values).keys()
    assert {name for name, code in found.items() if code == "unfit"} == unfit
    gone = before["environment"].keys() - after["environment"].keys()
    assert {name for name, code in found.items() if code == "dropped"} == gone & given_values.keys()
    lacking = set(missing(after, given_values))
    assert {name for name, code in found.items() if code == "missing"} <= lacking
    fresh = lacking & (after["environment"].keys() - before["environment"].keys())
    assert {name for name, code in found.items() if code == "missing"} >= fresh
    assert found.keys() <= set(touched(before, after))
    assert not effects(after, after, given_values)


@settings(max_examples=200, deadline=None)
@given(definitions, definitions)
def test_there_is_a_difference_where_documents_say_something_else(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    difference = compare(before, after)
    assert not compare(before, before)
    if before["version"] != after["version"]:
        assert [part.name for part in difference.members] == ["version"]
    changed = {one.name: one.kind for one in difference.fields}
    old, new = before["environment"].keys(), after["environment"].keys()
    assert {name for name, kind in changed.items() if kind == "added"} == new - old
    assert {name for name, kind in changed.items() if kind == "removed"} == old - new


def test_secrets_are_in_no_difference() -> None:
    before = {"environment": {"TOKEN": {"type": "password", "defval": "old-secret"}}}
    after = {"environment": {"TOKEN": {"type": "string", "defval": "new-secret", "description": "x"}}}
    difference, effect = compare(before, after), effects(before, after, {})
    assert "secret" not in f"{difference.fields}".replace("name='secret'", "") + f"{effect}"
    assert HIDDEN in f"{difference.fields}"
    assert [one.code for one in effect] == ["default"]


def test_texts_alone_mean_nothing_for_templates() -> None:
    before = {"environment": {"A": {"type": "string", "description": "one"}}}
    after = {"environment": {"A": {"type": "string", "description": "two"}}}
    assert touched(before, after) == []
    assert [one.kind for one in compare(before, after).fields] == ["changed"]
