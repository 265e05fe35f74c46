"""What the rules refuse of a form stands beside the field at fault; what concerns no field stands above the form."""

from __future__ import annotations

import pytest

from domain.errors import DomainError, ForbiddenError, StateError, ValidationError
from domain.field_values import FieldsError
from web.forms import ABOVE, Wrong, key_of


def told(error: DomainError, *shown: str) -> Wrong:
    wrong = Wrong(str, shown)
    with wrong:
        raise error
    return wrong


def test_a_refusal_stands_beside_its_field_if_the_form_shows_it_and_above_it_otherwise() -> None:
    refused = ValidationError("Too long.", field="name")
    assert told(refused, "name", "code").fields == {"name": "Too long."}
    assert told(refused, "code").fields == {ABOVE: "Too long."}
    assert told(StateError("Gone."), "name").fields == {ABOVE: "Gone."}


def test_each_value_that_does_not_fit_stands_beside_its_variable() -> None:
    unfit = FieldsError({"PORT": "expected a number.", "HOST": "expected one line."})
    assert told(unfit, "name").variables == {"PORT": "Expected a number.", "HOST": "Expected one line."}
    assert told(ValidationError("Too many.", field="environment")).variables == {ABOVE: "Too many."}
    assert told(unfit, "environment").fields == {"environment": "PORT: Expected a number. HOST: Expected one line."}


def test_who_may_not_do_it_and_faults_of_the_program_pass_through() -> None:
    wrong = Wrong(str, ("name",))
    for error in (ForbiddenError("No.", field="name"), KeyError("name")):
        with pytest.raises(type(error)), wrong:
            raise error
    assert not wrong


def test_what_was_found_before_is_kept_and_counts_as_wrong() -> None:
    found = {"name": "Missing."}
    wrong = Wrong(str, ("name", "code"), found, {"PORT": "No."})
    with wrong:
        raise ValidationError("Taken.", field="code")
    assert wrong and wrong.fields == {"name": "Missing.", "code": "Taken."} and wrong.variables == {"PORT": "No."}
    assert found == {"name": "Missing."}


def test_the_key_of_a_form_is_bounded_and_none_where_there_is_none() -> None:
    assert (key_of({}), key_of({"key": ""}), len(key_of({"key": "k" * 999}) or "")) == (None, None, 200)
