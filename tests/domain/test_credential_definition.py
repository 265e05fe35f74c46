"""Credential prototypes: those in use are read with what differs told, wrong ones refused; the schema says the same."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.commands.credential_prototype_changes import SCHEMA
from domain.credential_definition import fields, read
from domain.findings import DocumentError
from tests.domain.reference import files, needs_reference
from tests.domain.test_definition import all_places, edited, explained, places, values

VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))

COMPLETE: dict[str, Any] = {
    "$schema": "https://example.org/credential-prototype.json",
    "schemaVersion": "0.2.0",
    "uuid": "0d9c6a4e-6a0c-4c88-9f57-0b5d20b6f7a1",
    "code": "ExampleBank",
    "name": {"en": "Example bank", "cs": "Ukázková banka"},
    "description": "Access to accounts",
    "version": "1.2",
    "homepage": "https://bank.example/",
    "url": "https://bank.example/api",
    "logo": "bank.svg",
    "tags": ["bank"],
    "fields": [
        {
            "keyword": "BANK_TOKEN",
            "type": "password",
            "name": {"en": "Token"},
            "description": "Made at the counter",
            "hint": "32 letters",
            "required": True,
            "secret": True,
            "validation": {"pattern": "[a-z]+", "minLength": 8, "maxLength": 64},
        },
        {
            "keyword": "BANK_FORMAT",
            "type": "select",
            "default_value": "xml",
            "options": [{"value": "xml", "label": {"en": "Data"}}, {"value": "pdf", "label": "Document"}, "txt"],
        },
        {"keyword": "BANK_LIMIT", "type": "integer", "default": "5", "validation": {"min": 1, "max": 9}},
    ],
}


def test_a_complete_prototype_is_read_and_the_schema_agrees() -> None:
    found = read(json.dumps(COMPLETE).encode())
    assert found.document == COMPLETE
    assert found == read(COMPLETE)
    # The format has default_value; default is what its sister calls it.
    assert places(found.warnings) == ["/fields/2/default"]
    assert list(fields(COMPLETE)["BANK_FORMAT"].options) == ["xml", "pdf", "txt"]
    assert list(VALIDATOR.iter_errors(COMPLETE)) == []


@needs_reference
@pytest.mark.parametrize("path", files("credential-prototypes"), ids=lambda path: path.name)
def test_every_prototype_in_use_is_read_with_all_that_differs_from_the_schema(path: Any) -> None:
    found = read(path.read_bytes())
    again = read(json.dumps(found.document, ensure_ascii=False).encode())
    assert (again.uuid, again.digest, again.warnings) == (found.uuid, found.digest, found.warnings)
    for error in VALIDATOR.iter_errors(found.document):
        assert explained(error, found.warnings), error.message


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(all_places(COMPLETE)), values | st.just("absent")), min_size=1, max_size=3))
def test_whatever_the_schema_finds_is_found_and_nothing_valid_is_refused(edits: list[tuple[str, Any]]) -> None:
    document = edited(copy.deepcopy(COMPLETE), edits)
    errors = list(VALIDATOR.iter_errors(document))
    try:
        findings, is_refused = read(document).warnings, False
    except DocumentError as error:
        findings, is_refused = error.findings, True
    if is_refused:
        own_rules = {"length", "empty", "field_twice"}
        assert errors or {finding.code for finding in findings} <= own_rules, findings
    else:
        for error in errors:
            assert explained(error, findings), (error.message, findings)


@pytest.mark.parametrize("number", [501, 10_000])
def test_too_many_fields_are_refused(number: int) -> None:
    document = {**COMPLETE, "fields": [{"keyword": f"F{index}", "type": "string"} for index in range(number)]}
    with pytest.raises(DocumentError, match="at most 500") as caught:
        read(document)
    assert places(caught.value.findings) == ["/fields"]


def test_a_very_large_prototype_is_refused_before_it_is_read() -> None:
    with pytest.raises(DocumentError, match="at most 2000000 are read"):
        read(b" " * 50_000_000)
