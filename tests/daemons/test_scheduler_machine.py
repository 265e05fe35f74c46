"""Three schedulers against a slow model: whatever happens to them, their clocks and the templates, in whatever order.

After each step the log is read and each decision compared with the model's, and so are the due index and the queue.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

import pytest
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from commands.actor import SYSTEM
from commands.shell import Shell
from daemons import due_append, scheduler
from daemons.due import DueTemplate, due_template
from daemons.due_append import Outcome, Wanted
from daemons.expiry import end_expired_tasks
from domain.company import ChangeCompany, CreateCompany, RemoveCompany
from domain.job import CancelJob, FinishJob, ScheduleJob, StartJob
from domain.run_template import (
    ActivateRunTemplate,
    ChangeRunTemplate,
    CreateRunTemplate,
    DeactivateRunTemplate,
)
from eventstore.store import EventStore
from projections.queries import query
from tests.daemons.scheduler_decisions import DECISIONS, compare
from tests.daemons.scheduler_model import BEGINNINGS, DAYS, SCHEDULES, ZONES, Template, Waiting
from tests.testbed.engine import engine
from tests.testbed.examples import on_database
from tests.testbed.postgres import Server
from tests.testbed.stores import open_store

T = TypeVar("T")
AT_FIRST = (5, 6, 3, 2, 0)
"""Schedules that the templates of an example begin with: those that a change of the clock moves, doubles or skips."""

TEMPLATES = len(AT_FIRST)
LOOK, PAGE = 4, 2
"""Templates that a scheduler looks up and appends at a time: there are several pages, and it can die between two."""

STEPS = [20, 59, 60, 61, 300, 1200, 3600, 3 * 3600, 9 * 3600, 26 * 3600]
POINTS = ["has looked", "has read", "in its transaction", "after its commit"]  # where it can die, of each page

POLICIES: dict[str, Any] = {
    "missed": st.sampled_from(["skip", "once", "all"]),
    "limit": st.sampled_from([1, 3, 10]),
    "overlap": st.sampled_from(["allow", "skip", "queue", "cancel"]),
}

INDEX = "SELECT run_template_id, next_due FROM due WHERE company_id = $1"
QUEUE = "SELECT run_template_id, job_id, state FROM job_queue WHERE company_id = $1"
FORGOTTEN = "SELECT id FROM task WHERE company_id = $1 AND state = 'open' AND window_end <= $2"


class KilledError(Exception):
    """A scheduler died."""


class Frozen(NamedTuple):
    """A scheduler that has read templates and not appended yet: what it has read, and when by its clock."""

    read: list[DueTemplate]
    seen: dict[int, Waiting]
    now: datetime


class SchedulerMachine(RuleBasedStateMachine):
    """Does to schedulers and to the model the same things."""

    runner: ClassVar[asyncio.Runner]
    stores: ClassVar[list[EventStore]]
    application: ClassVar[int]
    crash: ClassVar[Callable[[str], Coroutine[Any, Any, None]] | None] = None
    """Called at each point; what it raises ends the scheduler."""

    def __init__(self) -> None:
        super().__init__()
        self.templates: dict[int, Template] = {}
        self.frozen: list[Frozen] = []
        self.skews = [timedelta(0)] * 3
        self.position = 0

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(coroutine)

    @initialize(beginning=st.sampled_from(BEGINNINGS))
    def a_company_with_templates(self, beginning: datetime) -> None:
        self.beginning = self.now = beginning
        self.pool: Any = self.stores[0].pool
        self.shell = Shell(self.stores[0], clock=lambda: self.now)
        number = next(NUMBERS)
        self.company = self.do(CreateCompany(name=f"Company {number}", code=f"c{number}", time_zone=ZONES[0]))
        wishes = [
            CreateRunTemplate(
                company_id=self.company,
                application_id=self.application,
                name=f"Template {number}/{place}",
                interval=SCHEDULES[schedule].interval,
                cron=SCHEDULES[schedule].cron,
            )
            for place, schedule in enumerate(AT_FIRST)
        ]
        for schedule, made in zip(AT_FIRST, self.run(self.shell.execute_all(wishes, SYSTEM)), strict=True):
            self.templates[made.id] = Template(beginning, schedule)
            self.templates[made.id].planned_anew(self.now)
        self.position = self.run(self.pool.fetchval("SELECT max(position) FROM events"))

    def do(self, command: Any) -> int:
        return cast("int", self.run(self.shell.execute(command, SYSTEM)).id)

    def chosen(self, place: int) -> tuple[int, Template]:
        return list(self.templates.items())[place % TEMPLATES]

    @rule(seconds=st.sampled_from(STEPS))
    def time_passes(self, seconds: int) -> None:
        self.now = min(self.now + timedelta(seconds=seconds), self.beginning + DAYS)

    @rule(seconds=st.sampled_from([1, 30, 90, 3600]))
    def the_clock_is_set_back(self, seconds: int) -> None:
        self.now = max(self.now - timedelta(seconds=seconds), self.beginning)

    @rule(who=st.integers(0, 2), seconds=st.sampled_from([-90, -1, 0, 0, 45]))
    def the_clock_of_a_host_is_wrong(self, who: int, seconds: int) -> None:
        self.skews[who] = timedelta(seconds=seconds)

    @rule(
        which=st.integers(0, TEMPLATES - 1),
        schedule=st.integers(0, len(SCHEDULES) - 1),
        zone=st.sampled_from([None, *ZONES]),
    )
    def change_the_schedule(self, which: int, schedule: int, zone: str | None) -> None:
        number, template = self.chosen(which)
        if (schedule, zone) != (template.schedule, template.zone):
            asked = SCHEDULES[schedule]
            wish = {"interval": asked.interval, "cron": asked.cron, "time_zone": zone}
            self.do(ChangeRunTemplate(run_template_id=number, **cast("Any", wish)))
            template.schedule, template.zone = schedule, zone
            template.planned_anew(self.now)

    @rule(zone=st.sampled_from(ZONES))
    def the_company_moves_to_another_zone(self, zone: str) -> None:
        self.do(ChangeCompany(company_id=self.company, time_zone=zone))
        for template in self.templates.values():
            moved, template.company_zone = template.company_zone != zone, zone
            if moved and template.zone is None:
                template.planned_anew(self.now)

    @rule(which=st.integers(0, TEMPLATES - 1), **POLICIES)
    def change_policies(self, which: int, missed: str, limit: int, overlap: str) -> None:
        number, template = self.chosen(which)
        self.do(
            ChangeRunTemplate(run_template_id=number, missed_policy=missed, missed_limit=limit, overlap_policy=overlap)
        )
        template.missed_policy, template.missed_limit, template.overlap_policy = missed, limit, overlap

    @rule(which=st.integers(0, TEMPLATES - 1))
    def switch_off_or_on(self, which: int) -> None:
        number, template = self.chosen(which)
        template.active = not template.active
        self.do((ActivateRunTemplate if template.active else DeactivateRunTemplate)(run_template_id=number))
        template.planned_anew(self.now)

    @rule(which=st.integers(0, TEMPLATES - 1), seconds=st.sampled_from([90, 3600, 6 * 3600]))
    def switch_off_and_on_where_the_clock_is_behind(self, which: int, seconds: int) -> None:
        """What was due in between is due again, and was dealt with."""
        number, template = self.chosen(which)
        behind = max(self.now - timedelta(seconds=seconds), self.beginning)
        shell = Shell(self.stores[0], clock=lambda: behind)
        for wish in (DeactivateRunTemplate(run_template_id=number), ActivateRunTemplate(run_template_id=number)):
            self.run(shell.execute(wish, SYSTEM))
        template.active = True
        template.planned_anew(behind)

    @rule(which=st.integers(0, TEMPLATES - 1))
    def run_by_hand(self, which: int) -> None:
        number, template = self.chosen(which)
        template.queued.add(self.do(ScheduleJob(run_template_id=number)))

    @rule(which=st.integers(0, TEMPLATES - 1), whole=st.booleans(), waits=st.booleans())
    def a_job_starts_or_ends(self, which: int, whole: bool, waits: bool) -> None:
        template = self.chosen(which)[1]
        for job in sorted(template.running if waits is False else ())[: None if whole else 1]:
            self.do(FinishJob(job_id=job, outcome="success", exit_code=0))
            template.running.discard(job)
        for job in sorted(template.queued)[: None if whole else 1]:
            if waits:
                self.do(StartJob(job_id=job, executor_id="executor@host:1", host="host"))
                template.running.add(job)
            elif whole:
                self.do(CancelJob(job_id=job))
            else:
                continue
            template.queued.discard(job)

    # Schedulers.

    @rule(who=st.integers(0, 2))
    def a_scheduler_looks(self, who: int) -> None:
        now = self.clock_of(who)
        self.run(self.tick(who, now))
        self.judge()
        self.nothing_is_left(now)

    @rule(others=st.sampled_from([(0, 1), (1, 2), (0, 1, 2), (0, 0, 1, 2)]))
    def schedulers_look_at_once(self, others: Sequence[int]) -> None:
        nows = [self.clock_of(who) for who in others]

        async def together() -> None:
            await asyncio.gather(*(self.tick(who, now) for who, now in zip(others, nows, strict=True)))

        self.run(together())
        self.judge()
        self.nothing_is_left(min(nows))

    @rule(who=st.integers(0, 2), point=st.sampled_from(POINTS), page=st.integers(0, 2))
    def a_scheduler_dies(self, who: int, point: str, page: int) -> None:
        left = itertools.count(-page)

        async def die(here: str) -> None:
            if here == point and next(left) >= 0:
                raise KilledError

        self.run(self.killed(who, die))
        self.judge()

    @rule(who=st.integers(0, 1), dies=st.booleans())
    def another_looks_while_one_is_in_its_transaction(self, who: int, dies: bool) -> None:
        nows = self.clock_of(who), self.clock_of(2)

        async def let_another_look(here: str) -> None:
            if here == "in its transaction":
                SchedulerMachine.crash = None
                async with asyncio.timeout(10):  # it waits for nobody
                    await scheduler.schedule_due(self.stores[2], nows[1])
                if dies:
                    raise KilledError

        self.run(self.killed(who, let_another_look))
        self.judge()
        if not dies:
            self.nothing_is_due(min(nows))

    @rule(who=st.integers(0, 2))
    def a_scheduler_freezes(self, who: int) -> None:
        now = self.clock_of(who)
        rows = self.run(self.pool.fetch(query("run_template.due"), now, list(self.templates)))
        seen = {number: template.waiting for number, template in self.templates.items()}
        self.frozen.append(Frozen([due_template(row) for row in rows], seen, now))

    @rule(which=st.integers(0, 9))
    def one_that_was_frozen_goes_on(self, which: int) -> None:
        if self.frozen:
            found = self.frozen.pop(which % len(self.frozen))
            self.run(scheduler.schedule_page(self.stores[1], found.read, found.now))
            self.judge(found.seen)

    @rule(seconds=st.sampled_from(STEPS), **POLICIES)
    def templates_change_between_reading_and_appending(self, seconds: int, **policies: Any) -> None:
        self.time_passes(seconds)
        self.a_scheduler_freezes(0)
        for which in range(TEMPLATES):
            self.change_policies(which, **policies)
        self.one_that_was_frozen_goes_on(len(self.frozen) - 1)

    @rule(which=st.integers(0, TEMPLATES - 1), another_waits=st.booleans())
    def one_is_due_that_ends_its_running_job(self, which: int, another_waits: bool) -> None:
        """Seldom comes about by chance: a job runs, none waits, the policy is that one, and the template is due."""
        _, template = self.chosen(which)
        self.change_policies(which, "once", 10, "cancel")
        self.run_by_hand(which)
        self.a_job_starts_or_ends(which, whole=True, waits=True)
        if another_waits:
            self.run_by_hand(which)
        if template.next_due is not None:
            self.now = min(max(self.now, template.next_due), self.beginning + DAYS)
        self.skews[0] = timedelta(0)
        self.a_scheduler_looks(0)

    def clock_of(self, who: int) -> datetime:
        return self.now + self.skews[who]

    async def tick(self, who: int, now: datetime) -> None:
        await scheduler.schedule_due(self.stores[who], now)
        await end_expired_tasks(self.stores[who], now)

    async def killed(self, who: int, crash: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        SchedulerMachine.crash = crash
        try:
            await scheduler.schedule_due(self.stores[who], self.clock_of(who))
        except KilledError:
            note("died")
        finally:
            SchedulerMachine.crash = None

    # The comparison of both.

    def judge(self, seen: dict[int, Waiting] | None = None) -> None:
        """Compare what has been decided since with what had to be."""
        decisions: dict[tuple[str, int], list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        for row in self.run(self.pool.fetch(DECISIONS, self.position, self.company)):
            self.position = max(self.position, row["position"])
            data = json.loads(row["data"])
            decisions[row["of"], data["run_template_id"]].append((row["type"], data))
        for (_, number), events in decisions.items():
            template = self.templates[number]
            note(f"{number}: {[kind for kind, _ in events]}")
            compare(template, events, seen[number] if seen else template.waiting)

    def nothing_is_due(self, now: datetime) -> None:
        """Nothing that was due at a moment has been forgotten, neither by the model nor by the index."""
        for number, template in self.templates.items():
            assert template.next_due is None or template.next_due > now, f"{number} was forgotten"

    def nothing_is_left(self, now: datetime) -> None:
        """Nor is a task open whose window has passed."""
        self.nothing_is_due(now)
        assert self.run(self.pool.fetch(FORGOTTEN, self.company, now)) == []

    @invariant()
    def the_index_and_the_queue_are_as_they_should_be(self) -> None:
        if not self.templates:
            return
        index = {row[0]: row[1] for row in self.run(self.pool.fetch(INDEX, self.company))}
        assert index == {number: template.next_due for number, template in self.templates.items()}
        queue = {tuple(row) for row in self.run(self.pool.fetch(QUEUE, self.company))}
        assert queue == {
            (number, job, state)
            for number, template in self.templates.items()
            for state, jobs in (("queued", template.queued), ("running", template.running))
            for job in jobs
        }

    def teardown(self) -> None:
        while self.frozen:
            self.one_that_was_frozen_goes_on(0)
        self.skews = [timedelta(0)] * 3
        if self.templates:
            self.a_scheduler_looks(0)
            self.the_index_and_the_queue_are_as_they_should_be()
            self.do(RemoveCompany(company_id=self.company, cascade=True))


NUMBERS = itertools.count(1)


async def reach(point: str) -> None:
    if SchedulerMachine.crash is not None:
        await SchedulerMachine.crash(point)


def with_crash_points(patch: pytest.MonkeyPatch) -> None:
    """Let a scheduler pass the points where it can die."""
    looked, call = scheduler.pages_due, due_append._call

    async def looks(store: EventStore, now: datetime) -> Any:
        async for ids in looked(store, now):
            await reach("has looked")
            yield ids

    async def calls(store: EventStore, wanted: Sequence[Wanted]) -> list[Outcome]:
        await reach("has read")
        if SchedulerMachine.crash is None:
            return await call(store, wanted)
        async with store.pool.acquire() as connection, connection.transaction():
            outcomes = await call(cast("Any", SimpleNamespace(pool=connection, notifier=store.notifier)), wanted)
            await reach("in its transaction")
        await reach("after its commit")
        return outcomes

    patch.setattr(scheduler, "pages_due", looks)
    patch.setattr(due_append, "_call", calls)
    patch.setattr(scheduler, "LOOK", LOOK)
    patch.setattr(scheduler, "PAGE", PAGE)


@pytest.fixture
def machine(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[SchedulerMachine]]:
    database = postgres.fresh_database()
    with asyncio.Runner() as runner:
        SchedulerMachine.runner = runner

        async def furnish() -> None:
            async with engine(database) as lab:
                template = await lab.template()
                found = await lab.store.pool.fetchval("SELECT app_id FROM run_template WHERE id = $1", template)
                SchedulerMachine.application = found

        runner.run(furnish())
        SchedulerMachine.stores = [open_store(database, inline=True) for _ in range(3)]
        for store in SchedulerMachine.stores:
            runner.run(store.__aenter__())
        with_crash_points(monkeypatch)
        yield SchedulerMachine
        for store in SchedulerMachine.stores:
            runner.run(store.__aexit__(None, None, None))
    postgres.drop(database)


@pytest.mark.slow
def test_schedulers_do_what_their_model_does_wherever_they_die(machine: type[SchedulerMachine]) -> None:
    run_state_machine_as_test(machine, settings=on_database(max_examples=40, stateful_step_count=25))
