"""Decide and evolve of every aggregate: any commands in any order keep what must hold; the events tell the state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain import aggregates, application, company, job, run_template, schedule
from domain.command import Command
from domain.errors import DomainError
from domain.event import UNSET, Event
from domain.job_events import JobScheduled
from domain.run_template_events import RunTemplateChanged, RunTemplateCreated

UUID = "775ed801-2489-4981-bc14-d8a01cba1938"
START = datetime(2026, 1, 5, 10, 20, tzinfo=UTC)
ICON_URL = "data:image/gif;base64,R0lGODlhAQABAAAAADs="
PROBE = {"name": "Probe", "description": "Checks", "executable": "probe", "environment": {}, "uuid": UUID}

texts = st.sampled_from(["Acme", " Beta Industries ", "Žluťoučký kůň", "", "x" * 300, "a\nb", "\x00", "\ud800"])
numbers = st.sampled_from(["69438676", "12345678", "CZ69438676", "", "1 2 3"])
zones = st.sampled_from(["Europe/Prague", "UTC", "Asia/Kathmandu", "Nowhere/Land", ""])
crons = st.sampled_from([None, "", "30 2 * * *", "@daily", "*/5 * * * *", "61 * * * *", "nonsense"])
intervals = st.sampled_from(["n", "i", "h", "d", "w", "m", "y", "c", "hourly", "q"])
environments = st.sampled_from([{}, {"A": "b"}, {"A": "c", "B": ""}, {"A=B": "x"}, {"A": "\x00"}])
unset = st.just(UNSET)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return unset | unset | strategy


company_commands = st.one_of(
    st.builds(
        company.CreateCompany,
        company_id=st.just(7),
        uuid=st.just(UUID),
        name=texts,
        code=st.sampled_from([None, "acme", "ACME_1", "-x", "a b"]),
        time_zone=zones,
        registration_number=st.none() | numbers,
        email=st.sampled_from([None, "a@example.org", "nobody", ""]),
    ),
    st.builds(
        company.ChangeCompany,
        company_id=st.just(7),
        name=maybe(texts),
        code=maybe(st.sampled_from(["acme", "ACME_1", "", "a b"])),
        time_zone=maybe(zones),
        enabled=maybe(st.booleans()),
        registration_number=maybe(st.none() | numbers),
        vat_number=maybe(st.none() | numbers),
        email=maybe(st.sampled_from([None, "a@example.org", "nobody"])),
        logo=maybe(st.sampled_from([None, "", "data:image/png;base64,AAAA"])),
        settings=maybe(st.sampled_from([{}, {"a": "b"}, {"a b": "c"}])),
        environment=maybe(st.sampled_from([{}, {"A": "b"}, {"A=": "c"}])),
        set_environment=st.sampled_from([{}, {}, {"A": "x"}, {"A": None}]),
    ),
    st.builds(company.RemoveCompany, company_id=st.just(7)),
)
application_commands = st.one_of(
    st.builds(
        application.ImportApplication,
        application_id=st.just(3),
        definition=st.sampled_from(
            [
                PROBE,
                PROBE | {"version": "2"},
                PROBE | {"version": "3", "image": ICON_URL},
                PROBE | {"executable": 5},
                PROBE | {"uuid": "other"},
                {},
            ]
        ),
    ),
    st.builds(
        application.ChangeApplication,
        application_id=st.just(3),
        enabled=maybe(st.booleans()),
        max_parallel=maybe(st.sampled_from([None, 1, 0])),
        paused=maybe(st.booleans()),
    ),
    st.builds(application.EnableApplication, application_id=st.just(3)),
    st.builds(application.DisableApplication, application_id=st.just(3)),
    st.builds(
        application.SetApplicationIcon,
        application_id=st.just(3),
        content=st.sampled_from([None, "R0lGODlhAQABAAAAADs=", "R0lGODdhAQABAAAAADs=", "aGk=", "?"]),
    ),
    st.builds(application.RemoveApplication, application_id=st.just(3)),
)
template_commands = st.one_of(
    st.builds(
        run_template.CreateRunTemplate,
        run_template_id=st.just(42),
        company_id=st.just(7),
        application_id=st.just(3),
        uuid=st.just(UUID),
        name=texts,
        interval=intervals,
        cron=crons,
        time_zone=st.none() | zones,
        active=st.booleans(),
        environment=environments,
    ),
    st.builds(
        run_template.ChangeRunTemplate,
        run_template_id=st.just(42),
        name=maybe(texts),
        interval=maybe(intervals),
        cron=maybe(crons),
        time_zone=maybe(st.none() | zones),
        active=maybe(st.booleans()),
        delay=maybe(st.sampled_from([0, 60, -1, 10**9])),
        executor=maybe(st.sampled_from(["Native", "podman", "Nowhere"])),
        environment=maybe(environments),
        set_environment=st.sampled_from([{}, {}, {"A": "x"}, {"A": None}]),
        deadline_offset=maybe(st.sampled_from([None, "+3h", "8:00", "+1x", ""])),
        max_attempts=maybe(st.sampled_from([1, 5, 0])),
        retry_backoff=maybe(st.sampled_from(["none", "Linear", "sometimes"])),
        retry_min_gap=maybe(st.sampled_from([0, 30, -5])),
        note=maybe(st.sampled_from([None, "a\nnote", "\x00"])),
        start_at=maybe(st.sampled_from([None, START + timedelta(days=9)])),
        end_at=maybe(st.sampled_from([None, START + timedelta(days=5), START + timedelta(days=90)])),
        jitter=maybe(st.sampled_from([0, 60])),
        overlap_policy=maybe(st.sampled_from(["skip", "mix"])),
        labels=maybe(st.sampled_from([[], ["a", "a"], ["a b"]])),
        limits=maybe(st.sampled_from([{}, {"wall_time": 60}])),
    ),
    st.builds(run_template.ActivateRunTemplate, run_template_id=st.just(42)),
    st.builds(run_template.DeactivateRunTemplate, run_template_id=st.just(42)),
    st.builds(run_template.RescheduleRunTemplate, run_template_id=st.just(42)),
    st.builds(run_template.RemoveRunTemplate, run_template_id=st.just(42)),
)
job_commands = st.one_of(
    st.builds(
        job.ScheduleJob,
        job_id=st.just(1001),
        run_template_id=st.just(42),
        company_id=st.just(7),
        application_id=st.just(3),
        uuid=st.just(UUID),
        environment=environments,
        priority=st.sampled_from([0, 5, 5_000]),
        executor=st.sampled_from([None, "docker", "Nowhere"]),
    ),
    st.builds(job.StartJob, job_id=st.just(1001), executor_id=texts, host=st.just("here")),
    st.builds(
        job.FinishJob,
        job_id=st.just(1001),
        outcome=st.sampled_from(["success", "lost", "odd"]),
        exit_code=st.sampled_from([0, 255, 2**40]),
    ),
    st.builds(job.RequestCancel, job_id=st.just(1001)),
    st.builds(job.CancelJob, job_id=st.just(1001), if_waiting=st.booleans()),
)


class Life(RuleBasedStateMachine):
    """One thing, to which any commands are given in any order."""

    aggregate: aggregates.Aggregate
    commands: st.SearchStrategy[Any]

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []
        self.state: Any = None
        self.now = START
        self.zone = "Europe/Prague"

    @rule(data=st.data(), minutes=st.integers(0, 5000))
    def give(self, data: st.DataObject, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.execute(data.draw(self.commands))

    def execute(self, command: Command) -> None:
        given_fields = {"now": self.now, "zone": self.zone}
        known = {name: value for name, value in given_fields.items() if name in command.__struct_fields__}
        command = msgspec.structs.replace(command, **known)
        before = self.state
        try:
            events = self.aggregate.decide(self.state, command)
        except DomainError:
            assert self.state == before
            return
        assert self.aggregate.decide(self.without_unread(), command) == events
        for event in events:
            assert isinstance(event, self.aggregate.events)
            # What an event says, it says after a way through JSON as well.
            assert msgspec.json.decode(msgspec.json.encode(event), type=type(event)) == event
            self.state = self.aggregate.evolve(self.state, event)
        if not events:
            assert self.state == before
        elif not command.creates:
            assert self.state != before or isinstance(command, run_template.RescheduleRunTemplate)
        self.events += events
        self.same_again(command, bool(events))

    def without_unread(self) -> Any:
        """Return the state as it is read to decide a command: what no decision looks at is empty."""
        names = self.aggregate.unread.keys() & set(self.aggregate.state.__struct_fields__)
        blanks = {name: msgspec.json.decode(self.aggregate.unread[name]) for name in names}
        return self.state if self.state is None else msgspec.structs.replace(self.state, **blanks)

    def same_again(self, command: Command, changed: bool) -> None:
        """A change given twice changes nothing the second time."""
        if isinstance(command, company.ChangeCompany | application.ImportApplication) and changed:
            assert self.aggregate.decide(self.state, command) == []

    @invariant()
    def the_events_tell_the_state(self) -> None:
        assert self.aggregate.fold(self.events) == self.state

    @invariant()
    def nothing_follows_on_a_removal(self) -> None:
        removals = [number for number, event in enumerate(self.events) if type(event).__name__.endswith("Removed")]
        assert removals in ([], [len(self.events) - 1])


class CompanyLife(Life):
    aggregate = aggregates.COMPANY
    commands = company_commands

    @invariant()
    def names_and_codes_are_in_their_form(self) -> None:
        if self.state is not None:
            assert self.state.name == self.state.name.strip() != ""
            assert company._CODE.fullmatch(self.state.code)
            assert self.state.time_zone in ("Europe/Prague", "UTC", "Asia/Kathmandu")


class ApplicationLife(Life):
    aggregate = aggregates.APPLICATION
    commands = application_commands

    @invariant()
    def the_digest_is_that_of_the_definition(self) -> None:
        if self.state is not None:
            assert application.definition.read(self.state.definition).digest == self.state.digest


class RunTemplateLife(Life):
    aggregate = aggregates.RUN_TEMPLATE
    commands = template_commands

    def __init__(self) -> None:
        super().__init__()
        self.next_due: datetime | None = None

    def execute(self, command: Command) -> None:
        count = len(self.events)
        super().execute(command)
        for event in self.events[count:]:
            if isinstance(event, RunTemplateCreated | RunTemplateChanged) and event.next_due is not UNSET:
                self.next_due = event.next_due
                assert self.next_due is None or self.next_due > self.now
                zone = self.state.time_zone or self.zone
                begin = max(self.now, (self.state.start_at or self.now) - timedelta(microseconds=1))
                expected = schedule.next_due(self.state.interval, self.state.cron, zone, begin)
                ended = expected is not None and self.state.end_at is not None and expected > self.state.end_at
                assert self.next_due == (expected if self.state.active and not ended else None)
            elif isinstance(event, RunTemplateChanged):
                told = {name for name in event.__struct_fields__ if getattr(event, name) is not UNSET}
                assert told.isdisjoint({"interval", "cron", "time_zone", "active", "start_at", "end_at"})

    @invariant()
    def it_is_due_just_when_it_can_be(self) -> None:
        if self.state is not None and self.state.end_at is None:
            assert (self.next_due is not None) == (self.state.active and self.state.interval != "n")


class JobLife(Life):
    aggregate = aggregates.JOB
    commands = job_commands

    @invariant()
    def a_job_ends_once(self) -> None:
        names = [type(event).__name__ for event in self.events]
        lives = (
            ["JobScheduled", "JobStarted", "JobFinished"],
            ["JobScheduled", "JobStarted", "JobCancelRequested", "JobFinished"],
            ["JobScheduled", "JobCancelled"],
        )
        assert any(names == life[: len(names)] for life in lives)


for machine in (CompanyLife, ApplicationLife, RunTemplateLife, JobLife):
    machine.TestCase.settings = settings(max_examples=120, stateful_step_count=20, deadline=None)
TestCompanyLife = CompanyLife.TestCase
TestApplicationLife = ApplicationLife.TestCase
TestRunTemplateLife = RunTemplateLife.TestCase
TestJobLife = JobLife.TestCase


@pytest.mark.parametrize("aggregate", aggregates.ALL, ids=lambda aggregate: aggregate.category)
def test_each_aggregate_is_whole(aggregate: aggregates.Aggregate) -> None:
    assert aggregate.events.category == aggregate.category == aggregate.commands.category
    assert f"{aggregate.category}_id" in aggregate.state.__struct_fields__
    assert f"{aggregate.category}_id" in aggregate.events.__struct_fields__
    for command in aggregate.commands.__subclasses__():
        assert f"{aggregate.category}_id" in command.__struct_fields__
        assert command.__doc__
    with pytest.raises(TypeError, match="is no command of"):
        aggregate.decide(*unknown(aggregate))
    with pytest.raises(TypeError, match="cannot follow here"):
        aggregate.evolve(None, aggregate.events(**dict.fromkeys(aggregate.events.__struct_fields__, 1)))


def unknown(aggregate: aggregates.Aggregate) -> tuple[Any, Command]:
    """Return a thing that is there, and a command that is none."""

    class State:
        removed = False

    return State(), aggregate.commands(**{f"{aggregate.category}_id": 1})


@given(st.sampled_from([company.CreateCompany(name="A"), job.StartJob(job_id=1, executor_id="e", host="h")]))
def test_a_command_that_was_not_filled_in_is_a_fault_of_the_program(command: Command) -> None:
    aggregate = aggregates.of_command(command)
    queued = JobScheduled(
        job_id=1,
        company_id=7,
        run_template_id=42,
        uuid=UUID,
        application_id=3,
        application_version="1",
        not_before=START,
        scheduled_at=START,
    )
    state = None if command.creates else aggregate.evolve(None, queued)
    with pytest.raises(ValueError, match="was executed without"):
        aggregate.decide(state, command)
