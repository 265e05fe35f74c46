"""Units of systemd, asked of a systemctl that answers in the form of the real one (systemctl(1))."""

import time

import pytest

from integrations.probe.systemd import SystemdUnavailableError, UnitReading, parse_units, read_units
from integrations.probe.texts import Catalogue


@pytest.fixture
def systemctl(tmp_path, monkeypatch):
    """Put a systemctl on the path that runs a script."""

    def install(script):
        program = tmp_path / "systemctl"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    return install


def soon():
    return time.monotonic() + 5


def test_states_come_in_the_order_asked_for(systemctl, tmp_path):
    systemctl(
        'echo "$@" >&2\n'
        f'echo "$@" > {tmp_path}/asked\n'
        'printf "LoadState=loaded\\nActiveState=active\\nSubState=running\\n\\n"\n'
        'printf "LoadState=not-found\\nActiveState=inactive\\nSubState=dead\\n"\n'
    )
    assert read_units(["cron", "nothing"], soon(), booted=tmp_path) == [
        UnitReading("loaded", "active", "running"),
        UnitReading("not-found", "inactive", "dead"),
    ]
    assert (tmp_path / "asked").read_text() == "show --property=LoadState,ActiveState,SubState -- cron nothing\n"


def test_properties_may_come_in_any_order():
    assert parse_units("SubState=exited\nActiveState=active\nLoadState=loaded\n") == [
        UnitReading("loaded", "active", "exited")
    ]


def reason(*arguments, **options):
    with pytest.raises(SystemdUnavailableError) as caught:
        read_units(*arguments, **options)
    return Catalogue("en").render(caught.value.text)


def test_without_systemd_the_states_are_unknown(systemctl, tmp_path):
    systemctl("exit 0\n")
    assert reason(["cron"], soon(), booted=tmp_path / "nothing") == "unknown: systemd does not run here"


def test_without_systemctl_the_states_are_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert reason(["cron"], soon(), booted=tmp_path) == "unknown: systemd does not run here"


def test_a_systemctl_that_fails_is_told_with_its_words(systemctl, tmp_path):
    systemctl('echo "Failed to connect to bus: Host is down" >&2\nexit 1\n')
    assert reason(["cron"], soon(), booted=tmp_path) == ("unknown: systemctl: Failed to connect to bus: Host is down")


def test_a_systemctl_that_hangs_is_not_waited_for(systemctl, tmp_path):
    systemctl("exec tail -f /dev/null\n")
    begun = time.monotonic()
    assert reason(["cron"], begun + 0.2, booted=tmp_path) == "unknown: systemctl does not answer in time"
    assert time.monotonic() - begun < 5


def test_an_answer_about_fewer_units_than_asked_for_is_not_believed(systemctl, tmp_path):
    systemctl('printf "LoadState=loaded\\nActiveState=active\\nSubState=running\\n"\n')
    assert reason(["cron", "ssh"], soon(), booted=tmp_path) == "unknown: systemctl: 1 / 2"
