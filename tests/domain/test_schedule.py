"""Due times: against cronsim, against a slow computation of our own, and cases that users of others complain about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from domain import schedule, zones
from domain.cron import Cron, CronError, next_match, parse
from domain.errors import ValidationError

ZONES = [
    "UTC",
    "Europe/Prague",
    "Europe/London",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Havana",
    "America/St_Johns",
    "Asia/Tehran",
    "Asia/Kathmandu",
    "Asia/Beirut",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Australia/Adelaide",
    "Pacific/Chatham",
    "Antarctica/Troll",
]


def due_times(cron: str, zone: str, after: datetime, count: int) -> list[datetime]:
    return [run.due for run in schedule.upcoming("c", cron, zone, after, count=count)]


def parsed_or_none(cron: str) -> Cron | None:
    try:
        return parse(cron)
    except CronError:
        return None


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def terms(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    # cronsim reads 5-5/2 as 5/2, so a range has two ends here.
    ranges = st.lists(number, min_size=2, max_size=2, unique=True).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.tuples(st.one_of(st.just("*"), ranges), st.integers(1, 20)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.one_of(number.map(str), ranges, steps)


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), st.lists(terms(low, high), min_size=1, max_size=3).map(",".join))


hours = st.one_of(fields(0, 23), st.sampled_from(["0", "1", "2", "3", "0,2", "1-3", "*/2"]))
month_days = st.one_of(st.just("*"), fields(1, 28), st.sampled_from(["L", "LW", "31", "*/2", "1,L"]))
week_days = st.one_of(st.just("*"), fields(0, 6), st.sampled_from(["SUN", "5L", "1#1", "7", "MON-FRI", "*/2", "0#5"]))
months = st.one_of(st.just("*"), st.just("*"), fields(1, 12), st.sampled_from(["MAR,OCT", "4", "10"]))
expressions = st.tuples(fields(0, 59), hours, month_days, months, week_days).map(" ".join)
moments = st.datetimes(datetime(2005, 1, 1), datetime(2045, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


def is_quiet(zone: str, moment: datetime) -> bool:
    """Whether no change of the offset is near: cronsim forgets where in a repeated hour it starts."""
    seconds = int(moment.timestamp())
    return zones.offset(zone, seconds - 90_000) == zones.offset(zone, seconds + 90_000)


def is_near_change(zone: str, moment: datetime) -> bool:
    seconds = int(moment.timestamp())
    return zones.offset(zone, seconds - 7_200) != zones.offset(zone, seconds + 7_200)


def oracle(cron: str, zone: str, after: datetime, count: int) -> list[datetime]:
    place = UTC if zone == "UTC" else ZoneInfo(zone)
    simulation = CronSim(cron, after.astimezone(place))
    return [next(simulation).astimezone(UTC) for _ in range(count)]


@settings(max_examples=500, deadline=None)
@given(cron=expressions, zone=st.sampled_from(ZONES), after=moments)
@example(cron="30 2 * * *", zone="Europe/Prague", after=utc("2026-03-28T12:00"))
@example(cron="*/20 2 * * *", zone="Europe/Prague", after=utc("2026-10-24T12:00"))
@example(cron="15 2 * * *", zone="Australia/Lord_Howe", after=utc("2026-10-01T12:00"))
@example(cron="* 3 * MAR,OCT *", zone="Pacific/Chatham", after=utc("2006-04-01T12:00"))
def test_due_times_are_those_of_cronsim(cron: str, zone: str, after: datetime) -> None:
    parsed = parsed_or_none(cron)
    assume(parsed is not None)
    assert parsed is not None
    # cronsim goes by whole hours and so over the half hour that Lord Howe repeats; the slow computation covers it.
    assume(parsed.follows_clock or zone != "Australia/Lord_Howe")
    while not is_quiet(zone, after):
        after += timedelta(days=2)
    found = [due for due in due_times(cron, zone, after, 30) if due < after + timedelta(days=2000)]
    expected = oracle(cron, zone, after, len(found))
    if zone == "Pacific/Chatham":
        # From 2:45 to 3:45: cronsim passes over the quarter of an hour that is left; the slow computation covers it.
        until = min(expected[-1:] + found[-1:], default=after)
        found, expected = (
            [due for due in times if due <= until and not is_near_change(zone, due)] for times in (found, expected)
        )
    assert found == expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "cron", ["30 2 * * *", "0 0 * * *", "5,35 0-3 * * *", "0 * * * *", "15 2,3 * * SUN", "0 0 L * *"]
)
def test_years_of_due_times_are_those_of_cronsim(cron: str, zone: str) -> None:
    after = utc("2023-01-15T00:00")
    count = 1500
    assert due_times(cron, zone, after, count) == oracle(cron, zone, after, count)


@cache
def clock(zone: str, begin: datetime, end: datetime) -> dict[datetime, list[datetime]]:
    """Return each minute that the clock shows, with the moments at which it does."""
    place = ZoneInfo(zone)
    shown: dict[datetime, list[datetime]] = {}
    for minute in range(int((end - begin).total_seconds()) // 60):
        moment = begin + timedelta(minutes=minute)
        shown.setdefault(moment.astimezone(place).replace(tzinfo=None, fold=0), []).append(moment)
    return shown


def slowly(cron: str, zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """Compute due times minute by minute from the words of the rule."""
    parsed = parse(cron)
    shown = clock(zone, begin - timedelta(days=2), end + timedelta(days=2))
    due: set[datetime] = set()
    wall, last = min(shown), max(shown)
    while wall <= last:
        if matches(parsed, wall):
            if not parsed.follows_clock:
                due.update(shown.get(wall, []))
            else:
                later = wall
                while later not in shown:
                    later += timedelta(minutes=1)
                due.add(shown[later][0])
        wall += timedelta(minutes=1)
    return sorted(moment for moment in due if begin < moment <= end)


def matches(parsed: Cron, wall: datetime) -> bool:
    seconds = int(wall.replace(tzinfo=UTC).timestamp())
    return next_match(parsed, seconds) == seconds


CHANGES = [
    ("Europe/Prague", "2026-03-29T01:00"),
    ("Europe/Prague", "2026-10-25T01:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("America/Havana", "2026-03-08T05:00"),
    ("America/Havana", "2026-11-01T05:00"),
    ("America/Santiago", "2026-09-06T04:00"),
    ("Africa/Casablanca", "2026-02-15T02:00"),
    ("Antarctica/Troll", "2026-03-29T01:00"),
    ("Pacific/Apia", "2011-12-30T10:00"),
    ("Asia/Pyongyang", "2018-05-04T15:00"),
]


@pytest.mark.parametrize(("zone", "change"), CHANGES)
@pytest.mark.parametrize(
    "cron",
    [
        "30 2 * * *",
        "*/20 2 * * *",
        "0,30 0-4 * * *",
        "0 * * * *",
        "*/7 * * * *",
        "59 23 * * *",
        "0 0 * * *",
        "15 1,2 * * *",
    ],
)
def test_around_a_change_due_times_follow_the_words_of_the_rule(cron: str, zone: str, change: str) -> None:
    begin, end = utc(change) - timedelta(hours=30), utc(change) + timedelta(hours=30)
    expected = slowly(cron, zone, begin, end)
    runs = schedule.upcoming("c", cron, zone, begin, count=10_000, until=end)
    assert [run.due for run in runs] == expected
    # Whoever starts in between finds the same moments.
    for minutes in range(0, 60 * 60, 17):
        after = begin + timedelta(minutes=minutes)
        found = schedule.next_due("c", cron, zone, after)
        assert found == min((due for due in expected if due > after), default=found)


def test_a_run_in_the_skipped_hour_happens_at_its_end_and_says_so() -> None:
    runs = schedule.upcoming("c", "30 2 * * *", "Europe/Prague", utc("2026-03-28T00:00"), count=3)
    assert [(run.due.isoformat(), run.local.isoformat(), run.moved) for run in runs] == [
        ("2026-03-28T01:30:00+00:00", "2026-03-28T02:30:00+01:00", False),
        ("2026-03-29T01:00:00+00:00", "2026-03-29T03:00:00+02:00", True),
        ("2026-03-30T00:30:00+00:00", "2026-03-30T02:30:00+02:00", False),
    ]


def test_a_fixed_time_in_the_repeated_hour_is_due_once() -> None:
    assert due_times("30 2 * * *", "Europe/Prague", utc("2026-10-24T12:00"), 2) == [
        utc("2026-10-25T00:30"),
        utc("2026-10-26T01:30"),
    ]


def test_a_wildcard_hour_follows_elapsed_time() -> None:
    assert due_times("30 * * * *", "Europe/Prague", utc("2026-10-24T23:45"), 3) == [
        utc("2026-10-25T00:30"),
        utc("2026-10-25T01:30"),
        utc("2026-10-25T02:30"),
    ]
    assert due_times("30 * * * *", "Europe/Prague", utc("2026-03-29T00:00"), 2) == [
        utc("2026-03-29T00:30"),
        utc("2026-03-29T01:30"),
    ]


def test_half_an_hour_is_skipped_and_repeated_at_lord_howe() -> None:
    assert due_times("15 2 * * *", "Australia/Lord_Howe", utc("2026-10-03T00:00"), 1) == [utc("2026-10-03T15:30")]
    assert due_times("45 1 * * *", "Australia/Lord_Howe", utc("2026-04-04T00:00"), 2) == [
        utc("2026-04-04T14:45"),
        utc("2026-04-05T15:15"),
    ]


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("i", "2026-10-20T10:18"),
        ("h", "2026-10-20T11:00"),
        ("d", "2026-10-20T22:00"),
        ("w", "2026-10-25T23:00"),
        ("m", "2026-10-31T23:00"),
        ("y", "2026-12-31T23:00"),
    ],
)
def test_each_interval_code_is_due_at_its_boundary_in_local_time(interval: str, expected: str) -> None:
    after = utc("2026-10-20T10:17:30")
    assert schedule.next_due(interval, None, "Europe/Prague", after) == utc(expected)


def test_a_manual_template_is_never_due() -> None:
    assert schedule.next_due("n", None, "UTC", utc("2026-01-01T00:00")) is None
    assert schedule.upcoming("n", None, "UTC", utc("2026-01-01T00:00"), count=5) == []


def test_what_is_due_at_the_very_moment_does_not_count_also_with_a_fraction() -> None:
    assert schedule.next_due("h", None, "UTC", utc("2026-01-01T10:00")) == utc("2026-01-01T11:00")
    assert schedule.next_due("h", None, "UTC", utc("2026-01-01T10:59:59.999999")) == utc("2026-01-01T11:00")
    assert schedule.next_due("h", None, "UTC", utc("2026-01-01T11:00:00.000001")) == utc("2026-01-01T12:00")


def test_six_fields_begin_with_the_second() -> None:
    assert due_times("*/20 59 23 * * *", "UTC", utc("2026-01-01T23:59:10"), 3) == [
        utc("2026-01-01T23:59:20"),
        utc("2026-01-01T23:59:40"),
        utc("2026-01-02T23:59:00"),
    ]
    assert due_times("15 30 2 * * *", "Europe/Prague", utc("2026-10-24T12:00"), 2) == [
        utc("2026-10-25T00:30:15"),
        utc("2026-10-26T01:30:15"),
    ]


@pytest.mark.parametrize(
    ("cron", "same"),
    [
        ("@daily", "0 0 * * *"),
        ("@Midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@annually", "0 0 1 1 *"),
        ("0 0 ? * MON", "0 0 * * 1"),
        ("0 9-9 * * *", "0 9 * * *"),
        ("0 0 * * 7-7", "0 0 * * 0"),
        ("0 0 * * FRIL", "0 0 * * L5"),
        ("0 0 * jan-mar fri#2", "0 0 * 1-3 5#2"),
        ("0 0 * * MON,FRI#2", "0 0 * * fri#2,1"),
        ("10/15 * * * *", "10,25,40,55 * * * *"),
        ("0 22-1 * * *", "0 22,23,0,1 * * *"),
        ("0 0 * * 5-7", "0 0 * * 0,5,6"),
        ("0 0 LW * *", "0 0 lw * *"),
    ],
)
def test_spellings_mean_the_same(cron: str, same: str) -> None:
    first, second = parse(cron), parse(same)
    assert (first.days, first.months, first.hours, first.minutes) == (
        second.days,
        second.months,
        second.hours,
        second.minutes,
    )


def test_the_weekday_nearest_to_a_day_stays_in_its_month() -> None:
    # 15 August 2026 is a Saturday, 1 November 2026 a Sunday, 1 August 2026 a Saturday.
    assert due_times("0 0 15W 8 *", "UTC", utc("2026-01-01T00:00"), 1) == [utc("2026-08-14T00:00")]
    assert due_times("0 0 1W 11 *", "UTC", utc("2026-01-01T00:00"), 1) == [utc("2026-11-02T00:00")]
    assert due_times("0 0 1W 8 *", "UTC", utc("2026-01-01T00:00"), 1) == [utc("2026-08-03T00:00")]


def test_the_29th_of_february_on_a_monday_is_found_across_2100() -> None:
    assert due_times("0 0 */29 2 MON", "UTC", utc("2080-01-01T00:00"), 1)[0].year < 2130


@pytest.mark.parametrize(
    ("cron", "part", "reason"),
    [
        ("61 * * * *", "minute", "61 lies outside 0 to 59"),
        ("* 24 * * *", "hour", "24 lies outside 0 to 23"),
        ("* * 0 * *", "day of month", "0 lies outside 1 to 31"),
        ("* * * 13 *", "month", "13 lies outside 1 to 12"),
        ("* * * * 8", "day of week", "8 lies outside 0 to 7"),
        ("* * * * foo", "day of week", "“foo” cannot be read"),
        ("60 * * * * *", "second", "60 lies outside 0 to 59"),
        ("*/0 * * * *", "minute", "the step in “*/0” is 0"),
        ("1,,2 * * * *", "minute", "a value is missing between the commas"),
        ("5-x * * * *", "minute", "“5-x” cannot be read"),
        ("* * * * mon#6", "day of week", "“mon#6” cannot be read"),
        ("* * * * xyl", "day of week", "“xy” is no weekday"),
        ("H * * * *", "minute", "“h” cannot be read"),
        ("R(0-5) * * * *", "minute", "“r(0-5)” cannot be read"),
        ("? * * * *", "minute", "“?” cannot be read"),
        ("0 0 30 2 *", "day of month", "no month that is asked for has such a day"),
        ("* * * *", "", "it has 4 fields"),
        ("* * * * * * 2026", "", "it has 7 fields"),
        ("@reboot", "", "there is no such word"),
        ("", "", "it has 0 fields"),
        ("1" * 300, "", "it has more than 256 characters"),
        ("٣ * * * *", "minute", "“٣” cannot be read"),
    ],
)
def test_an_expression_that_cannot_be_read_names_the_field_and_why(cron: str, part: str, reason: str) -> None:
    with pytest.raises(CronError) as caught:
        parse(cron)
    assert caught.value.part == part
    assert caught.value.field == "cron"
    assert caught.value.code == "cron_invalid"
    assert reason in caught.value.message
    if part:
        assert f"in its {part}:" in caught.value.message


@settings(max_examples=500, deadline=None)
@given(cron=st.text(alphabet="0123456789*/,-?#LWhrj@ monfridec\t", max_size=40))
def test_any_text_is_read_or_refused_as_a_cron_expression(cron: str) -> None:
    parsed = parsed_or_none(cron)
    assert parsed is None or next_match(parsed, 0) is not None


def test_wrong_schedules_name_their_field() -> None:
    after = utc("2026-01-01T00:00")
    for interval, cron, zone, field in [
        ("q", None, "UTC", "interval"),
        ("c", None, "UTC", "cron"),
        ("c", "  ", "UTC", "cron"),
        ("h", None, "Europe/Praha", "time_zone"),
        ("n", None, "../etc/passwd", "time_zone"),
        ("n", None, "Europe", "time_zone"),
        ("n", None, "localtime", "time_zone"),
    ]:
        with pytest.raises(ValidationError) as caught:
            schedule.next_due(interval, cron, zone, after)
        assert caught.value.field == field


def test_a_moment_without_a_time_zone_is_a_fault_of_the_program() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        schedule.next_due("h", None, "UTC", datetime(2026, 1, 1))


@given(st.sampled_from(ZONES), moments)
def test_offsets_are_those_of_the_time_zone_database(zone: str, moment: datetime) -> None:
    expected = moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert expected is not None
    assert zones.offset(zone, int(moment.timestamp())) == expected.total_seconds()


def test_words_of_intervals_are_understood() -> None:
    words = ["Hourly", "minutly", "@daily", "custom", "Manually", "w", "yearly", "monthly"]
    assert [schedule.interval_code(word) for word in words] == ["h", "i", "d", "c", "n", "w", "y", "m"]
