"""Taking steps at once, within the time, whatever they do."""

import threading
import time

import pytest

from integrations.probe.plan import Step
from integrations.probe.results import Result, State
from integrations.probe.runner import run_steps
from integrations.probe.texts import Catalogue, text


def ok(subject):
    return Result("disk", subject, State.OK, text("no swap space"))


def step(subject, take=None):
    return Step("disk", (subject,), take or (lambda _deadline: [ok(subject)]))


def subjects(findings):
    return [finding.result.subject for finding in findings]


def test_results_that_come_together_come_in_the_order_of_the_plan():
    names = [str(number) for number in range(20)]
    assert subjects(run_steps([step(name) for name in names], timeout=5)) == names


def test_a_slow_step_does_not_hold_the_others():
    release = threading.Event()

    def slow(_deadline):
        release.wait(5)
        return [ok("slow")]

    findings = run_steps([step("slow", slow), step("fast")], timeout=5)
    assert next(findings).result.subject == "fast"
    release.set()
    assert next(findings).result.subject == "slow"
    assert list(findings) == []


def test_a_step_that_hangs_is_a_failure_of_all_its_subjects_when_the_time_is_up():
    release = threading.Event()

    def hang(_deadline):
        release.wait()
        return []

    hanging = Step("services", ("a", "b"), hang)
    begun = time.monotonic()
    findings = list(run_steps([hanging, step("fast")], timeout=0.1))
    release.set()
    assert time.monotonic() - begun < 5
    assert subjects(findings) == ["fast", "a", "b"]
    assert [finding.result.state for finding in findings] == [State.OK, State.FAILURE, State.FAILURE]
    assert Catalogue("en").render(findings[1].result.value) == "no result within 0.1 s"


def test_a_step_that_breaks_is_a_failure_and_the_others_go_on():
    def broken(_deadline):
        raise ZeroDivisionError("figures")

    first, second = run_steps([step("broken", broken), step("fast")], timeout=5)
    assert Catalogue("en").render(first.result.value) == "could not be checked: ZeroDivisionError: figures"
    assert first.result.state is State.FAILURE
    assert isinstance(first.error, ZeroDivisionError)
    assert second.result.state is State.OK


def test_a_thread_that_cannot_start_is_a_failure(monkeypatch):
    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    (finding,) = run_steps([step("any")], timeout=5)
    assert finding.result.state is State.FAILURE


@pytest.mark.parametrize("timeout", [0.1, 5])
def test_an_empty_plan_ends_at_once(timeout):
    assert list(run_steps([], timeout)) == []
