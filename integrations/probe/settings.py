"""Settings of the probe, read from its environment; everything that is wrong with them is told at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from integrations.probe.network import Endpoint, parse_endpoint
from integrations.probe.results import State, Thresholds
from integrations.probe.starttls import PROTOCOLS
from integrations.probe.texts import Text, text

CHECKS = ("disk", "inodes", "memory", "swap", "load", "time", "services", "processes", "certificates")
"""Names of the checks, in the order in which they are planned."""

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_UNSYNCHRONISED = {"ignore": State.OK, "warning": State.WARNING, "failure": State.FAILURE}
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")
_PROCESS = re.compile(r"(?P<name>[^:]+?)(?::(?P<minimum>[0-9]{1,6})(?:-(?P<maximum>[0-9]{1,6}))?)?")
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*")
_SNTP = {"ntp": 123}
_ENDPOINT_FORM = "[protocol://]host[:port]"


@dataclass(frozen=True, slots=True)
class ProcessRule:
    """How many processes of a name are to run; no upper bound if ``maximum`` is None."""

    name: str
    minimum: int
    maximum: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to check and against what; percentages from 0 to 100, times in seconds.

    Attributes
    ----------
    checks : tuple of str
        Chosen checks (``PROBE_CHECKS``).
    checks_named : bool
        Whether the user named them, so that one with nothing to do is worth telling.
    disk_paths : tuple of str
        Paths whose file systems are checked (``PROBE_DISK_PATHS``); empty for all local ones.
    disk, inodes, memory, swap : Thresholds
        In percent used.
    load : Thresholds
        In load per core.
    load_minutes : int
        Which load average counts: 1, 5 or 15.
    time : Thresholds
        In seconds of the clock's error.
    time_unsynchronised : State
        Verdict on a clock that nothing keeps right.
    time_server : Endpoint or None
        Server to compare the clock with.
    services : tuple of str
        Units of systemd.
    processes : tuple of ProcessRule
        Processes and how many of each.
    certificates : tuple of Endpoint
        Endpoints whose certificates are checked.
    certificate : Thresholds
        In days left, falling.
    certificate_verify : bool
        Whether trust and name of certificates count.
    certificate_ca_file : Path or None
        Further trusted authorities.
    timeout : float
        Seconds after which checks that have not finished count as failed.
    result_file : str
        Where to write the report; empty for nowhere.
    debug : bool
        Whether to tell details on stderr.
    force_exitcode : int
        Exit code to end with whatever was found; 0 for the real one.
    sleep : float
        Seconds to wait before the end.
    """

    checks: tuple[str, ...]
    checks_named: bool
    disk_paths: tuple[str, ...]
    disk: Thresholds
    inodes: Thresholds
    memory: Thresholds
    swap: Thresholds
    load: Thresholds
    load_minutes: int
    time: Thresholds
    time_unsynchronised: State
    time_server: Endpoint | None
    services: tuple[str, ...]
    processes: tuple[ProcessRule, ...]
    certificates: tuple[Endpoint, ...]
    certificate: Thresholds
    certificate_verify: bool
    certificate_ca_file: Path | None
    timeout: float
    result_file: str
    debug: bool
    force_exitcode: int
    sleep: float


class SettingsError(ValueError):
    """Something is wrong with the settings.

    Attributes
    ----------
    problems : tuple of Text
        Each names the variable, its value and what was expected.
    """

    def __init__(self, problems: Sequence[Text]) -> None:
        super().__init__("invalid settings")
        self.problems = tuple(problems)


def invalid(name: str, value: str, expected: Text) -> Text:
    """Return for people that a variable has a value it must not have."""
    return text("{name}='{value}': expected {expected}", name=name, value=value, expected=expected)


