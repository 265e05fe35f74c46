"""Judging readings: figures, thresholds, outcomes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from integrations.probe import evaluation
from integrations.probe.certificates import CertificateReading
from integrations.probe.clock import ClockReading, SntpReading
from integrations.probe.host import DiskReading, InodeReading, LoadReading, MemoryReading
from integrations.probe.output import message_of
from integrations.probe.results import EXIT_CODES, REPORT_STATUSES, Result, State, Thresholds, counts, overall
from integrations.probe.settings import ProcessRule
from integrations.probe.systemd import UnitReading
from integrations.probe.texts import Catalogue, text

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
GIB = 1 << 30
figures = st.floats(min_value=-1e9, max_value=1e9)


def english(message):
    return Catalogue("en").render(message)


def result(state):
    return Result("memory", "", state, text("no swap space"))


@given(st.tuples(figures, figures).map(sorted), figures, figures)
def test_a_worse_figure_never_has_a_better_state(bounds, one, other):
    thresholds = Thresholds(*bounds)
    assert thresholds.consistent
    assert thresholds.state_of(min(one, other)) <= thresholds.state_of(max(one, other))


@given(st.tuples(figures, figures).map(sorted), figures)
def test_a_figure_is_judged_by_the_highest_threshold_it_has_met(bounds, figure):
    warning, failure = bounds
    state = Thresholds(warning, failure).state_of(figure)
    assert (state is State.FAILURE) == (figure >= failure)
    assert (state is State.WARNING) == (warning <= figure < failure)
    assert (state is State.OK) == (figure < warning)


@given(figures, figures, figures)
def test_falling_thresholds_mirror_rising_ones(warning, failure, figure):
    falling, rising = Thresholds(warning, failure, falling=True), Thresholds(-warning, -failure)
    assert falling.state_of(figure) is rising.state_of(-figure)
    assert falling.consistent == rising.consistent


@given(st.lists(st.sampled_from(State)))
def test_the_outcome_is_the_worst_state_and_a_warning_if_nothing_was_checked(states):
    outcome = overall([result(state) for state in states])
    if set(states) <= {State.SKIPPED}:
        assert outcome is State.WARNING
    else:
        assert outcome is max(states)
    assert outcome in EXIT_CODES
    assert outcome in REPORT_STATUSES
    assert sum(counts([result(state) for state in states]).values()) == len(states)


@example(used=3372778176500412932, free=1)
@given(used=st.integers(0, 1 << 62), free=st.integers(0, 1 << 62))
def test_percentages_stay_between_0_and_100(used, free):
    assert 0 <= evaluation.used_percent(used, free) <= 100


def test_disk_counts_reserved_blocks_neither_as_used_nor_as_free():
    judged = evaluation.evaluate_disk("/", DiskReading(100 * GIB, 45 * GIB, 45 * GIB), Thresholds(50, 95))
    assert judged.state is State.WARNING
    assert judged.metrics["disk./.used_percent"] == 50
    assert judged.metrics["disk./.free_bytes"] == 45 * GIB
    assert english(judged.value) == "50.0% of 100.0 GiB used, 45.0 GiB free"


@pytest.mark.parametrize(("free", "state"), [(100, State.OK), (20, State.WARNING), (5, State.FAILURE)])
def test_inodes(free, state):
    judged = evaluation.evaluate_inodes("/srv", InodeReading(100, free), Thresholds(80, 95))
    assert judged.state is state
    assert judged.metrics["inodes./srv.free"] == free


def test_a_file_system_without_counted_inodes_is_skipped():
    assert evaluation.evaluate_inodes("/", InodeReading(0, 0), Thresholds(0, 0)).state is State.SKIPPED


@pytest.mark.parametrize(("available", "state"), [(11, State.OK), (10, State.WARNING), (3, State.FAILURE)])
def test_memory_and_swap(available, state):
    reading = MemoryReading(100, available)
    memory = evaluation.evaluate_memory(reading, Thresholds(90, 97))
    swap = evaluation.evaluate_swap(reading, Thresholds(90, 97))
    assert (memory.state, swap.state) == (state, state)
    assert memory.metrics["memory.used_percent"] == swap.metrics["swap.used_percent"] == 100 - available


def test_no_swap_is_skipped():
    assert evaluation.evaluate_swap(MemoryReading(0, 0), Thresholds(0, 0)).state is State.SKIPPED


@pytest.mark.parametrize(("minutes", "state"), [(1, State.FAILURE), (5, State.WARNING), (15, State.OK)])
def test_load_is_judged_per_core_over_the_chosen_minutes(minutes, state):
    judged = evaluation.evaluate_load(LoadReading((40.0, 16.0, 4.0), 8), minutes, Thresholds(2, 5))
    assert judged.state is state
    assert judged.metrics == {
        "load.1m_per_core": 5,
        "load.5m_per_core": 2,
        "load.15m_per_core": 0.5,
        "load.cores": 8,
    }


@pytest.mark.parametrize(
    ("error", "state"), [(0.499, State.OK), (0.5, State.WARNING), (4.9, State.WARNING), (5.0, State.FAILURE)]
)
def test_a_synchronised_clock_is_judged_by_its_error(error, state):
    judged = evaluation.evaluate_clock(ClockReading(True, "kernel", error, 9.0), State.FAILURE, Thresholds(0.5, 5))
    assert judged.state is state
    assert judged.metrics["time.synchronised"] == 1
    assert judged.metrics["time.maximum_error_seconds"] == 9


@pytest.mark.parametrize("verdict", [State.OK, State.WARNING, State.FAILURE])
def test_an_unsynchronised_clock_counts_as_the_settings_say(verdict):
    judged = evaluation.evaluate_clock(ClockReading(False, "kernel", 0, 0), verdict, Thresholds(0.5, 5))
    assert judged.state is verdict
    assert judged.metrics == {"time.synchronised": 0}


@pytest.mark.parametrize(("offset", "state"), [(0.1, State.OK), (-0.6, State.WARNING), (-6.0, State.FAILURE)])
def test_an_offset_counts_both_ways(offset, state):
    judged = evaluation.evaluate_offset("ntp:123", SntpReading(offset, 0.01, 2), Thresholds(0.5, 5))
    assert judged.state is state
    assert judged.metrics["time.ntp:123.offset_seconds"] == offset


@pytest.mark.parametrize(
    ("load", "active", "state"),
    [
        ("loaded", "active", State.OK),
        ("loaded", "reloading", State.WARNING),
        ("loaded", "activating", State.WARNING),
        ("loaded", "inactive", State.FAILURE),
        ("loaded", "failed", State.FAILURE),
        ("loaded", "deactivating", State.FAILURE),
        ("loaded", "", State.FAILURE),
        ("not-found", "inactive", State.FAILURE),
    ],
)
def test_units(load, active, state):
    judged = evaluation.evaluate_unit("cron", UnitReading(load, active, "x"))
    assert judged.state is state
    assert judged.metrics["service.cron.active"] == (active == "active")


@pytest.mark.parametrize(
    ("rule", "count", "state"),
    [
        (ProcessRule("a", 1, None), 0, State.FAILURE),
        (ProcessRule("a", 1, None), 1, State.OK),
        (ProcessRule("a", 1, None), 99, State.OK),
        (ProcessRule("a", 2, 3), 1, State.FAILURE),
        (ProcessRule("a", 2, 3), 3, State.OK),
        (ProcessRule("a", 2, 3), 4, State.WARNING),
        (ProcessRule("a", 0, 0), 0, State.OK),
        (ProcessRule("a", 0, 0), 1, State.WARNING),
    ],
)
def test_processes(rule, count, state):
    judged = evaluation.evaluate_process(rule, count)
    assert judged.state is state
    assert judged.metrics == {"process.a.count": count}


def certificate(days=90.0, since=-10.0, **facts):
    facts = {"self_signed": False, "name_matches": True, "chain_problem": "", **facts}
    return CertificateReading(NOW + timedelta(days=since), NOW + timedelta(days=days), seconds=0.1, **facts)


@pytest.mark.parametrize(
    ("reading", "verify", "state", "said"),
    [
        (certificate(), True, State.OK, "90 days left, until 2026-07-30"),
        (certificate(days=30), True, State.WARNING, "30 days left, until 2026-05-31"),
        (certificate(days=7), True, State.FAILURE, "7 days left, until 2026-05-08"),
        (certificate(days=-1), True, State.FAILURE, "expired (valid until 2026-04-30)"),
        (certificate(since=1), True, State.FAILURE, "not valid yet (valid until 2026-07-30)"),
        (certificate(name_matches=False), True, State.FAILURE, "is for another host than h:1 (valid until 2026-07-30)"),
        (certificate(name_matches=False), False, State.OK, "90 days left, until 2026-07-30"),
        (
            certificate(self_signed=True, chain_problem="self-signed certificate"),
            True,
            State.FAILURE,
            "self-signed (valid until 2026-07-30)",
        ),
        (certificate(self_signed=True), True, State.OK, "90 days left, until 2026-07-30"),
        (
            certificate(days=-1, name_matches=False, chain_problem="unknown issuer"),
            True,
            State.FAILURE,
            "expired; is for another host than h:1; not trusted: unknown issuer (valid until 2026-04-30)",
        ),
        (certificate(days=-1, chain_problem="x"), False, State.FAILURE, "expired (valid until 2026-04-30)"),
    ],
)
def test_certificates(reading, verify, state, said):
    judged = evaluation.evaluate_certificate("h:1", reading, Thresholds(30, 7, falling=True), NOW, verify=verify)
    assert judged.state is state
    assert english(judged.value) == said
    assert judged.metrics["certificate.h:1.days_left"] == (reading.not_after - NOW).days


def test_the_message_tells_what_is_wrong_the_worst_first():
    warning = evaluation.evaluate_process(ProcessRule("cron", 0, 0), 1)
    failure = evaluation.evaluate_memory(MemoryReading(100, 1), Thresholds(90, 97))
    message = english(message_of([result(State.OK), warning, failure]))
    assert message == "FAILURE: memory: 99.0% of 100 B used, 1 B available; WARNING: process cron: running: 1"
    assert english(message_of([result(State.OK)])) == "all well (checks: 1)"
    assert english(message_of([result(State.SKIPPED)])) == "nothing could be checked"
