"""A rebuild reads each class of events only for the projections that fold it."""

from __future__ import annotations

import pytest

from eventstore import codec
from eventstore.log import CONFIGURATION, JOB, OUTPUT, class_of
from projections.lanes import Lane, counted_once, lanes_of
from projections.projection import Projection
from projections.registry import ALL, APPLICATION, COMPANY, JOB_HISTORY, JOB_OUTPUT, JOB_QUEUE, RUN_TEMPLATE


@pytest.mark.parametrize("projection", ALL, ids=lambda projection: projection.name)
def test_a_projection_names_the_classes_of_all_its_events(projection: Projection) -> None:
    first, last = projection.classes
    for name in projection.types:
        assert first <= class_of(f"{codec.event_type(name).category}-1") <= last, name


def test_output_is_read_for_nothing_but_output() -> None:
    reading_output = [lane.names for lane in lanes_of(ALL) if lane.last_class >= OUTPUT]
    assert reading_output == [("job_output",)]


def test_every_projection_has_one_lane() -> None:
    names = [name for lane in lanes_of(ALL) for name in lane.names]
    assert sorted(names) == sorted(projection.name for projection in ALL)
    tables = [table for lane in lanes_of(ALL) for table in lane.tables]
    assert sorted(tables) == sorted(table for projection in ALL for table in projection.tables)


def test_configuration_alone_is_read_for_configuration() -> None:
    (lane,) = lanes_of([COMPANY, APPLICATION])
    assert (lane.first_class, lane.last_class) == (CONFIGURATION, CONFIGURATION)


@pytest.mark.parametrize(
    ("projections", "folded", "events"),
    [
        ([COMPANY, RUN_TEMPLATE, JOB_HISTORY, JOB_OUTPUT], (3, 13, 10, 20), 33),
        ([COMPANY, JOB_QUEUE, JOB_OUTPUT], (3, 10, 20), 33),
        ([JOB_QUEUE, JOB_HISTORY], (10, 10), 10),
    ],
)
def test_events_read_by_several_lanes_are_counted_once(
    projections: list[Projection], folded: tuple[int, ...], events: int
) -> None:
    lanes: list[Lane] = lanes_of(projections)
    assert lanes[-1].last_class in (JOB, OUTPUT)
    assert counted_once(lanes, folded) == events
