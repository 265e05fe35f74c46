"""Pausing the installation: what follows from the commands, and who may give them."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime

import pytest

from commands.actor import SYSTEM, Actor
from commands.shell import Shell
from domain import system
from domain.errors import DomainError, ForbiddenError
from domain.system import PauseSystem, ResumeSystem
from domain.system_events import SystemPaused, SystemResumed
from tests.commands.fake_store import FakeFacts, FakeStore

NOW = datetime(2026, 1, 5, 10, 20, tzinfo=UTC)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def shell(store: FakeStore) -> Shell:
    return Shell(store, facts=FakeFacts(store), clock=lambda: NOW)  # type: ignore[arg-type]


def test_examples_are_right() -> None:
    assert doctest.testmod(system).failed == 0


async def test_pausing_twice_and_resuming_twice_are_one_event_each(shell: Shell, store: FakeStore) -> None:
    await shell.execute(ResumeSystem(), SYSTEM)
    for _ in range(2):
        await shell.execute(PauseSystem(reason=" Maintenance "), SYSTEM)
    assert store.state("system-1").paused
    for _ in range(2):
        await shell.execute(ResumeSystem(), SYSTEM)
    assert not store.state("system-1").paused
    paused, resumed = (recorded.event for recorded in store.stream("system-1"))
    assert (paused, resumed) == (SystemPaused(paused_at=NOW, reason="Maintenance"), SystemResumed(resumed_at=NOW))


async def test_who_acts_for_some_companies_does_not_pause_the_others(shell: Shell, store: FakeStore) -> None:
    for command in (PauseSystem(), ResumeSystem()):
        with pytest.raises(ForbiddenError, match=r"system\.manage"):
            await shell.execute(command, Actor.user(1, [7]))
    assert {type(one.event).__name__ for one in store.log} == {"AccessDenied"}


def test_a_reason_that_cannot_be_stored_is_refused() -> None:
    for reason in ("x" * 3_000, "a\x00b"):
        with pytest.raises(DomainError) as refused:
            system.decide(None, PauseSystem(now=NOW, reason=reason))
        assert refused.value.field == "reason"
