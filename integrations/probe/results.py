"""States of checks, thresholds, and what a run of all checks amounts to."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from integrations.probe.texts import Text


class State(enum.IntEnum):
    """State of one check; a greater one outweighs a smaller one."""

    SKIPPED = 0
    OK = 1
    WARNING = 2
    FAILURE = 3


EXIT_CODES: Mapping[State, int] = {State.OK: 0, State.WARNING: 1, State.FAILURE: 255}
"""Exit code of the process for each outcome."""

REPORT_STATUSES: Mapping[State, str] = {State.OK: "success", State.WARNING: "warning", State.FAILURE: "error"}
"""``status`` of the report for each outcome."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Two bounds of a figure, in the figure's own unit.

    Attributes
    ----------
    warning : float
        From here on the state is a warning.
    failure : float
        From here on the state is a failure.
    falling : bool
        True when small figures are the bad ones (days left), False when great ones are (percent used).
    """

    warning: float
    failure: float
    falling: bool = False

    @property
    def consistent(self) -> bool:
        """Whether the failure threshold is not met before the warning threshold."""
        return self.failure <= self.warning if self.falling else self.failure >= self.warning

    def state_of(self, value: float) -> State:
        """Return the state of a figure; one that equals a threshold has met it.

        Examples
        --------
        >>> Thresholds(80, 95).state_of(80.0)
        <State.WARNING: 2>
        >>> Thresholds(30, 7, falling=True).state_of(31.0)
        <State.OK: 1>
        """
        sign = -1 if self.falling else 1
        if sign * value >= sign * self.failure:
            return State.FAILURE
        return State.WARNING if sign * value >= sign * self.warning else State.OK


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found.

    Attributes
    ----------
    check : str
        Name of the check, one of `integrations.probe.settings.CHECKS`.
    subject : str
        What was checked: a path, a unit, a process, an endpoint; empty where there is only one.
    state : State
        The verdict.
    value : Text
        What was measured.
    threshold : Text or None
        What it was measured against.
    metrics : mapping of str to float
        Figures for the report, by their flat names.
    """

    check: str
    subject: str
    state: State
    value: Text
    threshold: Text | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


def overall(results: Iterable[Result]) -> State:
    """Return the outcome of all checks: the worst state, a warning when nothing could be checked at all.

    A monitor that looks at nothing must not look green.
    """
    worst = max((result.state for result in results), default=State.SKIPPED)
    return State.WARNING if worst is State.SKIPPED else worst


def counts(results: Iterable[Result]) -> dict[State, int]:
    """Return how many results there are of each state, zeros included."""
    found = dict.fromkeys(State, 0)
    for result in results:
        found[result.state] += 1
    return found
