"""Judges readings against thresholds; takes readings and the time as arguments, so it is the same everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from integrations.probe.results import Result, State, Thresholds
from integrations.probe.texts import Size, Text, text

if TYPE_CHECKING:  # the readers' libraries are loaded only by those who read
    from integrations.probe.certificates import CertificateReading
    from integrations.probe.clock import ClockReading, SntpReading
    from integrations.probe.host import DiskReading, InodeReading, LoadReading, MemoryReading
    from integrations.probe.settings import ProcessRule
    from integrations.probe.systemd import UnitReading

_SECONDS_A_DAY = 86400
LOAD_MINUTES = (1, 5, 15)
"""Spans of the load averages (getloadavg(3))."""

_UNIT_STATES = {
    "active": State.OK,
    "reloading": State.WARNING,
    "activating": State.WARNING,
    "maintenance": State.WARNING,
}
"""Verdict on a unit's ``ActiveState``; all others are failures."""


def percent_bounds(thresholds: Thresholds) -> Text:
    """Return thresholds in percent, for people."""
    return text("warning {warning:g}%, failure {failure:g}%", warning=thresholds.warning, failure=thresholds.failure)


def second_bounds(thresholds: Thresholds) -> Text:
    """Return thresholds in seconds, for people."""
    return text("warning {warning:g} s, failure {failure:g} s", warning=thresholds.warning, failure=thresholds.failure)


def used_percent(used: int, free: int) -> float:
    """Return how much of what can be used is used, in percent; 100 where there is nothing.

    As df(1) has it: what only the superuser may still write counts neither as used nor as free.
    """
    if used + free <= 0:
        return 100.0
    return min(100.0 * used / (used + free), 100.0)  # rounding may exceed 100 by the last bit


def evaluate_disk(path: str, reading: DiskReading, thresholds: Thresholds) -> Result:
    """Judge the space of a file system."""
    percent = used_percent(reading.used, reading.free)
    return Result(
        "disk",
        path,
        thresholds.state_of(percent),
        text(
            "{used:.1f}% of {total} used, {free} free", used=percent, total=Size(reading.total), free=Size(reading.free)
        ),
        percent_bounds(thresholds),
        {
            f"disk.{path}.used_percent": round(percent, 2),
            f"disk.{path}.used_bytes": reading.used,
            f"disk.{path}.free_bytes": reading.free,
            f"disk.{path}.total_bytes": reading.total,
        },
    )


def evaluate_inodes(path: str, reading: InodeReading, thresholds: Thresholds) -> Result:
    """Judge the inodes of a file system; skipped where it has no fixed number of them."""
    if reading.total == 0:
        return Result("inodes", path, State.SKIPPED, text("this file system does not count inodes"))
    percent = used_percent(reading.total - reading.free, reading.free)
    return Result(
        "inodes",
        path,
        thresholds.state_of(percent),
        text("{used:.1f}% of {total} used", used=percent, total=reading.total),
        percent_bounds(thresholds),
        {f"inodes.{path}.used_percent": round(percent, 2), f"inodes.{path}.free": reading.free},
    )


def evaluate_memory(reading: MemoryReading, thresholds: Thresholds) -> Result:
    """Judge the memory: used is what is not available."""
    return _evaluate_memory("memory", reading, thresholds)


def evaluate_swap(reading: MemoryReading, thresholds: Thresholds) -> Result:
    """Judge the swap space; skipped where there is none."""
    if reading.total == 0:
        return Result("swap", "", State.SKIPPED, text("no swap space"))
    return _evaluate_memory("swap", reading, thresholds)


def _evaluate_memory(check: str, reading: MemoryReading, thresholds: Thresholds) -> Result:
    percent = used_percent(reading.total - reading.available, reading.available)
    total, available = Size(reading.total), Size(reading.available)
    return Result(
        check,
        "",
        thresholds.state_of(percent),
        text("{used:.1f}% of {total} used, {available} available", used=percent, total=total, available=available),
        percent_bounds(thresholds),
        {
            f"{check}.used_percent": round(percent, 2),
            f"{check}.available_bytes": reading.available,
            f"{check}.total_bytes": reading.total,
        },
    )


def evaluate_load(reading: LoadReading, minutes: int, thresholds: Thresholds) -> Result:
    """Judge the load average over some minutes, divided by the number of cores."""
    per_core = {span: average / reading.cores for span, average in zip(LOAD_MINUTES, reading.averages, strict=True)}
    metrics = {f"load.{span}m_per_core": round(value, 3) for span, value in per_core.items()}
    return Result(
        "load",
        "",
        thresholds.state_of(per_core[minutes]),
        text(
            "{load:.2f} per core over {minutes} min ({cores} cores)",
            load=per_core[minutes],
            minutes=minutes,
            cores=reading.cores,
        ),
        text("warning {warning:g}, failure {failure:g}", warning=thresholds.warning, failure=thresholds.failure),
        {**metrics, "load.cores": reading.cores},
    )


