"""The application definition: valid, complete, and in step with the program."""

import json
import uuid
from pathlib import Path

import jsonschema
import pytest

import integrations.probe
from integrations.probe import NAME, VERSION
from integrations.probe.report import ARTIFACT
from integrations.probe.results import EXIT_CODES
from integrations.probe.settings import read_settings
from tests.integrations.probe.conftest import REFERENCE
from tests.integrations.probe.test_probe_settings import variables

DEFINITION = Path(integrations.probe.__file__).parent / "multiflexi-probe.multiflexi.app.json"
READ_ELSEWHERE = {"LANG"}
"""Variables that are not read with the settings."""


@pytest.fixture(scope="module")
def definition():
    return json.loads(DEFINITION.read_text("utf-8"))


def test_it_is_valid(definition, reference_schema):
    validator = jsonschema.Draft7Validator(
        reference_schema("application"), format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
    )
    assert list(validator.iter_errors(definition)) == []


def test_it_is_an_application_of_its_own(definition):
    assert uuid.UUID(definition["uuid"]).version == 4
    taken = [json.loads(path.read_text("utf-8")).get("uuid") for path in (REFERENCE / "apps").glob("*.json")]
    assert definition["uuid"] not in taken


def test_it_describes_this_program(definition):
    assert definition["executable"] == NAME
    assert definition["version"] == VERSION
    assert {int(code) for code in definition["exitCodes"]} == set(EXIT_CODES.values())
    assert list(definition["produces"]) == [ARTIFACT]
    assert "requirements" not in definition


def test_it_describes_every_variable_and_no_other(definition):
    assert set(definition["environment"]) == {*variables(), *READ_ELSEWHERE}


def test_its_defaults_are_those_of_the_program(definition):
    defaults = {name: str(entry["defval"]) for name, entry in definition["environment"].items()}
    assert defaults.pop("RESULT_FILE") == definition["artifacts"][0]["path"]
    assert read_settings(defaults) == read_settings({})


def test_every_option_is_accepted(definition):
    for name, entry in definition["environment"].items():
        assert entry["type"] != "set" or str(entry["defval"]) in entry["options"]
        for option in entry.get("options", {}):
            read_settings({name: option})


def test_people_read_it_in_english_and_czech(definition):
    told = [definition["name"], definition["description"], definition["produces"][ARTIFACT]["description"]]
    told += [entry["description"] for entry in definition["environment"].values()]
    told += [entry["hint"] for entry in definition["environment"].values() if "hint" in entry]
    told += [code["description"] for code in definition["exitCodes"].values()]
    told += [artifact[part] for artifact in definition["artifacts"] for part in ("name", "description")]
    assert all(set(texts) == {"en", "cs"} and all(texts.values()) for texts in told)