class _Reader:
    """Reads variables and collects what is wrong with them; an unset or empty variable has its default."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[Text] = []

    def string(self, name: str) -> str:
        return self._environment.get(name, "").strip()

    def reject(self, name: str, expected: Text, value: str | None = None) -> None:
        self.problems.append(invalid(name, self.string(name) if value is None else value, expected))

    def number(self, name: str, default: float, low: float, high: float) -> float:
        value = self.string(name)
        if not value:
            return default
        number = float(value) if _NUMBER.fullmatch(value) else math.nan
        if not low <= number <= high:
            self.reject(name, text("a number from {low:g} to {high:g}", low=low, high=high))
            return default
        return number

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.string(name)
        if not value:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
            self.reject(name, text("a whole number from {low} to {high}", low=low, high=high))
            return default
        return int(value)

    def boolean(self, name: str, default: bool) -> bool:
        value = self.string(name).lower()
        if not value:
            return default
        if value not in _TRUE | _FALSE:
            self.reject(name, text("true or false"))
            return default
        return value in _TRUE

    def choice(self, name: str, default: str, options: Sequence[str]) -> str:
        value = self.string(name).lower()
        if not value:
            return default
        if value not in options:
            self.reject(name, text("one of: {options}", options=", ".join(options)))
            return default
        return value

    def words(self, name: str) -> tuple[str, ...]:
        """Return the parts of a list, separated by commas or line ends; each once."""
        parts = (part.strip() for part in re.split(r"[,\n]", self.string(name)))
        return tuple(dict.fromkeys(part for part in parts if part))

    def thresholds(self, name: str, unit: str, default: Thresholds, high: float) -> Thresholds:
        """Read ``{name}_WARNING_{unit}`` and ``{name}_FAILURE_{unit}``."""
        names = f"{name}_WARNING_{unit}", f"{name}_FAILURE_{unit}"
        before = len(self.problems)
        found = Thresholds(
            self.number(names[0], default.warning, 0, high),
            self.number(names[1], default.failure, 0, high),
            default.falling,
        )
        if len(self.problems) == before and not found.consistent:
            template = "{failure_name}={failure:g} is below {warning_name}={warning:g}: expected at least as much"
            if found.falling:
                template = "{failure_name}={failure:g} is above {warning_name}={warning:g}: expected at most as much"
            self.problems.append(
                text(
                    template,
                    failure_name=names[1],
                    failure=found.failure,
                    warning_name=names[0],
                    warning=found.warning,
                )
            )
        return found

    def endpoints(self, name: str, protocols: Mapping[str, int], default: str) -> tuple[Endpoint, ...]:
        found = []
        for word in self.words(name):
            endpoint = parse_endpoint(word, protocols, default)
            if endpoint is None:
                options = ", ".join(protocols)
                self.reject(name, text("{form}, protocols: {options}", form=_ENDPOINT_FORM, options=options), word)
            else:
                found.append(endpoint)
        return tuple(dict.fromkeys(found))

    def processes(self, name: str) -> tuple[ProcessRule, ...]:
        found = []
        for word in self.words(name):
            match = _PROCESS.fullmatch(word)
            if match is None:
                self.reject(name, text("name, name:minimum or name:minimum-maximum"), word)
                continue
            minimum = int(match["minimum"]) if match["minimum"] else 1
            maximum = int(match["maximum"]) if match["maximum"] else None
            if maximum is not None and maximum < minimum:
                self.reject(name, text("a maximum that is not below the minimum"), word)
            found.append(ProcessRule(match["name"].strip(), minimum, maximum))
        return tuple(found)

    def units(self, name: str) -> tuple[str, ...]:
        units = tuple(unit for word in self.words(name) for unit in word.split())
        for unit in units:
            if not _UNIT.fullmatch(unit):
                self.reject(name, text("names of systemd units"), unit)
        return units

    def checks(self, name: str) -> tuple[str, ...]:
        chosen = tuple(part.lower() for word in self.words(name) for part in word.split())
        for check in chosen:
            if check not in CHECKS:
                self.reject(name, text("one of: {options}", options=", ".join(CHECKS)), check)
        return tuple(check for check in CHECKS if check in chosen) if chosen else CHECKS


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings in an environment.

    Raises
    ------
    SettingsError
        With everything that is wrong.
    """
    reader = _Reader(environment)
    servers = reader.endpoints("PROBE_TIME_SERVER", _SNTP, "ntp")
    if len(servers) > 1:
        reader.reject("PROBE_TIME_SERVER", text("one server"))
    ca_file = reader.string("PROBE_CERTIFICATE_CA_FILE")
    settings = Settings(
        checks=reader.checks("PROBE_CHECKS"),
        checks_named=bool(reader.words("PROBE_CHECKS")),
        disk_paths=reader.words("PROBE_DISK_PATHS"),
        disk=reader.thresholds("PROBE_DISK", "PERCENT", Thresholds(80, 95), 100),
        inodes=reader.thresholds("PROBE_INODES", "PERCENT", Thresholds(80, 95), 100),
        memory=reader.thresholds("PROBE_MEMORY", "PERCENT", Thresholds(90, 97), 100),
        swap=reader.thresholds("PROBE_SWAP", "PERCENT", Thresholds(80, 95), 100),
        load=reader.thresholds("PROBE_LOAD", "PER_CORE", Thresholds(2, 5), 1000),
        load_minutes=int(reader.choice("PROBE_LOAD_MINUTES", "5", ("1", "5", "15"))),
        time=reader.thresholds("PROBE_TIME", "SECONDS", Thresholds(0.5, 5), 1e9),
        time_unsynchronised=_UNSYNCHRONISED[
            reader.choice("PROBE_TIME_UNSYNCHRONISED", "warning", tuple(_UNSYNCHRONISED))
        ],
        time_server=servers[0] if servers else None,
        services=reader.units("PROBE_SERVICES"),
        processes=reader.processes("PROBE_PROCESSES"),
        certificates=reader.endpoints("PROBE_CERTIFICATES", PROTOCOLS, "tls"),
        certificate=reader.thresholds("PROBE_CERTIFICATE", "DAYS", Thresholds(30, 7, falling=True), 36500),
        certificate_verify=reader.boolean("PROBE_CERTIFICATE_VERIFY", default=True),
        certificate_ca_file=Path(ca_file) if ca_file else None,
        timeout=reader.number("PROBE_TIMEOUT", 10, 0.1, 600),
        result_file=reader.string("RESULT_FILE"),
        debug=reader.boolean("APP_DEBUG", default=False),
        force_exitcode=reader.integer("FORCE_EXITCODE", 0, 0, 255),
        sleep=reader.number("PROBE_SLEEP", 0, 0, 86400),
    )
    if reader.problems:
        raise SettingsError(reader.problems)
    return settings