def evaluate_clock(reading: ClockReading, unsynchronised: State, thresholds: Thresholds) -> Result:
    """Judge the clock's synchronisation.

    Parameters
    ----------
    reading : ClockReading
        What the system says.
    unsynchronised : State
        Verdict on a clock that nothing keeps right.
    thresholds : Thresholds
        Of the estimated error, in seconds.
    """
    metrics = {"time.synchronised": float(reading.synchronised)}
    if not reading.synchronised:
        value = text("not synchronised ({source})", source=reading.source)
        expected = text("expected synchronised") if unsynchronised > State.OK else None
        return Result("time", "", unsynchronised, value, expected, metrics)
    return Result(
        "time",
        "",
        thresholds.state_of(reading.estimated_error),
        text(
            "synchronised ({source}), error about {error:.3f} s", source=reading.source, error=reading.estimated_error
        ),
        second_bounds(thresholds),
        {
            **metrics,
            "time.estimated_error_seconds": reading.estimated_error,
            "time.maximum_error_seconds": reading.maximum_error,
        },
    )


def evaluate_offset(server: str, reading: SntpReading, thresholds: Thresholds) -> Result:
    """Judge how far the clock is from a time server's, whichever way."""
    return Result(
        "time",
        server,
        thresholds.state_of(abs(reading.offset)),
        text("off by {offset:+.3f} s, round trip {delay:.3f} s", offset=reading.offset, delay=reading.delay),
        second_bounds(thresholds),
        {
            f"time.{server}.offset_seconds": round(reading.offset, 6),
            f"time.{server}.delay_seconds": round(reading.delay, 6),
            f"time.{server}.stratum": reading.stratum,
        },
    )


def evaluate_unit(unit: str, reading: UnitReading) -> Result:
    """Judge a unit of systemd by its state."""
    expected = text("expected active")
    metrics = {f"service.{unit}.active": float(reading.active == "active")}
    if reading.load == "not-found":
        return Result("services", unit, State.FAILURE, text("there is no such unit"), expected, metrics)
    state = _UNIT_STATES.get(reading.active, State.FAILURE)
    value = text("{active} ({sub})", active=reading.active or "?", sub=reading.sub or "?")
    return Result("services", unit, state, value, expected, metrics)


def evaluate_process(rule: ProcessRule, count: int) -> Result:
    """Judge how many processes of a name run: too few are a failure, too many a warning."""
    state = State.OK
    if count < rule.minimum:
        state = State.FAILURE
    elif rule.maximum is not None and count > rule.maximum:
        state = State.WARNING
    expected = text("expected at least {minimum}", minimum=rule.minimum)
    if rule.maximum is not None:
        expected = text("expected {minimum} to {maximum}", minimum=rule.minimum, maximum=rule.maximum)
    value = text("running: {count}", count=count)
    return Result("processes", rule.name, state, value, expected, {f"process.{rule.name}.count": count})


def evaluate_certificate(
    label: str, reading: CertificateReading, thresholds: Thresholds, now: datetime, *, verify: bool
) -> Result:
    """Judge an endpoint's certificate.

    Parameters
    ----------
    label : str
        The endpoint.
    reading : CertificateReading
        What it showed.
    thresholds : Thresholds
        Of the days left, falling.
    now : datetime
        The time, with zone.
    verify : bool
        Whether trust and name count.
    """
    days = (reading.not_after - now).total_seconds() / _SECONDS_A_DAY
    problems = _certificate_problems(label, reading, now, verify=verify)
    until = reading.not_after.astimezone(UTC).date().isoformat()
    value = text("{problems} (valid until {until})", problems=tuple(problems), until=until)
    if not problems:
        value = text("{days:.0f} days left, until {until}", days=float(int(days)), until=until)
    return Result(
        "certificates",
        label,
        State.FAILURE if problems else thresholds.state_of(days),
        value,
        text(
            "warning {warning:g} days, failure {failure:g} days",
            warning=thresholds.warning,
            failure=thresholds.failure,
        ),
        {
            f"certificate.{label}.days_left": round(days, 2),
            f"certificate.{label}.handshake_seconds": round(reading.seconds, 4),
        },
    )


def _certificate_problems(label: str, reading: CertificateReading, now: datetime, *, verify: bool) -> list[Text]:
    problems = []
    if now > reading.not_after:
        problems.append(text("expired"))
    elif now < reading.not_before:
        problems.append(text("not valid yet"))
    if verify and not reading.name_matches:
        problems.append(text("is for another host than {label}", label=label))
    if verify and reading.chain_problem:
        if reading.self_signed:
            problems.append(text("self-signed"))
        else:
            problems.append(text("not trusted: {reason}", reason=reading.chain_problem))
    return problems
