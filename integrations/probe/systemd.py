"""Readings of systemd's units (systemctl(1), command ``show``)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from integrations.probe.network import remaining
from integrations.probe.texts import Text, text

BOOTED = Path("/run/systemd/system")
"""This folder exists if and only if systemd is the running init system (sd_booted(3))."""

_PROPERTIES = ("LoadState", "ActiveState", "SubState")


@dataclass(frozen=True, slots=True)
class UnitReading:
    """States of a unit in systemd's words, e.g. ``loaded``, ``active``, ``running``."""

    load: str
    active: str
    sub: str


class SystemdUnavailableError(Exception):
    """No systemd runs here, or it does not answer.

    Attributes
    ----------
    text : Text
        Why the states of units are unknown, for people.
    """

    def __init__(self, reason: Text) -> None:
        super().__init__(reason.template)
        self.text = reason


def read_units(units: Sequence[str], deadline: float, booted: Path = BOOTED) -> list[UnitReading]:
    """Return the states of units, in the order asked for.

    Parameters
    ----------
    units : sequence of str
        Names of units; one without a suffix is a service.
    deadline : float
        Moment of `time.monotonic` until which to wait.
    booted : Path
        Folder that tells that systemd runs.

    Raises
    ------
    SystemdUnavailableError
        systemd does not run or does not answer in time.
    """
    systemctl = shutil.which("systemctl")
    if systemctl is None or not booted.is_dir():
        raise SystemdUnavailableError(text("unknown: systemd does not run here"))
    command = [systemctl, "show", f"--property={','.join(_PROPERTIES)}", "--", *units]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            timeout=remaining(deadline),
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip() or f"exit code {error.returncode}"
        raise SystemdUnavailableError(text("unknown: systemctl: {reason}", reason=reason)) from error
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        raise SystemdUnavailableError(text("unknown: systemctl does not answer in time")) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise SystemdUnavailableError(text("unknown: systemctl: {reason}", reason=reason)) from error
    readings = parse_units(done.stdout)
    if len(readings) != len(units):
        reason = f"{len(readings)} / {len(units)}"
        raise SystemdUnavailableError(text("unknown: systemctl: {reason}", reason=reason))
    return readings


def parse_units(printed: str) -> list[UnitReading]:
    """Return the readings in what ``systemctl show`` printed: one paragraph of ``name=value`` lines for each unit."""
    readings = []
    for paragraph in printed.strip().split("\n\n"):
        properties = dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line)
        readings.append(UnitReading(*(properties.get(name, "") for name in _PROPERTIES)))
    return readings
