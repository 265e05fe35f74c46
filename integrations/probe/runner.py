"""Takes all steps of a plan at once and hands out results as they come, never later than the time allows."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from integrations.probe.plan import Step
from integrations.probe.results import Result, State
from integrations.probe.texts import Text, text

_GRACE_SECONDS = 0.25
"""A step that keeps its deadline knows better than this module what it waited for; it gets the time to say so."""

_COLLECT_SECONDS = 0.02
"""Results that come this close together are told in the order of the plan."""

_Done = tuple[int, list[Result], Exception | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A result and when it came.

    Attributes
    ----------
    result : Result
        The result.
    seconds : float
        Time since the start of the run.
    error : Exception or None
        What went wrong unexpectedly.
    """

    result: Result
    seconds: float
    error: Exception | None = None


def run_steps(steps: Sequence[Step], timeout: float) -> Iterator[Finding]:
    """Take all steps, each in a thread of its own, and yield their findings in the order in which they come.

    Threads that have not finished in time are left behind (they end with the process), their subjects are failures.

    Parameters
    ----------
    steps : sequence of Step
        What to do.
    timeout : float
        Seconds for all of it.
    """
    begun = time.monotonic()
    deadline = begun + timeout
    done: queue.SimpleQueue[_Done] = queue.SimpleQueue()
    for number, step in enumerate(steps):
        _start(number, step, deadline, done)
    waiting = dict(enumerate(steps))
    while waiting:
        batch = _collect(done, deadline + _GRACE_SECONDS, len(waiting))
        if not batch:
            break
        for number, results, error in batch:
            del waiting[number]
            for result in results:
                yield Finding(result, time.monotonic() - begun, error)
    for step in waiting.values():
        for result in _failures(step, text("no result within {seconds:g} s", seconds=timeout)):
            yield Finding(result, time.monotonic() - begun)


def _collect(done: queue.SimpleQueue[_Done], deadline: float, most: int) -> list[_Done]:
    """Wait for a step to be done and return it with those done right after it, in the order of the plan."""
    batch: list[_Done] = []
    while len(batch) < most:
        try:
            batch.append(done.get(timeout=max(deadline - time.monotonic(), 0.001)))
        except queue.Empty:
            break
        if len(batch) == 1:
            deadline = min(deadline, time.monotonic() + _COLLECT_SECONDS)
    return sorted(batch, key=lambda entry: entry[0])


def _start(number: int, step: Step, deadline: float, done: queue.SimpleQueue[_Done]) -> None:
    def take() -> None:
        try:
            done.put((number, step.take(deadline), None))
        except Exception as error:  # noqa: BLE001 - told as a failure of this step; the others go on
            done.put((number, _failures(step, _unexpected(error)), error))

    try:
        threading.Thread(target=take, name=f"{step.check} {step.subjects[0]}", daemon=True).start()
    except RuntimeError as error:  # the limit on threads or processes is reached
        done.put((number, _failures(step, _unexpected(error)), error))


def _unexpected(error: Exception) -> Text:
    return text("could not be checked: {reason}", reason=f"{type(error).__name__}: {error}")


def _failures(step: Step, value: Text) -> list[Result]:
    return [Result(step.check, subject, State.FAILURE, value) for subject in step.subjects]
