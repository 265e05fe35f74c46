"""How the installation stands."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from cli.command import Options, command
from cli.commands.projection import standing
from cli.commands.queue import span
from cli.commands.task import STATES, headline
from cli.output import Output
from cli.reading import Reader, reading
from cli.version import program_version

SILENT_AFTER = 15.0
"""Seconds without a sign of life after which a daemon counts as silent; it gives one every five."""

EXPECTED = ("projector", "scheduler", "executor")
"""Daemons that an installation needs to run jobs."""

DAEMON = ("kind", "state", "host", "pid", "version", "started_at", "seen_at", "lag_seconds", "running", "detail")

KEYS = "SELECT count(*) AS keys FROM master_keys WHERE retired_at IS NULL"


@command()
async def show_status(output: Output, options: Options) -> None:
    """Show how the installation stands.

    Version, database, jobs, the one that waits longest, tasks whose windows began today, what is paused, read models
    and how far behind they are, events that they could not take, daemons with their last sign of life, how far behind
    their work is and how many jobs they run, the newest signed tree head, and who holds back
    the readers of the log, if anybody does.
    """
    async with reading() as reader:
        found = await collected(reader)
    if output.json:
        output.document(found)
        return
    tables = {name: found.pop(name) for name in ("projections", "daemons")}
    holder = found.pop("horizon")
    database, jobs = found.pop("database"), found.pop("jobs")
    found["database"] = (
        f"{database['server']} {database['version']}, {database['name']}, {size(database['bytes'])}, "
        f"about {database['events']} events"
    )
    found |= {f"jobs {state}": number for state, number in jobs.items()}
    oldest, tasks, paused = (found.pop(name) for name in ("oldest_waiting", "tasks_today", "paused"))
    found["oldest waiting job"] = waiting(oldest) if oldest else "none"
    found["tasks today"] = headline(tasks)
    found["paused"] = ", ".join(named(one) for one in paused) or "nothing"
    found["log readers"] = held_back(holder) if holder else "not held back"
    found["skipped_events"] = passed_over(found["skipped_events"], found.pop("skipped"))
    output.record(found)
    output.text("")
    output.table(("name", "version", "inline", "position", "lag", "lag_seconds"), tables["projections"])
    output.text("")
    if tables["daemons"]:
        output.table(DAEMON, tables["daemons"])
    else:
        output.text("No daemon runs: nothing is scheduled or executed.")


async def collected(reader: Reader) -> dict[str, Any]:
    """Return all that there is to say."""
    figures = await reader.row("dashboard.figures", None) or {}
    totals = await reader.row("status.totals") or {}
    daemons = (await reader.rows("status.daemons")).rows
    tasks = await reader.rows("task.today")
    skipped = (await reader.rows("status.skipped")).rows
    for daemon in daemons:
        daemon["state"] = "active" if daemon["silent_seconds"] < SILENT_AFTER else "silent"
    alive = {daemon["kind"] for daemon in daemons if daemon["state"] == "active"}
    kinds = dict.fromkeys([*EXPECTED, *(daemon["kind"] for daemon in daemons)])
    return {
        "version-cli": program_version(),
        "python": platform.python_version(),
        "os": platform.system(),
        "database": {
            "server": "PostgreSQL",
            "version": totals["server_version"],
            "name": urlsplit(reader.settings.database_url).path.lstrip("/"),
            "bytes": totals["database_bytes"],
            "events": totals["events"] or 0,
        },
        "companies": figures["companies"],
        "apps": figures["applications"],
        "runtemplates": figures["run_templates"],
        "jobs": {"queued": figures["queued"], "running": figures["running"]},
        "oldest_waiting": await reader.row("status.oldest_waiting"),
        "tasks_today": dict.fromkeys(STATES, 0) | {row["state"]: row["tasks"] for row in tasks.rows},
        "paused": (await reader.rows("status.paused")).rows,
        "next_due": figures["next_due"],
        "encryption": await encryption(reader),
        "newest_tree_head": totals["newest_tree_head"],
        **{kind: "active" if kind in alive else "inactive" for kind in kinds},
        "horizon": await reader.row("status.horizon"),
        "skipped_events": sum(row["events"] for row in skipped),
        "skipped": skipped,
        "projections": (await standing(reader)).rows,
        "daemons": daemons,
        "timestamp": datetime.now(UTC),
    }


async def encryption(reader: Reader) -> str:
    """Return whether keys can be opened."""
    if not reader.settings.master_key:
        return "broken (no master key)"
    keys = (await reader.fetch(KEYS)).rows[0]["keys"]
    return f"active ({keys} master key{'' if keys == 1 else 's'})" if keys else "ready (no key yet)"


def waiting(job: dict[str, Any]) -> str:
    """Return in words which job waits longest.

    Examples
    --------
    >>> waiting({"job_id": 7, "runtemplate_id": 42, "seconds": 9_900.2})
    'job 7 of run template 42, for 2h 45m'
    """
    return f"job {job['job_id']} of run template {job['runtemplate_id']}, for {span(max(job['seconds'], 1))}"


def named(paused: dict[str, Any]) -> str:
    """Return in words what is paused, and why.

    Examples
    --------
    >>> named({"what": "installation", "id": None, "name": None, "reason": "Update"})
    'the installation (Update)'
    >>> named({"what": "company", "id": 7, "name": "Acme", "reason": None})
    'company 7 (Acme)'
    """
    who = paused["what"] if paused["id"] else f"the {paused['what']}"
    number = f" {paused['id']}" if paused["id"] else ""
    more = paused["name"] or paused["reason"]
    return f"{who}{number}{f' ({more})' if more else ''}"


def passed_over(count: int, skipped: list[dict[str, Any]]) -> str:
    """Return in words which events read models could not take.

    Examples
    --------
    >>> passed_over(0, [])
    '0'
    >>> passed_over(3, [{"projection": "job", "type": "JobStarted", "events": 3}])
    '3 (job: 3 JobStarted); `projection:rebuild job` tries them again'
    """
    if not skipped:
        return "0"
    told = ", ".join(f"{row['projection']}: {row['events']} {row['type']}" for row in skipped)
    names = " ".join(dict.fromkeys(str(row["projection"]) for row in skipped))
    return f"{count} ({told}); `projection:rebuild {names}` tries them again"


def held_back(holder: dict[str, Any]) -> str:
    """Return a sentence about the backend that holds readers back.

    Examples
    --------
    >>> held_back({"pid": 9, "login": "app", "application": "psql", "state": "idle in transaction",
    ...            "seconds": 61.2, "query": "SELECT 1"})
    'held back for 61 s by backend 9 (app, psql, idle in transaction): SELECT 1'
    """
    who = ", ".join(str(holder[name]) for name in ("login", "application", "state") if holder[name])
    return f"held back for {holder['seconds']:.0f} s by backend {holder['pid'] or '-'} ({who}): {holder['query'] or ''}"


def size(count: int) -> str:
    """Return a number of bytes as people read it.

    Examples
    --------
    >>> size(12_897_484)
    '12.3 MiB'
    """
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f} {unit}"
