"""Tasks: what was owed for each window of a run template, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from cli.acting import in_zone
from cli.command import FIELDS_OPTION, PAGING, Options, command, flag, one_id, option, required_id
from cli.failure import MissingError
from cli.output import Output
from cli.reading import Reader, reading
from cli.values import ID, MOMENT

SHOWN = ("id", "company_slug", "runtemplate_name", "window_start", "deadline", "state", "attempts", "fulfilled_at")
JOBS_SHOWN = ("id", "attempt", "retry_of", "state", "outcome", "exitcode", "begin", "duration")
STATES = ("open", "running", "fulfilled", "fulfilled_late", "failed", "missed")
ENDED = STATES[2:]

WHICH = (
    option("runtemplate_id", "--runtemplate", type=ID, help="Only tasks of this run template."),
    option("company_id", type=ID, help="Only tasks of this company."),
)
ZONE = """
    SELECT coalesce(t.document->>'time_zone', c.time_zone) AS zone
      FROM company c LEFT JOIN run_template t ON t.company_id = c.id AND t.id = $1::integer
     WHERE c.id = coalesce($2::integer, t.company_id)
"""


@command(
    *WHICH,
    option("state", type=click.Choice(STATES, case_sensitive=False), help="Only tasks in this state."),
    option("from", type=MOMENT, help="Only tasks whose window begins at this moment or later."),
    option("to", type=MOMENT, help="Only tasks whose window begins before this moment."),
    *PAGING,
    FIELDS_OPTION,
)
async def list_tasks(output: Output, options: Options) -> None:
    """List tasks."""
    async with reading() as reader:
        begin, end = await bounds(reader, options)
        found = await reader.rows(
            "task.page_newest" if options.order == "D" else "task.page",
            options.company_id,
            options.runtemplate_id,
            options.state and options.state.lower(),
            begin,
            end,
            options.limit,
            options.offset,
        )
        output.rows(found, SHOWN, await reader.zones(found.rows))


@command(*one_id("task"), flag("with-jobs", help="Its attempts, too."), FIELDS_OPTION)
async def get_task(output: Output, options: Options) -> None:
    """Show a task."""
    number = required_id(options, "task")
    async with reading() as reader:
        found = await reader.row("task.find", number)
        if found is None:
            raise MissingError(f"There is no task {number}. `multiflexi-cli task:list` shows those there are.")
        zone = await reader.zones([found])
        jobs = (await reader.rows("task.jobs", number)).rows if options.with_jobs else None
    if jobs is None:
        output.record(found, zone)
    elif output.json:
        if output.fields:
            output.fields = (*output.fields, "jobs")
        output.record({**found, "jobs": jobs})
    else:
        output.record(found, zone)
        output.text("")
        if jobs:
            output.table(JOBS_SHOWN, jobs, lambda _row: zone(found))
        else:
            output.text("No attempt is in the history.")


@command(
    *WHICH,
    option("from", type=MOMENT, help="Windows that begin at this moment or later; 24 hours ago unless told."),
    option("to", type=MOMENT, help="Windows that begin before this moment; now unless told."),
)
async def count_tasks(output: Output, options: Options) -> None:
    """Tell how many tasks were fulfilled on time."""
    async with reading() as reader:
        begin, end = await bounds(reader, options)
        end = end or datetime.now(UTC)
        begin = begin or end - timedelta(days=1)
        counts = await reader.rows("task.period", options.company_id, options.runtemplate_id, begin, end)
        zone = await zone_of(reader, options)
    states: dict[str, int] = dict.fromkeys(STATES, 0)
    states |= {row["state"]: row["tasks"] for row in counts.rows}
    document = {"headline": headline(states), "from": begin, "to": end, "total": sum(states.values()), **states}
    output.record(document, lambda _row: zone)


def headline(states: dict[str, int]) -> str:
    """Return in a sentence how the tasks stand, those that are still open apart from those that have ended.

    Examples
    --------
    >>> headline({"fulfilled": 23, "fulfilled_late": 1})
    '23/24 fulfilled on time, 1 late'
    >>> headline({"fulfilled": 20, "failed": 1, "missed": 2, "open": 1})
    '20/23 fulfilled on time, 1 failed, 2 missed; 1 open'
    >>> headline({"running": 1}), headline({})
    ('none has ended; 1 running', 'there are none')
    """
    ended = sum(states.get(state, 0) for state in ENDED)
    text = f"{states.get('fulfilled', 0)}/{ended} fulfilled on time" if ended else "none has ended"
    for state, word in (("fulfilled_late", "late"), ("failed", "failed"), ("missed", "missed")):
        text += f", {states[state]} {word}" if states.get(state) else ""
    rest = ", ".join(f"{states[state]} {state}" for state in ("running", "open") if states.get(state))
    if not (ended or rest):
        return "there are none"
    return f"{text}; {rest}" if rest else text


async def bounds(reader: Reader, options: Options) -> tuple[datetime | None, datetime | None]:
    """Return the moments given by ``--from`` and ``--to``, in the time zone of the run template or the company."""
    begin, end = vars(options)["from"], options.to
    zone = await zone_of(reader, options)
    return (begin and in_zone(begin, zone), end and in_zone(end, zone))


async def zone_of(reader: Reader, options: Options) -> str | None:
    """Return the time zone of the run template or the company that options name, None if they name none."""
    if options.runtemplate_id is None and options.company_id is None:
        return None
    found: list[dict[str, Any]] = (await reader.fetch(ZONE, options.runtemplate_id, options.company_id)).rows
    return found[0]["zone"] if found else None
