"""What single commands are refused for, with the field and the code, and what they become."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import company, job, run_template
from domain.business_numbers import registration_number_is_valid, vat_number_warning
from domain.command import Command
from domain.company import ChangeCompany, CreateCompany, RemoveCompany
from domain.company_events import CompanyChanged
from domain.deadline import checked_offset, deadline
from domain.errors import DomainError, NotFoundError, StateError, ValidationError
from domain.event import ERASED
from domain.job import CancelJob, FinishJob, RequestCancel, ScheduleJob, StartJob
from domain.localized import LANGUAGES, localized
from domain.run_template import ActivateRunTemplate, ChangeRunTemplate, CreateRunTemplate, DeactivateRunTemplate
from domain.run_template_events import RunTemplateChanged

UUID = "775ed801-2489-4981-bc14-d8a01cba1938"
NOW = datetime(2026, 1, 5, 10, 20, tzinfo=UTC)


def a_company(**fields: Any) -> company.Company:
    wish = CreateCompany(**{"name": "Acme", "company_id": 7, "uuid": UUID, **fields})
    [created] = company.decide(None, wish)
    return company.evolve(None, created)


def a_template(**fields: Any) -> run_template.RunTemplate:
    given_fields = {"name": "Hourly", "company_id": 7, "application_id": 3, "run_template_id": 42, "uuid": UUID}
    wish = CreateRunTemplate(**{**given_fields, "interval": "h", "now": NOW, "zone": "Europe/Prague", **fields})
    [created] = run_template.decide(None, wish)
    return run_template.evolve(None, created)


def a_job(**fields: Any) -> job.Job:
    given_fields = {
        "job_id": 1001,
        "run_template_id": 42,
        "company_id": 7,
        "application_id": 3,
        "uuid": UUID,
        "now": NOW,
    }
    [scheduled] = job.decide(None, ScheduleJob(**{**given_fields, **fields}))
    return job.evolve(None, scheduled)


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"name": " "}, "name", "name_missing"),
        ({"name": "a\tb\nc"}, "name", "invalid"),
        ({"name": "x" * 256}, "name", "too_long"),
        ({"code": "-acme"}, "code", "company_code_invalid"),
        ({"code": "a b"}, "code", "company_code_invalid"),
        ({"code": "x" * 64}, "code", "company_code_invalid"),
        ({"time_zone": "Europe/Praha"}, "time_zone", "time_zone_unknown"),
        ({"time_zone": "+01:00"}, "time_zone", "time_zone_unknown"),
        ({"email": "nobody"}, "email", "email_invalid"),
        ({"email": "a@b c.org"}, "email", "email_invalid"),
        ({"uuid": "x"}, "uuid", "invalid"),
        ({"settings": {"a b": "c"}}, "settings", "invalid"),
        ({"logo": "x" * 262_145}, "logo", "too_long"),
    ],
)
def test_a_company_is_refused_for(fields: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        a_company(**fields)
    assert (caught.value.field, caught.value.code) == (field, code)
    if field != "uuid":
        with pytest.raises(ValidationError) as caught:
            company.decide(a_company(), ChangeCompany(company_id=7, **fields))
        assert (caught.value.field, caught.value.code) == (field, code)


def test_a_company_is_stored_in_its_usual_form() -> None:
    found = a_company(
        name="  Acme Corp ", email=" ", registration_number="694 386 76", vat_number="CZ 69438676", logo=""
    )
    assert (found.name, found.code, found.email) == ("Acme Corp", "acme-corp", None)
    assert (found.registration_number, found.vat_number, found.logo) == ("69438676", "CZ69438676", None)
    assert a_company(name="株式会社").code == "company-7"
    assert a_company(code="ACME").code == "ACME"


def test_a_company_whose_mail_was_erased_can_still_be_changed() -> None:
    erased = msgspec.structs.replace(a_company(), email=ERASED)
    [changed] = company.decide(erased, ChangeCompany(company_id=7, email="new@example.org"))
    assert company.evolve(erased, changed).email == "new@example.org"


def test_a_company_that_was_removed_is_not_there_any_more() -> None:
    state = a_company()
    [removed] = company.decide(state, RemoveCompany(company_id=7))
    for command in (ChangeCompany(company_id=7, name="X"), RemoveCompany(company_id=7)):
        with pytest.raises(NotFoundError) as caught:
            company.decide(company.evolve(state, removed), command)
        assert caught.value.code == "company_not_found"
    with pytest.raises(StateError):
        company.decide(state, CreateCompany(name="X", company_id=7, uuid=UUID))


@pytest.mark.parametrize("number", ["69438676", "00006947", "6947", "27082440", "25596641", "00000019"])
def test_right_registration_numbers(number: str) -> None:
    assert registration_number_is_valid(number)


@pytest.mark.parametrize("number", ["69438677", "96438676", "00000000", "123456789", "1234567a", "", "٦٩٤٣٨٦٧٦"])
def test_wrong_registration_numbers(number: str) -> None:
    assert not registration_number_is_valid(number)


@given(st.integers(1, 9_999_999))
def test_every_seven_digits_have_one_check_digit(head: int) -> None:
    assert sum(registration_number_is_valid(f"{head:07}{digit}") for digit in range(10)) == 1


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("CZ69438676", None),
        ("cz 694 386 76", None),
        ("CZ69438677", "vat_number_check_digit"),
        ("CZ7601010009", None),  # a natural person
        ("CZ123", "vat_number_form"),
        ("SK2020273893", None),
        ("SK2020273894", "vat_number_check_digit"),
        ("SK1", "vat_number_form"),
        ("DE123456789", None),
        ("123456789", "vat_number_form"),
    ],
)
def test_vat_numbers(number: str, code: str | None) -> None:
    warning = vat_number_warning(number)
    assert (warning and warning.code) == code


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"name": ""}, "name", "name_missing"),
        ({"interval": "q"}, "interval", "interval_unknown"),
        ({"interval": "c"}, "cron", "cron_missing"),
        ({"interval": "c", "cron": "0 25 * * *"}, "cron", "cron_invalid"),
        ({"interval": "d", "cron": "nonsense"}, "cron", "cron_invalid"),
        ({"interval": "c", "active": False}, "cron", "cron_missing"),
        ({"time_zone": "Nowhere"}, "time_zone", "time_zone_unknown"),
        ({"delay": -1}, "delay", "out_of_range"),
        ({"executor": "Nowhere"}, "executor", "executor_unknown"),
        ({"environment": {"A=B": "x"}}, "environment", "environment_key_invalid"),
        ({"environment": {"": "x"}}, "environment", "environment_key_invalid"),
        ({"environment": {"A": "\x00"}}, "environment", "environment_value_invalid"),
        ({"environment": {"A": "x" * 131_073}}, "environment", "environment_value_invalid"),
        ({"environment": {f"A{n}": "x" * 100_000 for n in range(11)}}, "environment", "too_large"),
        ({"environment": {f"A{n}": "x" for n in range(2001)}}, "environment", "too_many"),
        ({"deadline_offset": "3h"}, "deadline_offset", "deadline_invalid"),
        ({"max_attempts": 0}, "max_attempts", "out_of_range"),
        ({"retry_backoff": "often"}, "retry_backoff", "retry_backoff_unknown"),
        ({"retry_min_gap": -1}, "retry_min_gap", "out_of_range"),
        ({"jitter": -1}, "jitter", "out_of_range"),
        ({"missed_policy": "never"}, "missed_policy", "missed_policy_unknown"),
        ({"missed_limit": 0}, "missed_limit", "out_of_range"),
        ({"overlap_policy": "mix"}, "overlap_policy", "overlap_policy_unknown"),
        ({"when_lost": "cry"}, "when_lost", "when_lost_unknown"),
        ({"priority": 1001}, "priority", "out_of_range"),
        ({"max_parallel": 0}, "max_parallel", "out_of_range"),
        ({"labels": ["a b"]}, "labels", "label_invalid"),
        ({"labels": [str(number) for number in range(51)]}, "labels", "too_many"),
        ({"limits": {"time": 1}}, "limits", "limits_unknown"),
        ({"limits": {"wall_time": 0}}, "limits", "out_of_range"),
        ({"run_as": "root; rm"}, "run_as", "invalid"),
        ({"start_at": datetime(2026, 1, 1)}, "start_at", "invalid"),
        ({"start_at": NOW, "end_at": NOW - timedelta(days=1)}, "end_at", "end_before_start"),
        ({"note": "\x00"}, "note", "invalid"),
    ],
)
def test_a_run_template_is_refused_for(fields: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        a_template(**fields)
    assert (caught.value.field, caught.value.code) == (field, code)
    change = ChangeRunTemplate(run_template_id=42, now=NOW, zone="Europe/Prague", **fields)
    with pytest.raises(ValidationError) as caught:
        run_template.decide(a_template(), change)
    assert (caught.value.field, caught.value.code) == (field, code)


def test_the_secret_value_of_a_variable_is_not_told_in_an_error() -> None:
    with pytest.raises(ValidationError) as caught:
        a_template(environment={"TOKEN": "very-secret\x00"})
    assert "very-secret" not in caught.value.message


def test_a_template_is_due_from_its_begin_to_its_end() -> None:
    def due(**fields: Any) -> datetime | None:
        wish = CreateRunTemplate(
            name="X",
            company_id=7,
            application_id=3,
            run_template_id=42,
            uuid=UUID,
            now=NOW,
            zone="UTC",
            interval="h",
            **fields,
        )
        [created] = run_template.decide(None, wish)
        return created.next_due  # type: ignore[attr-defined]

    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert due(start_at=noon) == noon
    assert due(start_at=noon - timedelta(days=9)) == NOW.replace(hour=11, minute=0)
    assert due(end_at=noon) == NOW.replace(hour=11, minute=0)
    assert due(end_at=NOW.replace(hour=10, minute=59)) is None
    assert due(start_at=noon, end_at=noon) == noon


def test_single_variables_are_changed_and_taken_away() -> None:
    state = a_template(environment={"A": "1", "B": "2"})
    change = ChangeRunTemplate(run_template_id=42, set_environment={"A": "3", "B": None, "C": "4"})
    [event] = run_template.decide(state, change)
    assert run_template.evolve(state, event).environment == {"A": "3", "C": "4"}
    with pytest.raises(ValidationError, match="Give one of the two"):
        run_template.decide(state, msgspec.structs.replace(change, environment={}))


def test_a_change_of_the_schedule_is_counted_from_now_in_the_zone_that_holds() -> None:
    state = a_template()
    change = ChangeRunTemplate(run_template_id=42, interval="daily", now=NOW, zone="Europe/Prague")
    [event] = run_template.decide(state, change)
    assert event.next_due == datetime(2026, 1, 5, 23, tzinfo=UTC)  # type: ignore[attr-defined]
    [event] = run_template.decide(state, msgspec.structs.replace(change, time_zone="Asia/Tokyo"))
    assert event.next_due == datetime(2026, 1, 5, 15, tzinfo=UTC)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "stored"),
    [("+3h", "+3h"), ("+90M", "+90m"), (" +1d2h3m4s ", "+1d2h3m4s"), ("8:00", "08:00"), ("23:59", "23:59")],
)
def test_deadlines_are_read(text: str, stored: str) -> None:
    assert checked_offset(text) == stored


@pytest.mark.parametrize("text", ["", "+", "3h", "+h", "+0h", "-3h", "24:00", "8:60", "8", "+3h2d", "+3 h", "tomorrow"])
def test_deadlines_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        checked_offset(text)
    assert caught.value.code == "deadline_invalid"


def test_a_time_of_day_follows_the_begin_of_the_window_also_at_its_very_moment() -> None:
    assert deadline(NOW, "10:20", "UTC") == NOW
    assert deadline(NOW, "10:19", "UTC") == datetime(2026, 1, 6, 10, 19, tzinfo=UTC)
    assert deadline(datetime(2026, 3, 28, 23, tzinfo=UTC), "02:30", "Europe/Prague") == datetime(
        2026, 3, 29, 1, tzinfo=UTC
    )


def in_state(state: str) -> job.Job:
    return msgspec.structs.replace(a_job(), state=state)


@pytest.mark.parametrize(
    ("command", "possible"),
    [
        (StartJob(job_id=1001, now=NOW, executor_id="e", host="h"), "queued"),
        (FinishJob(job_id=1001, now=NOW, outcome="success", exit_code=0), "running"),
        (CancelJob(job_id=1001, now=NOW), "queued"),
    ],
)
@pytest.mark.parametrize("state", ["queued", "running", "finished", "cancelled"])
def test_a_job_goes_its_way_only(command: Command, possible: str, state: str) -> None:
    assert isinstance(command, job.JobCommand)
    if state == possible:
        assert len(job.decide(in_state(state), command)) == 1
        return
    with pytest.raises(StateError, match=f"Job 1001 is {state}; only a {possible} job can") as caught:
        job.decide(in_state(state), command)
    assert caught.value.code == f"job_{state}"
    with pytest.raises(NotFoundError):
        job.decide(None, command)


def test_a_running_job_is_asked_to_end_once() -> None:
    wish = RequestCancel(job_id=1001, now=NOW, requested_by="user:1", reason="too slow")
    [requested] = job.decide(in_state("running"), wish)
    asked = job.evolve(in_state("running"), requested)
    assert (asked.state, asked.cancel_requested) == ("running", True)
    assert job.decide(asked, wish) == []
    with pytest.raises(StateError, match="only a running job can be asked to end"):
        job.decide(in_state("queued"), wish)


def test_cancelling_if_waiting_leaves_a_job_that_started_alone() -> None:
    assert job.decide(in_state("running"), CancelJob(job_id=1001, now=NOW, if_waiting=True)) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"environment": {"A B": "x"}}, "environment"),
        ({"priority": 1001}, "priority"),
        ({"executor": "Nowhere"}, "executor"),
        ({"uuid": "x"}, "uuid"),
    ],
)
def test_a_job_is_refused_for(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError) as caught:
        a_job(**fields)
    assert caught.value.field == field


def test_a_job_starts_at_once_unless_told() -> None:
    assert a_job().not_before == NOW
    later = datetime.fromisoformat("2026-01-05T14:00:00+02:00")
    assert a_job(not_before=later).not_before.isoformat() == "2026-01-05T12:00:00+00:00"


def test_texts_are_found_in_the_wanted_or_the_next_best_language() -> None:
    texts = {"en": "Probe", "cs": "Sonda", "de": ""}
    assert [localized(texts, language) for language in ("cs", "cs-CZ", "de", "fr")] == [
        "Sonda",
        "Sonda",
        "Probe",
        "Probe",
    ]
    assert localized({"sk": "Sonda"}) == "Sonda"
    assert [localized(value) for value in (None, 5, {}, {"en": 5})] == ["", "", "", ""]
    assert len(LANGUAGES) == 32


def test_a_pause_has_a_reason_that_is_forgotten_when_it_ends() -> None:
    acme = a_company()
    [paused] = company.decide(acme, ChangeCompany(company_id=7, paused=True, pause_reason=" Stocktaking "))
    assert isinstance(paused, CompanyChanged)
    assert (paused.paused, paused.pause_reason) == (True, "Stocktaking")
    acme = company.evolve(acme, paused)
    [resumed] = company.decide(acme, ChangeCompany(company_id=7, paused=False))
    assert isinstance(resumed, CompanyChanged)
    assert (resumed.paused, resumed.pause_reason) == (False, None)
    with pytest.raises(ValidationError) as refused:
        company.decide(acme, ChangeCompany(company_id=7, paused=True, pause_reason="x" * 2001))
    assert (refused.value.field, refused.value.code) == ("pause_reason", "too_long")


def test_a_template_is_switched_off_for_a_reason_that_is_forgotten_when_it_is_switched_on() -> None:
    template = a_template()
    wish = DeactivateRunTemplate(run_template_id=42, reason="The bank is down", now=NOW, zone="UTC")
    [changed] = run_template.decide(template, wish)
    assert isinstance(changed, RunTemplateChanged)
    assert (changed.active, changed.inactive_reason, changed.next_due) == (False, "The bank is down", None)
    template = run_template.evolve(template, changed)
    for on in (
        ActivateRunTemplate(run_template_id=42, now=NOW, zone="UTC"),
        ChangeRunTemplate(run_template_id=42, active=True, now=NOW, zone="UTC"),
    ):
        [changed] = run_template.decide(template, on)
        assert isinstance(changed, RunTemplateChanged)
        assert (changed.active, changed.inactive_reason) == (True, None)
