"""Application definitions: real ones are read, wrong ones are refused with the place, and the schema says the same."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import definition
from domain.definition import as_text, fields, read
from domain.findings import DocumentError, Finding
from tests.domain.reference import FOLDER, REPOSITORY, files, needs_reference

SCHEMA = json.loads((REPOSITORY / "schema" / "json" / "application.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

COMPLETE: dict[str, Any] = {
    "$schema": "https://example.org/application.json",
    "schemaVersion": "3.4.0",
    "uuid": "775ed801-2489-4981-bc14-d8a01cba1938",
    "name": {"en": "Statements", "cs": "Výpisy"},
    "title": "Bank statements",
    "description": {"en": "Fetches statements", "cs": "Stahuje výpisy"},
    "version": "1.2.3",
    "author": "Somebody",
    "license": "MIT",
    "category": "Banking",
    "image": "statements.svg",
    "homepage": "https://example.org/",
    "tags": ["bank", "statements"],
    "requirements": ["Csas"],
    "executable": "statements",
    "cmdparamsTemplate": "--from ${FROM}",
    "ociimage": "docker.io/example/statements:1.2",
    "environment": {
        "FROM": {"type": "string", "description": {"en": "First day"}, "defval": "yesterday", "required": True},
        "TOKEN": {"type": "password", "category": "Security", "required": False, "hint": "from the bank"},
        "FORMAT": {"type": "set", "options": {"pdf": {"en": "Document"}, "xml": "Data"}, "defval": "pdf"},
        "LEVEL": {"type": "set", "options": ["low", 5]},
        "LIMIT": {"type": "integer", "defval": 5},
        "QUIET": {"type": "bool", "defval": True},
    },
    "artifacts": [{"name": "Statement", "path": ".*\\.pdf$", "type": "file", "description": {"en": "As a document"}}],
    "produces": {"statement": {"format": "file", "patterns": ["*.pdf"], "description": "A statement"}},
    "consumes": {"account": {"format": "text", "required": True}},
    "events": {
        "emits": {"statement.fetched": {"description": "One came", "evidence": "bank", "operation": "create"}},
        "consumes": {"day.ended": {"format": "json"}},
    },
    "exitCodes": {"0": {"description": "Well", "severity": "success"}, "75": {"description": "Later", "retry": True}},
    "kubernetes": {
        "helm": {
            "enabled": True,
            "releaseName": "statements",
            "namespace": "bank",
            "chart": "oci://registry/statements",
            "valuesFiles": ["values.yaml"],
            "set": {"replicas": "1"},
            "timeoutSeconds": 60,
            "atomic": False,
            "wait": True,
            "upgradeInstall": True,
        },
        "artifacts": {"enabled": True, "outputPath": "out", "keepPodOnFailure": False},
    },
}


def refused(source: Any) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        read(source)
    return caught.value


def places(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.pointer for finding in findings]


def changed(pointer: str, value: Any) -> dict[str, Any]:
    """Return the complete definition with another value at a place; ``...`` takes it away."""
    document = copy.deepcopy(COMPLETE)
    *way, last = pointer.removeprefix("/").split("/")
    target: Any = document
    for step in way:
        target = target[int(step)] if isinstance(target, list) else target[step]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return document


def test_a_complete_definition_is_read_without_a_warning() -> None:
    read_back = read(json.dumps(COMPLETE).encode())
    assert read_back.warnings == ()
    assert read_back == read(COMPLETE)
    assert (read_back.name, read_back.version, read_back.executable) == ("Statements", "1.2.3", "statements")
    assert read_back.document == COMPLETE
    assert list(VALIDATOR.iter_errors(COMPLETE)) == []


@needs_reference
@pytest.mark.parametrize("path", files("apps"), ids=lambda path: path.name)
def test_every_real_definition_is_read_and_reads_the_same_again(path: Any) -> None:
    first = read(path.read_bytes())
    again = read(json.dumps(first.document, ensure_ascii=False).encode())
    assert (again.uuid, again.digest, again.warnings) == (first.uuid, first.digest, first.warnings)
    for error in VALIDATOR.iter_errors(first.document):
        assert explained(error, first.warnings), error.message


@needs_reference
def test_there_are_real_definitions_to_read() -> None:
    assert len(files("apps")) == 27
    assert len(files("invalid")) == 3


@needs_reference
@pytest.mark.parametrize(
    ("name", "line", "column", "found"),
    [
        ("abraflexi-reminder__abraflexi-reminder.multiflexi.app.json", 256, 3, [""]),
        ("php-vitexsoftware-multiflexi-core__test.invalid.multiflexi.app.json", 14, 70, [""]),
        (
            "php-vitexsoftware-multiflexi-core__test.schema-invalid.multiflexi.app.json",
            None,
            None,
            ["/executable", "/environment/INVALID_ENV_STRUCTURE", "/requirements"],
        ),
    ],
)
def test_every_wrong_definition_is_refused_with_its_place(
    name: str, line: int | None, column: int | None, found: list[str]
) -> None:
    error = refused((FOLDER / "invalid" / name).read_bytes())
    assert (error.line, error.column, places(error.findings)) == (line, column, found)
    assert error.field == "definition"


@pytest.mark.parametrize(
    ("pointer", "value", "place"),
    [
        ("/name", ..., "/name"),
        ("/description", ..., "/description"),
        ("/executable", ..., "/executable"),
        ("/environment", ..., "/environment"),
        ("/environment", None, "/environment"),
        ("/name", {}, "/name"),
        ("/name", {"cs": 5}, "/name/cs"),
        ("/name", "  ", "/name"),
        ("/name", "x" * 256, "/name"),
        ("/executable", " ", "/executable"),
        ("/executable", "a\nb", "/executable"),
        ("/executable", ["probe"], "/executable"),
        ("/executable", "../../bin/sh", "/executable"),
        ("/image", "../../secret.png", "/image"),
        ("/artifacts/0/path", "../.*", "/artifacts/0/path"),
        ("/artifacts/0/path", r"a/\.\./b", "/artifacts/0/path"),
        ("/kubernetes/helm/valuesFiles", ["../values.yaml"], "/kubernetes/helm/valuesFiles/0"),
        ("/version", {"major": 1}, "/version"),
        ("/uuid", "no uuid at all", "/uuid"),
        ("/uuid", ["x"], "/uuid"),
        ("/environment", [{"name": "X"}], "/environment"),
        ("/environment/A=B", {"type": "string"}, "/environment/A=B"),
        ("/environment/FROM/type", 5, "/environment/FROM/type"),
        ("/environment/FROM/required", "perhaps", "/environment/FROM/required"),
        ("/environment/FROM/options", "a,b", "/environment/FROM/options"),
        ("/artifacts/0/path", ..., "/artifacts/0/path"),
        ("/artifacts", {"path": "x"}, "/artifacts"),
        ("/exitCodes/abc", {"description": "x"}, "/exitCodes/abc"),
        ("/exitCodes/0/retry", [], "/exitCodes/0/retry"),
        ("/requirements", {"a": 1}, "/requirements"),
        ("/requirements", [["a"]], "/requirements/0"),
        ("/events/emits", "x", "/events/emits"),
        ("/kubernetes/helm", ..., "/kubernetes/helm"),
        ("/kubernetes/helm/chart", "no chart", "/kubernetes/helm/chart"),
        ("/kubernetes/helm/chart", ..., "/kubernetes/helm/chart"),
        ("/kubernetes/helm/releaseName", "Big; rm -rf /", "/kubernetes/helm/releaseName"),
        ("/kubernetes/helm/timeoutSeconds", 0, "/kubernetes/helm/timeoutSeconds"),
        ("/kubernetes/helm/timeoutSeconds", 1.5, "/kubernetes/helm/timeoutSeconds"),
        ("/kubernetes/helm/valuesFiles", [], "/kubernetes/helm/valuesFiles"),
        ("/author", "\x00", "/author"),
        ("/author", "\ud800", "/author"),
        ("/a~b", "\x00", "/a~0b"),
    ],
)
def test_what_makes_a_definition_unusable_is_refused_with_the_place(pointer: str, value: Any, place: str) -> None:
    document = changed(pointer, value)
    assert places(refused(document).findings) == [place]
    assert places(refused(json.dumps(document)).findings) == [place]


@pytest.mark.parametrize(
    ("pointer", "value", "place"),
    [
        ("/$schema", ..., "/$schema"),
        ("/uuid", ..., "/uuid"),
        ("/uuid", None, "/uuid"),
        ("/uuid", "e4g7f9g1-4598-7c68-dfe9-59e70f8437i6", "/uuid"),
        ("/version", 1.2, "/version"),
        ("/version", "1.0-beta", "/version"),
        ("/image", None, "/image"),
        ("/homepage", "example", "/homepage"),
        ("/name", {"en": "A", "xx": "B"}, "/name/xx"),
        ("/tags", "bank, statements", "/tags"),
        ("/requirements", "Csas", "/requirements"),
        ("/environment", [], "/environment"),
        ("/environment/FROM/type", "colour", "/environment/FROM/type"),
        ("/environment/FROM/condition", "x", "/environment/FROM/condition"),
        ("/environment/LIMIT/max", "x", "/environment/LIMIT/max"),
        ("/environment/LIMIT/max", 4, "/environment/LIMIT/defval"),
        ("/environment/LIMIT/defval", "ten", "/environment/LIMIT/defval"),
        ("/environment/FORMAT/defval", "doc", "/environment/FORMAT/defval"),
        ("/environment/FROM/type", ..., "/environment/FROM/type"),
        ("/environment/FROM/required", "true", "/environment/FROM/required"),
        ("/environment/FROM/category", "Bank", "/environment/FROM/category"),
        ("/environment/lower", {"type": "string"}, "/environment/lower"),
        ("/artifacts/0/type", ..., "/artifacts/0/type"),
        ("/artifacts/0/path", "^/etc/.*", "/artifacts/0/path"),
        ("/artifacts/0/size", 5, "/artifacts/0/size"),
        ("/exitCodes", [], "/exitCodes"),
        ("/exitCodes/-1", {"description": "Again"}, "/exitCodes/-1"),
        ("/exitCodes/404", {"description": "Not there"}, "/exitCodes/404"),
        ("/exitCodes/0/severity", "fine", "/exitCodes/0/severity"),
        ("/exitCodes/0/description", ..., "/exitCodes/0/description"),
        ("/produces/statement/format", ..., "/produces/statement/format"),
        ("/cmdparams", "--from {FROM}", "/cmdparams"),
        ("/exitcodes", {}, "/exitcodes"),
    ],
)
def test_what_can_be_read_all_the_same_is_a_warning_with_the_place(pointer: str, value: Any, place: str) -> None:
    assert set(places(read(changed(pointer, value)).warnings)) == {place}


def test_a_name_that_is_close_to_one_of_the_format_is_told() -> None:
    assert "Did you mean exitCodes?" in read(changed("/exitcodes", {})).warnings[0].reason


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        (b"", 1, 1, "expecting value"),
        (b"{\n  'a': 1\n}", 2, 3, "double quotes"),
        (b'{"a": 1,\n}', 2, 1, "the comma before } is one too many"),
        (b'{"a": [1, 2,\n]}', 2, 1, "the comma before ] is one too many"),
        (b'{"a": "x\n"}', 1, 9, "a double quote is missing"),
        (b'{"a": 1} x', 1, 10, "extra data"),
        ('{"a":\n "\u017elu\xff"}'.encode("latin2", "replace") + b"\xff", 2, 3, "the bytes are no UTF-8"),
    ],
)
def test_text_that_is_no_json_is_refused_with_line_and_column(text: bytes, line: int, column: int, reason: str) -> None:
    error = refused(text)
    assert (error.line, error.column) == (line, column)
    assert reason in error.message


@pytest.mark.parametrize("text", [b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e999}', b'{"a": ' + b"9" * 30 + b"}"])
def test_numbers_that_no_database_keeps_are_refused(text: bytes) -> None:
    assert "number" in refused(text).message


def test_a_definition_over_its_limits_is_refused() -> None:
    big = json.dumps(changed("/author", "x" * definition.LARGEST))
    assert "at most 10000000 are read" in refused(big).message
    assert refused(big).code == "definition_too_large"
    assert "more than 10000000 bytes" in refused(changed("/author", "x" * definition.LARGEST)).message
    many = changed("/environment", {f"FIELD_{number}": {"type": "string"} for number in range(2001)})
    assert places(refused(many).findings) == ["/environment"]
    assert len(fields(read(changed("/environment", dict(list(many["environment"].items())[:2000]))).document)) == 2000


@pytest.mark.parametrize("depth", [70, 100_000])
def test_deep_nesting_is_refused(depth: int) -> None:
    error = refused(b'{"a":' + b"[" * depth + b"]" * depth + b"}")
    assert error.findings[0].code == "too_deep"


def test_a_name_twice_and_a_byte_order_mark_are_told() -> None:
    text = "\ufeff" + json.dumps(COMPLETE)[:-1] + ', "author": "Another"}'
    read_back = read(text.encode())
    assert {finding.code for finding in read_back.warnings} == {"byte_order_mark", "name_twice"}
    assert read_back.document["author"] == "Another"


@pytest.mark.parametrize(
    ("field", "default", "told"),
    [
        ({"default": 5}, "5", {"default": "it is read as such"}),
        ({"default_value": "5", "defval": None}, "5", {"default_value": "it is read as such"}),
        ({"default": 5, "defval": 6}, "6", {"default": "defval counts"}),
        ({"default": 5, "default_value": 6}, "5", {"default": "it is read as such", "default_value": "default counts"}),
    ],
)
def test_a_default_under_another_name_is_read_and_told(field: Any, default: str, told: dict[str, str]) -> None:
    document = COMPLETE | {"environment": {"LIMIT": {"type": "integer"} | field}}
    assert fields(document)["LIMIT"].default == default
    found = {one.pointer: one.reason for one in read(document).warnings if "/default" in one.pointer}
    assert found.keys() == {f"/environment/LIMIT/{name}" for name in told}
    assert all(words in found[f"/environment/LIMIT/{name}"] for name, words in told.items())


def test_a_definition_without_uuid_has_the_same_one_each_time() -> None:
    first, second = read(changed("/uuid", ...)), read(changed("/uuid", ...) | {"version": "2"})
    assert first.uuid == second.uuid
    assert first.uuid != read(changed("/uuid", ...) | {"executable": "other"}).uuid


def test_the_digest_sees_content_not_layout() -> None:
    assert read(json.dumps(COMPLETE, indent=4, sort_keys=True)).digest == read(COMPLETE).digest
    assert read(changed("/version", "1.2.4")).digest != read(COMPLETE).digest


def test_fields_are_read_in_their_order_with_defaults_as_text() -> None:
    found = fields(COMPLETE)
    assert list(found) == ["FROM", "TOKEN", "FORMAT", "LEVEL", "LIMIT", "QUIET"]
    assert [field.default for field in found.values()] == ["yesterday", None, "pdf", None, "5", "true"]
    assert [name for name, field in found.items() if field.secret] == ["TOKEN"]
    assert [name for name, field in found.items() if field.required] == ["FROM"]
    assert found["FORMAT"].options == {"pdf": "Document", "xml": "Data"}
    assert found["LEVEL"].options == {"low": "low", "5": "5"}
    assert fields({"environment": []}) == {}


def explained(error: Any, findings: tuple[Finding, ...]) -> bool:
    """Whether one of the findings is at the place of an error of the schema, or at a member of it."""
    place = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in error.absolute_path)
    return any(finding.pointer == place or finding.pointer.startswith(f"{place}/") for finding in findings)


def all_places(value: Any, place: str = "") -> list[str]:
    found = [place] if place else []
    if isinstance(value, dict):
        return found + [p for name, member in value.items() for p in all_places(member, f"{place}/{name}")]
    if isinstance(value, list):
        return found + [p for number, member in enumerate(value) for p in all_places(member, f"{place}/{number}")]
    return found


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5000),
    st.sampled_from(["", "x", "string", "1.2", "https://example.org/", "oci://x", "a b", "../x", "/x"]),
    st.just([]),
    st.just({}),
    st.just(["x"]),
    st.just({"en": "x"}),
    st.just({"zz": "x"}),
    st.just([{}]),
)


def edited(document: dict[str, Any], edits: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a document with values put to places, as far as they are there; it is changed itself."""
    for pointer, value in edits:
        *way, last = pointer.removeprefix("/").split("/")
        target: Any = document
        for step in way:
            if isinstance(target, dict):
                target = target.get(step)
            elif isinstance(target, list) and step.isdigit() and int(step) < len(target):
                target = target[int(step)]
            else:
                target = None
        if isinstance(target, dict):
            target.pop(last, None)
            if value != "absent":
                target[last] = copy.deepcopy(value)
        elif isinstance(target, list) and last.isdigit() and int(last) < len(target):
            target[int(last)] = copy.deepcopy(value)
    return document


@settings(max_examples=800, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(all_places(COMPLETE)), values | st.just("absent")), min_size=1, max_size=3))
def test_whatever_the_schema_finds_is_found_and_nothing_valid_is_refused(edits: list[tuple[str, Any]]) -> None:
    document = edited(copy.deepcopy(COMPLETE), edits)
    errors = list(VALIDATOR.iter_errors(document))
    try:
        findings, is_refused = read(document).warnings, False
    except DocumentError as error:
        findings, is_refused = error.findings, True
    if is_refused:
        own_rules = {"empty", "control_character", "length", "form", "name_form"}
        assert errors or {finding.code for finding in findings} <= own_rules
    else:
        for error in errors:
            assert explained(error, findings), (error.message, findings)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_is_read_or_refused_as_a_definition(value: Any) -> None:
    assert refused(json.dumps(value)).findings


def test_values_become_text_for_the_environment() -> None:
    assert [as_text(value) for value in (False, 5, "x", None, {"a": 1})] == ["false", "5", "x", "", '{"a": 1}']
