"""What is to be checked: one step for each thing that may take its own time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from integrations.probe import evaluation
from integrations.probe.results import Result, State
from integrations.probe.settings import Settings, SettingsError, invalid
from integrations.probe.texts import text

_CONFIGURED_BY = {
    "services": "PROBE_SERVICES",
    "processes": "PROBE_PROCESSES",
    "certificates": "PROBE_CERTIFICATES",
}
"""Checks that have nothing to do until a variable names something."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the plan.

    Attributes
    ----------
    check : str
        Name of the check.
    subjects : tuple of str
        What it looks at; it gives one result for each.
    take : callable
        Takes the deadline (a moment of `time.monotonic`) and returns the results.
    """

    check: str
    subjects: tuple[str, ...]
    take: Callable[[float], list[Result]]


def make_plan(settings: Settings) -> list[Step]:
    """Return the steps that the settings ask for.

    Raises
    ------
    SettingsError
        The file of authorities cannot be used.
    """
    makers: dict[str, Callable[[Settings], list[Step]]] = {
        "disk": _plan_disk,
        "inodes": _plan_inodes,
        "memory": _plan_memory,
        "swap": _plan_swap,
        "load": _plan_load,
        "time": _plan_time,
        "services": _plan_services,
        "processes": _plan_processes,
        "certificates": _plan_certificates,
    }
    steps = []
    for check in settings.checks:
        planned = makers[check](settings)
        if not planned and settings.checks_named:
            planned = [_nothing_to_do(check)]
        steps += planned
    return steps


def _nothing_to_do(check: str) -> Step:
    value = text("{variable} names nothing", variable=_CONFIGURED_BY[check])
    return Step(check, ("",), lambda _deadline: [Result(check, "", State.SKIPPED, value)])


def _paths(settings: Settings) -> tuple[str, ...]:
    if settings.disk_paths:
        return settings.disk_paths
    from integrations.probe import host  # noqa: PLC0415 - readers are loaded when their check is chosen

    return tuple(host.local_mounts())


def _unreadable(check: str, path: str, error: OSError) -> Result:
    reason = error.strerror or str(error)
    return Result(check, path, State.FAILURE, text("cannot be read: {reason}", reason=reason))


def _plan_disk(settings: Settings) -> list[Step]:
    from integrations.probe import host  # noqa: PLC0415

    def take(path: str, _deadline: float) -> list[Result]:
        try:
            return [evaluation.evaluate_disk(path, host.read_disk(path), settings.disk)]
        except OSError as error:
            return [_unreadable("disk", path, error)]

    return [Step("disk", (path,), partial(take, path)) for path in _paths(settings)]


def _plan_inodes(settings: Settings) -> list[Step]:
    from integrations.probe import host  # noqa: PLC0415

    def take(path: str, _deadline: float) -> list[Result]:
        try:
            return [evaluation.evaluate_inodes(path, host.read_inodes(path), settings.inodes)]
        except OSError as error:
            return [_unreadable("inodes", path, error)]

    return [Step("inodes", (path,), partial(take, path)) for path in _paths(settings)]


def _plan_memory(settings: Settings) -> list[Step]:
    from integrations.probe import host  # noqa: PLC0415

    return [Step("memory", ("",), lambda _: [evaluation.evaluate_memory(host.read_memory(), settings.memory)])]


def _plan_swap(settings: Settings) -> list[Step]:
    from integrations.probe import host  # noqa: PLC0415

    return [Step("swap", ("",), lambda _: [evaluation.evaluate_swap(host.read_swap(), settings.swap)])]


def _plan_load(settings: Settings) -> list[Step]:
    from integrations.probe import host  # noqa: PLC0415

    def take(_deadline: float) -> list[Result]:
        return [evaluation.evaluate_load(host.read_load(), settings.load_minutes, settings.load)]

    return [Step("load", ("",), take)]


def _plan_time(settings: Settings) -> list[Step]:
    from integrations.probe import clock  # noqa: PLC0415
    from integrations.probe.network import NetworkError  # noqa: PLC0415

    def take_clock(deadline: float) -> list[Result]:
        try:
            reading = clock.read_clock(deadline)
        except clock.ClockUnreadableError as error:
            return [Result("time", "", State.SKIPPED, text("not available: {reason}", reason=str(error)))]
        return [evaluation.evaluate_clock(reading, settings.time_unsynchronised, settings.time)]

    steps = [Step("time", ("",), take_clock)]
    if (server := settings.time_server) is not None:

        def take_server(deadline: float) -> list[Result]:
            try:
                reading = clock.ask_time_server(server, deadline)
            except NetworkError as error:
                return [Result("time", server.label, State.WARNING, error.text)]
            return [evaluation.evaluate_offset(server.label, reading, settings.time)]

        steps.append(Step("time", (server.label,), take_server))
    return steps


def _plan_services(settings: Settings) -> list[Step]:
    if not settings.services:
        return []
    from integrations.probe import systemd  # noqa: PLC0415

    def take(deadline: float) -> list[Result]:
        try:
            readings = systemd.read_units(settings.services, deadline)
        except systemd.SystemdUnavailableError as error:
            return [Result("services", unit, State.SKIPPED, error.text) for unit in settings.services]
        return [
            evaluation.evaluate_unit(unit, reading) for unit, reading in zip(settings.services, readings, strict=True)
        ]

    return [Step("services", settings.services, take)]


def _plan_processes(settings: Settings) -> list[Step]:
    if not settings.processes:
        return []
    from integrations.probe import host  # noqa: PLC0415

    def take(_deadline: float) -> list[Result]:
        running = host.read_processes()
        return [
            evaluation.evaluate_process(rule, host.count_processes(rule.name, running)) for rule in settings.processes
        ]

    return [Step("processes", tuple(rule.name for rule in settings.processes), take)]


def _plan_certificates(settings: Settings) -> list[Step]:
    if not settings.certificates:
        return []
    from integrations.probe import certificates  # noqa: PLC0415
    from integrations.probe.network import Endpoint, NetworkError  # noqa: PLC0415

    certificates.load_parser()
    try:
        contexts = certificates.make_contexts(verify=settings.certificate_verify, ca_file=settings.certificate_ca_file)
    except OSError as error:
        expected = text("a PEM file of certificates ({reason})", reason=error.strerror or str(error))
        raise SettingsError(
            [invalid("PROBE_CERTIFICATE_CA_FILE", str(settings.certificate_ca_file), expected)]
        ) from error

    def take(endpoint: Endpoint, deadline: float) -> list[Result]:
        try:
            reading = certificates.read_certificate(endpoint, contexts, deadline)
        except NetworkError as error:
            return [Result("certificates", endpoint.label, State.FAILURE, error.text)]
        now, verify = datetime.now(tz=UTC), settings.certificate_verify
        return [evaluation.evaluate_certificate(endpoint.label, reading, settings.certificate, now, verify=verify)]

    return [Step("certificates", (endpoint.label,), partial(take, endpoint)) for endpoint in settings.certificates]
