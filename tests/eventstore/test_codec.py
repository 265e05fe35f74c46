"""Events to JSON and back, over all versions that their types have had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.application_events import ApplicationUpdated
from domain.company_events import CompanyChanged
from domain.event import ERASED, UNSET, Event, Unset
from eventstore import codec
from eventstore.errors import NewerEventError, UnknownEventTypeError
from tests.eventstore.samples import Sample, SampleKeyring, path_of, samples
from tests.testbed.events import any_event, company_created, event_of, product_types

SAMPLES = list(samples())


def read(sample: Sample) -> Event:
    """Read a sample as the store reads it."""
    data = msgspec.json.encode(sample.data).decode()
    keyring = SampleKeyring()
    opened = {
        field: keyring.unseal(envelope, f"{sample.stream}|{field}")
        for field, envelope in codec.sealed_fields(sample.type, data).items()
    }
    return codec.decode(sample.type, data, sample.schema_version, opened)


# Samples.


@pytest.mark.parametrize("kind", product_types(), ids=lambda kind: kind.__name__)
def test_every_version_of_every_event_type_has_a_sample(kind: type[Event]) -> None:
    missing = [
        path_of(kind, version).name
        for version in range(1, kind.schema_version + 1)
        if not path_of(kind, version).exists()
    ]
    assert missing == [], "python -m tests.eventstore.samples writes those of today's versions"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.type}.v{sample.schema_version}")
def test_sample_reads_as_it_always_did(sample: Sample) -> None:
    event = read(sample)
    assert type(event).__name__ == sample.type
    now = msgspec.to_builtins(event)
    # A field that came since has its default: what is not in the sample does not matter.
    assert {name: now.get(name) for name in sample.event} == sample.event


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.type}.v{sample.schema_version}")
def test_sample_holds_no_personal_field_in_clear(sample: Sample) -> None:
    for field in codec.event_type(sample.type).personal:
        assert set(sample.data[field]) == {"enc", "key", "sub"}


def test_no_sample_is_of_a_type_that_is_gone() -> None:
    assert {sample.type for sample in SAMPLES} == {kind.__name__ for kind in product_types()}


def test_every_step_between_versions_has_an_upcaster() -> None:
    steps = {(kind.__name__, version) for kind in product_types() for version in range(1, kind.schema_version)}
    assert steps <= codec._upcasters.keys()


# There and back.


@given(event=any_event())
def test_event_is_the_same_after_it_was_stored(event: Event) -> None:
    stored = msgspec.json.encode(msgspec.json.decode(codec.encode(event)))
    assert codec.decode(type(event).__name__, stored, type(event).schema_version) == event


@given(kind=st.sampled_from(product_types()), seed=st.integers(0, 9999))
def test_event_with_sealed_fields_is_the_same_after_it_was_stored(kind: type[Event], seed: int) -> None:
    event = event_of(kind, seed)
    keyring = SampleKeyring()
    clear = {field: value for field in kind.personal if isinstance(value := getattr(event, field), str)}
    sealed = {field: keyring.envelope(event.subject_of(field), "x-1", field, text) for field, text in clear.items()}
    data = codec.encode_personal(event, sealed)
    assert codec.sealed_fields(kind.__name__, data) == sealed
    opened = {field: keyring.unseal(envelope, f"x-1|{field}") for field, envelope in sealed.items()}
    assert codec.decode(kind.__name__, data, kind.schema_version, opened) == event
    erased = codec.decode(kind.__name__, data, kind.schema_version, dict.fromkeys(sealed, ERASED))
    assert erased == msgspec.structs.replace(event, **dict.fromkeys(sealed, ERASED))


def test_unset_field_is_not_stored_and_none_is() -> None:
    data = msgspec.json.decode(codec.encode(CompanyChanged(company_id=1, logo=None)))
    assert data == {"company_id": 1, "logo": None}


def test_field_that_a_newer_program_added_is_passed_over() -> None:
    data = {**msgspec.json.decode(codec.encode(company_created(1))), "shoe_size": 43}
    assert codec.decode("CompanyCreated", msgspec.json.encode(data), 1) == company_created(1)


def test_large_members_are_left_empty_without_being_read() -> None:
    event = ApplicationUpdated(application_id=3, name='Probe "x"', definition={"a": [1]}, enabled=False)
    blanks = {"definition": msgspec.Raw(b"{}"), "content": msgspec.Raw(b'""')}
    found = codec.decode("ApplicationUpdated", codec.blanked(codec.encode(event), blanks), 1)
    assert found == msgspec.structs.replace(event, definition={})


def test_text_that_looks_like_an_envelope_is_not_opened() -> None:
    lookalike = {"enc": "eA==", "key": 1, "sub": "company:1"}
    data = {**msgspec.json.decode(codec.encode(company_created(1))), "settings": lookalike}
    assert codec.sealed_fields("CompanyCreated", msgspec.json.encode(data).decode()) == {}
    data["email"] = {**lookalike, "more": 1}
    assert codec.sealed_fields("CompanyCreated", msgspec.json.encode(data).decode()) == {}


# Versions: an example of a type that has changed twice.


class TestRoomEvent(Event, frozen=True, kw_only=True):
    """Base of the events of the example."""

    __test__: ClassVar[bool] = False
    category: ClassVar[str] = "room"
    room_id: int


class TestRoomOpened(TestRoomEvent, frozen=True, kw_only=True):
    """Version 1 had ``name`` and ``size`` in square feet, version 2 ``label``, version 3 ``area`` in square metres."""

    __test__: ClassVar[bool] = False
    schema_version: ClassVar[int] = 3
    label: str
    area: float
    floor: int | Unset = UNSET


@pytest.fixture
def upcasters() -> Iterator[None]:
    @codec.upcast("TestRoomOpened", from_version=1)
    def name_becomes_label(data: dict[str, Any]) -> dict[str, Any]:
        return {**{key: value for key, value in data.items() if key != "name"}, "label": data["name"]}

    @codec.upcast("TestRoomOpened", from_version=2)
    def feet_become_metres(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "area": data["size"] * 0.0929}

    yield
    for version in (1, 2):
        del codec._upcasters["TestRoomOpened", version]


@pytest.mark.parametrize(
    ("version", "data"),
    [
        (1, {"room_id": 7, "name": "Blue", "size": 100}),
        (2, {"room_id": 7, "label": "Blue", "size": 100}),
        (3, {"room_id": 7, "label": "Blue", "area": 9.29}),
    ],
)
def test_event_of_any_version_reads_in_the_shape_of_today(upcasters: None, version: int, data: dict[str, Any]) -> None:
    event = codec.decode("TestRoomOpened", msgspec.json.encode(data), version)
    assert event == TestRoomOpened(room_id=7, label="Blue", area=pytest.approx(9.29))  # type: ignore[arg-type]


def test_version_of_a_newer_program_is_refused() -> None:
    with pytest.raises(NewerEventError, match=r"TestRoomOpened has schema version 4; .* up to 3.* update"):
        codec.decode("TestRoomOpened", "{}", 4)


def test_type_of_a_newer_program_is_refused() -> None:
    with pytest.raises(UnknownEventTypeError, match=r"RoomPainted is not known to this program.* update MultiFlexi"):
        codec.decode("RoomPainted", "{}", 1)
