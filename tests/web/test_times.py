"""Times in words, in the viewer's zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from web.times import NOTHING, Clock, duration, first_known

NOW = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "delta", "words"),
    [
        ("en", timedelta(seconds=-2), "just now"),
        ("cs", timedelta(seconds=2), "právě teď"),
        ("en", timedelta(seconds=-30), "30 seconds ago"),
        ("cs", timedelta(minutes=-1), "před 60 sekundami"),
        ("cs", timedelta(minutes=-2), "před 2 minutami"),
        ("cs", timedelta(minutes=5), "za 5 minut"),
        ("en", timedelta(hours=3), "in 3 hours"),
        ("cs", timedelta(days=-1, hours=-8), "před 1 dnem"),
    ],
)
def test_relative_times_in_both_languages(language: str, delta: timedelta, words: str) -> None:
    assert Clock(language, "UTC", NOW).relative(NOW + delta) == words


def test_a_moment_is_shown_on_the_viewers_day() -> None:
    """Half past ten in the evening in UTC is tomorrow in Prague."""
    clock = Clock("cs", "Europe/Prague", NOW)
    assert clock.short(NOW) == "00:30:00"
    assert clock.full(NOW) == "neděle 25. října 2026, 00:30:00 CEST"
    assert clock.short(NOW - timedelta(hours=1)) == "24. 10. 23:30"
    assert Clock("en", "UTC", NOW).short(NOW - timedelta(days=400)) == "19 Sep 2025, 22:30"


def test_the_repeated_hour_is_told_apart_by_the_zones_abbreviation() -> None:
    clock = Clock("en", "Europe/Prague", NOW)
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert clock.full(first) == "Sunday, 25 October 2026, 02:30:00 CEST"
    assert clock.full(second) == "Sunday, 25 October 2026, 02:30:00 CET"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("Europe/Atlantis", "Europe/London"), "Europe/London"),
        ((None, ""), "UTC"),
        (("../../etc/passwd", "Asia/Tokyo"), "Asia/Tokyo"),
    ],
)
def test_an_unknown_zone_is_passed_over(names: tuple[str | None, ...], found: str) -> None:
    assert first_known(*names) == found


def test_durations() -> None:
    assert [duration(each, "cs") for each in (None, 0, 59.94, 60, 3600, 86400 * 3 + 5)] == [
        NOTHING, "0 ms", "59,9 s", "1 min", "1 h", "3 d",
    ]  # fmt: skip
