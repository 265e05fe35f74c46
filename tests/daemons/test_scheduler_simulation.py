"""Three schedulers that crash, freeze, lose answers and have clocks that jump: each due time is dealt with once.

They work on a real database, with a clock of the test. Afterwards the log is read and each of their decisions compared
with arithmetic of whole minutes that knows nothing of the program.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from daemons import due_append, scheduler
from daemons.due import DueTemplate, due_template
from daemons.due_append import Outcome, Wanted
from eventstore.connection import DATABASE_ERRORS
from eventstore.errors import EventStoreError
from eventstore.store import EventStore
from projections.queries import query
from tests.testbed.engine import Lab, engine
from tests.testbed.postgres import Database
from tests.testbed.stores import open_store, wait_until

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
GRACE = timedelta(seconds=60)
PAGE = 120
"""Templates that a scheduler appends at a time: a look at many has several calls, which are cut one by one."""

POLICIES = ("all", "all", "once", "skip")
"""Missed policies, of the templates in turn; those whose number ends in 9 may have one job waiting, and no more."""

KILL = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE '%SELECT schedule_due(%' AND state = 'active'
       AND pid <> pg_backend_pid()
     LIMIT 1
"""
DECISIONS = """
    SELECT e.xid::text AS of, e.type, e.data FROM events e
     WHERE e.type IN ('RunTemplateChanged', 'JobScheduled', 'TaskOpened', 'TaskMissed', 'DueSkipped')
     ORDER BY e.epoch, e.xid, e.position
"""
BEHIND = "SELECT count(*) FROM due WHERE next_due <= $1"
ODD_HEADS = """
    SELECT s.stream FROM streams s LEFT JOIN (SELECT stream, max(version) AS version FROM events GROUP BY stream) e
        ON e.stream = s.stream WHERE s.version IS DISTINCT FROM e.version
"""


class World:
    """The clock that all share, and chance."""

    def __init__(self, seed: int, lab: Lab, templates: Sequence[int]) -> None:
        self.chance = random.Random(seed)
        self.lab = lab
        self.templates = templates
        self.now = BEGIN + timedelta(seconds=5)
        self.frozen: list[tuple[EventStore, list[DueTemplate], datetime]] = []
        self.happened: Counter[str] = Counter()

    async def tick(self, store: EventStore) -> None:
        """Let a scheduler look once; perhaps it freezes between reading and appending, and wakes up much later."""
        now = self.now
        await asyncio.sleep(self.chance.uniform(0, 0.01))
        if self.chance.random() < 0.1:
            ids = self.chance.sample(list(self.templates), min(40, len(self.templates)))
            rows = await store.pool.fetch(query("run_template.due"), now, ids)
            self.frozen.append((store, [due_template(row) for row in rows], now))
            self.happened["frozen"] += 1
            return
        try:
            await scheduler.schedule_due(store, now)
        except (*DATABASE_ERRORS, EventStoreError):
            self.happened["died"] += 1

    async def thaw(self) -> None:
        """Let one that was frozen go on with what it read long ago."""
        store, templates, then = self.frozen.pop(self.chance.randrange(len(self.frozen)))
        try:
            await scheduler.schedule_page(store, templates, then)
        except (*DATABASE_ERRORS, EventStoreError):
            self.happened["died"] += 1

    async def change(self) -> None:
        """Change some templates: in what does not move them, or as a command would whose clock differs."""
        for template in self.chance.sample(list(self.templates), 3):
            await asyncio.sleep(self.chance.uniform(0, 0.01))
            if self.chance.random() < 0.5:
                await self.lab.change(template, priority=self.chance.randrange(9))
            else:
                there = self.now.replace(second=0) + self.chance.randrange(-6, 2) * MINUTE
                await self.lab.change(template, next_due=there)
            self.happened["changed"] += 1

    def move_clock(self) -> None:
        """Let time pass, or set the clock."""
        step = self.chance.choice([20, 60, 60, 60, 61, 150, 240, -90])
        self.happened["set back"] += step < 0
        self.now += timedelta(seconds=step)


def losing_answers(world: World) -> Any:
    """Return the call of the database as it is where connections break before it or after it."""
    real = due_append._call

    async def call(store: EventStore, wanted: Sequence[Wanted]) -> list[Outcome]:
        lot = world.chance.random()
        if lot < 0.04:
            world.happened["cut before"] += 1
            raise ConnectionResetError("cut before the call")
        outcomes = await real(store, wanted)
        if lot > 0.96:
            world.happened["cut after"] += 1
            raise ConnectionResetError("cut after the commit")
        return outcomes

    return call


