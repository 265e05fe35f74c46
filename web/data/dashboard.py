"""The dashboard: what there is now, what happened, what comes next, and how the system is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import msgspec

from projections.queries import query as shared
from web.database import Connection
from web.chart import Chart, stacked
from web.data import pauses
from web.data.company_choice import Choice, company_choice
from web.data.job_row import JobRow, rows
from web.data.pauses import Pause
from web.queries import query
from web.view import View

DAYS = 14
WEEK = 7
RUNNING, RECENT, UPCOMING = 8, 10, 8
"""Most jobs and templates that are listed."""

OUTCOMES = ("succeeded", "warned", "failed")
SILENT = 30.0
"""Seconds without a sign of life after which a daemon counts as gone."""

BEHIND = 5.0
"""Seconds behind the log from which a read model counts as late."""

LIVE_PARTS = ("pauses", "figures", "running", "history", "recent", "upcoming", "system")


class Day(msgspec.Struct, frozen=True):
    """What ended on one day (UTC)."""

    day: date
    succeeded: int = 0
    warned: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def finished(self) -> int:
        """How many jobs ran to their end."""
        return self.succeeded + self.warned + self.failed


class TasksToday(msgspec.Struct, frozen=True):
    """How many tasks whose windows began today (in the zone of their company) are in each state."""

    open: int = 0
    running: int = 0
    fulfilled: int = 0
    fulfilled_late: int = 0
    failed: int = 0
    missed: int = 0

    @property
    def unmet(self) -> int:
        """How many did not have their result in time."""
        return self.fulfilled_late + self.failed + self.missed

    @property
    def ended(self) -> int:
        """How many have ended."""
        return self.fulfilled + self.unmet


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures on top. ``success_rate`` is the part of the jobs of 7 days that did not fail; None: there were none."""

    running: int
    queued: int
    today: Day
    yesterday: Day
    success_rate: float | None
    finished_in_week: int
    active_run_templates: int
    run_templates: int
    companies: int
    applications: int
    next_due: datetime | None
    tasks_today: TasksToday


class Upcoming(msgspec.Struct, frozen=True):
    """A template that is due."""

    run_template_id: int
    name: str
    due: datetime
    company_id: int
    company_name: str | None
    application_name: str | None


class ReadModel(msgspec.Struct, frozen=True):
    """Where a read model stands: events and seconds behind the log."""

    name: str
    lag: int
    lag_seconds: float


class Daemon(msgspec.Struct, frozen=True):
    """A daemon and its last sign of life."""

    kind: str
    host: str
    seen_at: datetime
    silent_seconds: float

    @property
    def alive(self) -> bool:
        """Whether it was heard of lately."""
        return self.silent_seconds < SILENT


class System(msgspec.Struct, frozen=True):
    """How the system is."""

    read_models: list[ReadModel]
    daemons: list[Daemon]
    newest_tree_head: datetime | None

    @property
    def lag_seconds(self) -> float:
        """Seconds that the slowest read model is behind."""
        return max((model.lag_seconds for model in self.read_models), default=0.0)

    @property
    def lag(self) -> int:
        """Events that the slowest read model is behind, about."""
        return max((model.lag for model in self.read_models), default=0)

    @property
    def late(self) -> bool:
        """Whether what pages show is noticeably older than the log."""
        return self.lag_seconds > BEHIND


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """All that the dashboard shows."""

    figures: Figures
    running: list[JobRow]
    running_in_all: int
    recent: list[JobRow]
    upcoming: list[Upcoming]
    days: list[Day]
    system: System
    pauses: list[Pause]
    generated_at: datetime

    @property
    def empty(self) -> bool:
        """Whether nothing has been set up and nothing has run yet."""
        return not self.figures.run_templates and not self.recent and not self.running

    @property
    def chart(self) -> Chart:
        """The chart of the last days."""
        return stacked(OUTCOMES, [[day.succeeded, day.warned, day.failed] for day in self.days])


async def load(connection: Connection, view: View) -> tuple[Dashboard, Choice]:
    """Read what the dashboard shows, and what its filter offers."""
    choice = await company_choice(connection, view)
    company = view.company_id
    now = datetime.now(UTC)
    days = await _days(connection, company, now.date())
    running = await connection.fetch(query("dashboard.running"), company, RUNNING)
    recent = await connection.fetch(shared("job.list"), company, None, None, None, RECENT, None)
    upcoming = await connection.fetch(shared("dashboard.upcoming"), company, UPCOMING)
    dashboard = Dashboard(
        figures=await _figures(connection, company, days),
        running=rows(running),
        running_in_all=running[0]["in_all"] if running else 0,
        recent=rows(recent),
        upcoming=[
            Upcoming(
                each["run_template_id"],
                each["name"],
                each["next_due"],
                each["company_id"],
                each["company_name"],
                each["app_name"],
            )
            for each in upcoming
        ],
        days=days,
        system=await system(connection),
        pauses=await pauses.load(connection, company),
        generated_at=now,
    )
    return dashboard, choice


async def system(connection: Connection) -> System:
    """Read how the system is."""
    models = await connection.fetch(shared("status.projections"))
    daemons = await connection.fetch(shared("status.daemons"))
    return System(
        read_models=[ReadModel(each["name"], each["lag"], float(each["lag_seconds"] or 0)) for each in models],
        daemons=_newest_of_each_kind(
            Daemon(each["kind"], each["host"], each["seen_at"], float(each["silent_seconds"])) for each in daemons
        ),
        newest_tree_head=await connection.fetchval(query("dashboard.newest_tree_head")),
    )


def _newest_of_each_kind(daemons: Iterable[Daemon]) -> list[Daemon]:
    found: dict[tuple[str, str], Daemon] = {}
    for daemon in daemons:
        known = found.get((daemon.kind, daemon.host))
        if known is None or daemon.seen_at > known.seen_at:
            found[daemon.kind, daemon.host] = daemon
    return sorted(found.values(), key=lambda each: (each.kind, each.host))


async def _days(connection: Connection, company: int | None, today: date) -> list[Day]:
    first = today - timedelta(days=DAYS - 1)
    found = {
        record["day"]: Day(
            record["day"], record["succeeded"], record["warned"], record["failed"], record["cancelled"]
        )
        for record in await connection.fetch(shared("dashboard.days"), company, first)
    }
    return [found.get(day) or Day(day) for day in (first + timedelta(days=number) for number in range(DAYS))]


async def _figures(connection: Connection, company: int | None, days: list[Day]) -> Figures:
    record = await connection.fetchrow(shared("dashboard.figures"), company)
    assert record is not None
    tasks = await connection.fetch(query("task.today"), company)
    week = days[-WEEK:]
    finished = sum(day.finished for day in week)
    return Figures(
        running=record["running"],
        queued=record["queued"],
        today=days[-1],
        yesterday=days[-2],
        success_rate=sum(day.succeeded + day.warned for day in week) / finished if finished else None,
        finished_in_week=finished,
        active_run_templates=record["active_run_templates"],
        run_templates=record["run_templates"],
        companies=record["companies"],
        applications=record["applications"],
        next_due=record["next_due"],
        tasks_today=TasksToday(**{each["state"]: each["tasks"] for each in tasks}),
    )
