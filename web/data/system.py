"""How the system is: each part of the program, each read model, what holds readers back, what could not be taken."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from projections.queries import query as shared
from web.data import pauses
from web.data.dashboard import BEHIND, SILENT
from web.data.pauses import Pause
from web.database import Connection
from web.queries import query

EXPECTED = ("projector", "scheduler", "executor")
"""Daemons without which nothing is scheduled, run or shown."""


class DaemonShown(msgspec.Struct, frozen=True, kw_only=True):
    """A daemon: where it runs, its version, its last sign of life, and what it told of itself.

    Attributes
    ----------
    running, places : int or None
        Of an executor: jobs that run on it, and how many may.
    labels, executors : list[str]
        Of an executor: its labels and the kinds of jobs that it takes.
    """

    id: str
    kind: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime
    silent_seconds: float
    running: int | None
    places: int | None
    labels: list[str]
    executors: list[str]

    @property
    def alive(self) -> bool:
        """Whether it was heard of lately."""
        return self.silent_seconds < SILENT


class ModelShown(msgspec.Struct, frozen=True, kw_only=True):
    """A read model: how many events and seconds it is behind the log. Inline ones never are."""

    name: str
    version: int
    inline: bool
    lag: int
    lag_seconds: float
    event_time: datetime | None
    rebuilt_at: datetime | None

    @property
    def late(self) -> bool:
        """Whether what pages show of it is noticeably older than the log."""
        return self.lag_seconds > BEHIND


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """Events of a type that a read model could not take."""

    projection: str
    type: str
    events: int
    newest: datetime


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """The session whose transaction holds back the readers of the log."""

    pid: int | None
    application: str | None
    state: str | None
    seconds: float


class SystemShown(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page shows."""

    daemons: list[DaemonShown]
    missing: list[str]
    models: list[ModelShown]
    skipped: list[Skipped]
    pauses: list[Pause]
    holder: Holder | None
    server_version: str
    database_bytes: int
    events: int
    newest_tree_head: datetime | None

    @property
    def late(self) -> list[ModelShown]:
        """Read models that are noticeably behind."""
        return [model for model in self.models if model.late]

    @property
    def well(self) -> bool:
        """Whether there is nothing to do."""
        silent = any(not daemon.alive for daemon in self.daemons)
        return not (self.missing or self.late or self.skipped or silent or self.pauses)


async def load(connection: Connection) -> SystemShown:
    """Read how the system is."""
    totals = await connection.fetchrow(shared("status.totals"))
    assert totals is not None
    running = {each["executor_id"]: each["jobs"] for each in await connection.fetch(query("system.running"))}
    daemons = [_daemon(each, running) for each in await connection.fetch(shared("status.daemons"))]
    alive = {daemon.kind for daemon in daemons if daemon.alive}
    holder = await connection.fetchrow(shared("status.horizon"))
    return SystemShown(
        daemons=daemons,
        missing=[kind for kind in EXPECTED if kind not in alive],
        models=[
            ModelShown(
                name=each["name"],
                version=each["version"],
                inline=each["inline"],
                lag=each["lag"],
                lag_seconds=float(each["lag_seconds"] or 0),
                event_time=each["event_time"],
                rebuilt_at=each["rebuilt_at"],
            )
            for each in await connection.fetch(shared("status.projections"))
        ],
        skipped=[
            Skipped(**{name: each[name] for name in Skipped.__struct_fields__})
            for each in await connection.fetch(query("system.skipped"))
        ],
        pauses=await pauses.load(connection, None),
        holder=Holder(**{name: holder[name] for name in Holder.__struct_fields__}) if holder else None,
        server_version=totals["server_version"],
        database_bytes=totals["database_bytes"],
        events=totals["events"] or 0,
        newest_tree_head=totals["newest_tree_head"],
    )


def _daemon(record: Any, running: dict[str, int]) -> DaemonShown:
    detail: dict[str, Any] = msgspec.json.decode(record["detail"] or "{}")
    executor = record["kind"] == "executor"
    names = ("id", "kind", "host", "pid", "version", "started_at", "seen_at")
    return DaemonShown(
        **{name: record[name] for name in names},
        silent_seconds=float(record["silent_seconds"]),
        running=running.get(record["id"], 0) if executor else None,
        places=detail.get("places"),
        labels=[str(each) for each in detail.get("labels") or []],
        executors=[str(each) for each in detail.get("executors") or []],
    )