async def simulate(world: World, database: Database, until: datetime, patch: pytest.MonkeyPatch) -> None:
    """Let three schedulers work until the clock shows a time; then let one of them finish in peace."""
    real = due_append._call
    async with (
        open_store(database, inline=True) as first,
        open_store(database, inline=True) as second,
        open_store(database, inline=True) as third,
    ):
        killer = await asyncpg.connect(database.superuser_url)
        patch.setattr(due_append, "_call", losing_answers(world))
        patch.setattr(scheduler, "PAGE", PAGE)
        while world.now < until:
            world.move_clock()
            work = [world.tick(store) for store in (first, second, third)]
            if world.chance.random() < 0.5:
                work.append(world.change())
            if world.frozen and world.chance.random() < 0.4:
                work.append(world.thaw())
            running = asyncio.gather(*work)
            while not running.done():
                await asyncio.sleep(world.chance.uniform(0.005, 0.1))
                if world.chance.random() < 0.15:
                    world.happened["killed"] += len(await killer.fetch(KILL))
            await running
        patch.setattr(due_append, "_call", real)
        await killer.close()
        while world.frozen:
            await world.thaw()

        async def nothing_is_due() -> bool:
            await scheduler.schedule_due(first, world.now)
            return await first.pool.fetchval(BEHIND, world.now) == 0

        await wait_until(nothing_is_due, "all due times scheduled")


class Judge:
    """What the log says of one template, decision by decision."""

    def __init__(self, policy: str, one_waits: bool) -> None:
        self.policy = policy
        self.one_waits = one_waits
        self.next_due: datetime | None = BEGIN
        self.jobs: Counter[datetime] = Counter()
        self.tasks: Counter[datetime] = Counter()

    def decided(self, events: list[tuple[str, dict[str, Any]]]) -> None:
        """Compare what was appended in one transaction with what had to be."""
        jobs = [moment(data["due"]) for kind, data in events if kind == "JobScheduled"]
        opened = [moment(data["window_start"]) for kind, data in events if kind == "TaskOpened"]
        skipped = [data for kind, data in events if kind == "DueSkipped"]
        now, following = told(events)
        assert self.next_due is not None and self.next_due <= now, "not due"
        passed = [self.next_due + n * MINUTE for n in range((now - self.next_due) // MINUTE + 1)]
        late = [due for due in passed if due != passed[-1] or now - due > GRACE]
        fresh = [due for due in passed if due not in self.tasks]
        assert following == passed[-1] + MINUTE
        if self.one_waits and self.jobs:
            assert not jobs and [skip["reason"] for skip in skipped] in (["overlap"], ["done"], ["missed"])
        else:
            wanted = [due for due in fresh if due not in late]
            if self.policy == "all":
                wanted = fresh
            elif self.policy == "once" and len(late) == len(passed):
                wanted = [due for due in fresh if due == late[-1]]
            assert jobs == wanted
            assert sorted(opened) == fresh
            assert len(skipped) == (not jobs)
        self.jobs.update(jobs)
        self.tasks.update(opened)
        self.next_due = following


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def told(events: list[tuple[str, dict[str, Any]]]) -> tuple[datetime, datetime]:
    """Return at what moment a decision was made, and when the template is due after it."""
    [made] = {
        data[field] for kind, data in events for field in ("opened_at", "skipped_at", "scheduled_at") if field in data
    }
    [following] = {data["next_due"] for kind, data in events if kind in ("JobScheduled", "DueSkipped")}
    return moment(made), moment(following)


async def judge(store: EventStore, judges: dict[int, Judge]) -> None:
    """Read the log and compare each decision."""
    batch: dict[int, list[tuple[str, dict[str, Any]]]] = {}
    current = ""
    rows = [tuple(row) for row in await store.pool.fetch(DECISIONS)]
    for xid, kind, text in [*rows, ("", "", "{}")]:
        if xid != current:
            for template, events in batch.items():
                judges[template].decided(events)
            batch, current = {}, xid
        data = msgspec.json.decode(text)
        if kind == "RunTemplateChanged":
            if "next_due" in data:
                judges[data["run_template_id"]].next_due = moment(data["next_due"])
        elif kind:
            batch.setdefault(data["run_template_id"], []).append((kind, data))


async def template(lab: Lab, policy: str, one_waits: bool) -> int:
    """Make a template that is due every minute."""
    overlap = "queue" if one_waits else "allow"
    return await lab.template(
        interval="i", next_due=BEGIN, missed_policy=policy, missed_limit=100, overlap_policy=overlap
    )


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("seed", "templates", "minutes", "fewest"),
    [(1, 20, 60, 1_000), (2, 20, 60, 1_000), pytest.param(3, 580, 190, 100_000, marks=pytest.mark.slow)],
    ids=["few", "others", "100,000 due times"],
)
async def test_three_schedulers_that_crash_deal_with_each_due_time_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int, templates: int, minutes: int, fewest: int
) -> None:
    async with engine(database) as lab:
        kinds = [(POLICIES[number % len(POLICIES)], number % 10 == 9) for number in range(templates)]
        made = await asyncio.gather(*(template(lab, *kind) for kind in kinds))
        judges = {number: Judge(*kind) for number, kind in zip(made, kinds, strict=True)}
        world = World(seed, lab, list(judges))
        await simulate(world, database, BEGIN + minutes * MINUTE, monkeypatch)
        await judge(lab.store, judges)
        assert await lab.store.pool.fetch(ODD_HEADS) == []
    for found in judges.values():
        assert found.next_due is not None and found.next_due > world.now
        assert set(found.jobs.values()) | set(found.tasks.values()) == {1}
        assert not found.one_waits or len(found.jobs) <= 1 + found.policy.count("all") * 100
    assert sum(len(found.tasks) for found in judges.values()) >= fewest
    happened = ("changed", "cut after", "cut before", "died", "frozen", "set back")
    assert all(world.happened[what] for what in happened), world.happened
