"""Reading the environment: defaults, lists, and what is told of wrong values."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.probe.network import Endpoint, parse_endpoint
from integrations.probe.results import State, Thresholds
from integrations.probe.settings import CHECKS, ProcessRule, SettingsError, read_settings
from integrations.probe.texts import Catalogue


class Recording(dict):
    """An environment that remembers what it was asked for."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def get(self, name, default=None):
        self.names.add(name)
        return default


def variables():
    recording = Recording()
    read_settings(recording)
    return sorted(recording.names)


def problems(**environment):
    with pytest.raises(SettingsError) as caught:
        read_settings(environment)
    return [Catalogue("en").render(problem) for problem in caught.value.problems]


def test_an_empty_environment_checks_everything_against_the_documented_thresholds():
    settings = read_settings({})
    assert settings.checks == CHECKS
    assert settings.disk == Thresholds(80, 95)
    assert settings.certificate == Thresholds(30, 7, falling=True)
    assert settings.time_unsynchronised is State.WARNING
    assert settings.timeout == 10
    assert settings.result_file == ""
    assert not settings.checks_named


def test_an_empty_variable_is_as_good_as_none():
    assert read_settings(dict.fromkeys(variables(), " ")) == read_settings({})


def test_values_are_read():
    settings = read_settings(
        {
            "PROBE_CHECKS": "Load, disk",
            "PROBE_DISK_PATHS": "/, /srv/with space\n/home,/",
            "PROBE_DISK_WARNING_PERCENT": "12.5",
            "PROBE_SERVICES": "cron ssh.service,getty@tty1",
            "PROBE_PROCESSES": "cron, nginx:2,backup:0-1",
            "PROBE_CERTIFICATES": "example.com,smtp://mail.example.com,[::1]:8443",
            "PROBE_TIME_SERVER": "ntp.example.com",
            "PROBE_TIME_UNSYNCHRONISED": "ignore",
            "PROBE_LOAD_MINUTES": "15",
            "PROBE_CERTIFICATE_VERIFY": "No",
            "APP_DEBUG": "True",
            "FORCE_EXITCODE": "3",
            "PROBE_SLEEP": "0.5",
        }
    )
    assert settings.checks == ("disk", "load")
    assert settings.checks_named
    assert settings.disk_paths == ("/", "/srv/with space", "/home")
    assert settings.disk == Thresholds(12.5, 95)
    assert settings.services == ("cron", "ssh.service", "getty@tty1")
    assert settings.processes == (
        ProcessRule("cron", 1, None),
        ProcessRule("nginx", 2, None),
        ProcessRule("backup", 0, 1),
    )
    assert [endpoint.label for endpoint in settings.certificates] == [
        "example.com:443",
        "smtp://mail.example.com:25",
        "[::1]:8443",
    ]
    assert settings.time_server == Endpoint("ntp.example.com", 123, "ntp", "ntp.example.com:123")
    assert settings.time_unsynchronised is State.OK
    assert settings.load_minutes == 15
    assert settings.debug
    assert not settings.certificate_verify
    assert (settings.force_exitcode, settings.sleep) == (3, 0.5)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PROBE_CHECKS", "disc", "one of: disk, inodes"),
        ("PROBE_DISK_WARNING_PERCENT", "eighty", "a number from 0 to 100"),
        ("PROBE_DISK_WARNING_PERCENT", "80%", "a number from 0 to 100"),
        ("PROBE_MEMORY_FAILURE_PERCENT", "101", "a number from 0 to 100"),
        ("PROBE_SWAP_FAILURE_PERCENT", "-1", "a number from 0 to 100"),
        ("PROBE_INODES_WARNING_PERCENT", "nan", "a number from 0 to 100"),
        ("PROBE_LOAD_FAILURE_PER_CORE", "inf", "a number from 0 to 1000"),
        ("PROBE_LOAD_MINUTES", "2", "one of: 1, 5, 15"),
        ("PROBE_TIME_WARNING_SECONDS", "0,5", "a number from 0 to 1e+09"),
        ("PROBE_TIME_SERVER", "ntp://", "[protocol://]host[:port], protocols: ntp"),
        ("PROBE_TIME_SERVER", "a, b", "one server"),
        ("PROBE_TIME_UNSYNCHRONISED", "maybe", "one of: ignore, warning, failure"),
        ("PROBE_SERVICES", "cron;reboot", "names of systemd units"),
        ("PROBE_SERVICES", "--now", "names of systemd units"),
        ("PROBE_PROCESSES", "nginx:many", "name, name:minimum or name:minimum-maximum"),
        ("PROBE_PROCESSES", "nginx:3-2", "a maximum that is not below the minimum"),
        ("PROBE_CERTIFICATES", "example.com:0", "[protocol://]host[:port], protocols: tls, https"),
        ("PROBE_CERTIFICATES", "gopher://example.com", "[protocol://]host[:port], protocols: tls, https"),
        ("PROBE_CERTIFICATE_VERIFY", "perhaps", "true or false"),
        ("PROBE_CERTIFICATE_WARNING_DAYS", "a month", "a number from 0 to 36500"),
        ("PROBE_TIMEOUT", "0", "a number from 0.1 to 600"),
        ("APP_DEBUG", "2", "true or false"),
        ("FORCE_EXITCODE", "256", "a whole number from 0 to 255"),
        ("PROBE_SLEEP", "1e3", "a number from 0 to 86400"),
    ],
)
def test_a_wrong_value_is_told_with_variable_value_and_expectation(name, value, expected):
    (problem,) = problems(**{name: value})
    assert problem.startswith(f"{name}='{value}': expected {expected}")


@pytest.mark.parametrize(
    "name",
    ["PROBE_DISK_{}_PERCENT", "PROBE_MEMORY_{}_PERCENT", "PROBE_LOAD_{}_PER_CORE", "PROBE_TIME_{}_SECONDS"],
)
def test_a_failure_threshold_below_the_warning_threshold_is_told(name):
    warning, failure = name.format("WARNING"), name.format("FAILURE")
    assert problems(**{warning: "60", failure: "59"}) == [
        f"{failure}=59 is below {warning}=60: expected at least as much"
    ]
    read_settings({warning: "60", failure: "60"})


def test_days_left_run_the_other_way():
    assert problems(PROBE_CERTIFICATE_WARNING_DAYS="5") == [
        "PROBE_CERTIFICATE_FAILURE_DAYS=7 is above PROBE_CERTIFICATE_WARNING_DAYS=5: expected at most as much"
    ]


def test_everything_wrong_is_told_at_once():
    told = problems(PROBE_SLEEP="x", PROBE_CHECKS="a,b", PROBE_DISK_WARNING_PERCENT="y")
    assert [re.split(r"\W", problem)[0] for problem in told] == [
        "PROBE_CHECKS",
        "PROBE_CHECKS",
        "PROBE_DISK_WARNING_PERCENT",
        "PROBE_SLEEP",
    ]


@given(st.sampled_from(variables()), st.text(max_size=30))
def test_no_value_of_any_variable_does_worse_than_a_settings_error(name, value):
    told = []
    try:
        read_settings({name: value})
    except SettingsError as error:
        told = [Catalogue("cs").render(problem) for problem in error.problems]
    assert all(name in problem for problem in told)


@pytest.mark.parametrize("value", ["", ":", "host:", "host:port", "host:65536", "a b", "::1", "user@host", "x://host"])
def test_what_is_not_an_endpoint(value):
    assert parse_endpoint(value, {"tls": 443}, "tls") is None
