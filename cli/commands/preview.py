"""The next runs of a schedule, and where daylight saving time moves one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from cli.acting import in_zone
from cli.cells import moment
from cli.command import Options, chosen_id, command, one_id, option
from cli.failure import MissingError, RefusedError
from cli.output import Output
from cli.reading import reading
from cli.values import EMPTY, MOMENT, Count, OrEmpty
from domain import checks, zones
from domain.cron import CronError
from domain.schedule import Due, upcoming

USUAL = 10
MOST = 1_000
"""Runs that are shown when nobody says how many, and at most."""

BEFORE = timedelta(microseconds=1)
YEARS = range(1970, 9998)


@command(
    *one_id("run template"),
    option("interv", metavar="CODE", help="How often: i h d w m y, or c by --cron."),
    option("cron", metavar="EXPRESSION", help="When: five or six fields."),
    option("timezone", "--time-zone", "--time_zone", metavar="ZONE", help="Time zone of the schedule."),
    option("start_at", type=OrEmpty(MOMENT), metavar="TIME", help="It is due from this moment on only."),
    option("end_at", type=OrEmpty(MOMENT), metavar="TIME", help="It is due until this moment only."),
    option("from", type=MOMENT, default="now", help="Runs from this moment on; now unless told."),
    option("count", type=Count(1), metavar="N", default=USUAL, help=f"So many runs; {USUAL} unless told."),
)
async def preview_run_template(output: Output, options: Options) -> None:
    """Show the next runs of a run template, or of a schedule.

    Whatever is given is tried in place of what the run template has; without a run template, the time zone is UTC
    unless told. A run whose hour is skipped when the clock goes forward happens at the end of that hour.
    """
    if options.count > MOST:
        raise click.UsageError(f"At most {MOST} runs are shown.")
    if vars(options)["from"].year not in YEARS:
        raise click.UsageError(f"--from must lie between the years {YEARS[0]} and {YEARS[-1]}.")
    terms = await wished(chosen_id(options), options)
    try:
        runs = runs_of(terms, in_zone(vars(options)["from"], terms["time_zone"]), options.count)
    except CronError as error:
        raise RefusedError(error.message, field="cron", cron=terms["cron"], part=error.part) from None
    if output.json:
        output.document([{"due": run.due, "local": run.local, "moved": run.moved} for run in runs])
        return
    zone = terms["time_zone"]
    if runs:
        rows = [
            {"due": moment(run.due, "UTC"), "local": moment(run.due, zone), "remark": remark(run, zone)} for run in runs
        ]
        output.table(("due", "local", "remark") if any(row["remark"] for row in rows) else ("due", "local"), rows)
    else:
        output.remark("It is never due.")
    if not terms["active"]:
        output.remark(f"Run template {terms['id']} is inactive: none of this happens until it is activated.")


async def wished(number: int | None, options: Options) -> dict[str, Any]:
    """Return the schedule that is meant: that of a run template, with what was given in its place.

    Raises
    ------
    MissingError
        There is no such run template.
    click.UsageError
        Neither a run template nor a schedule is named.
    """
    terms: dict[str, Any] = {"id": number, "interv": None, "cron": None, "active": True}
    terms |= {"time_zone": "UTC", "start_at": None, "end_at": None}
    if number is not None:
        async with reading() as reader:
            found = await reader.row("run_template.find", number, None)
        if found is None:
            raise MissingError(
                f"There is no run template {number}. `multiflexi-cli run-template:list` shows those there are."
            )
        terms = {name: found[name] for name in terms} | {"time_zone": found["zone"]}
    given = {"interv": options.interv, "cron": options.cron, "time_zone": options.timezone}
    terms |= {name: value for name, value in given.items() if value is not None}
    if options.cron is not None and options.interv is None:
        terms["interv"] = "c"
    if terms["interv"] is None:
        raise click.UsageError("Which schedule? Give --id, or --interv, or --cron.")
    terms["time_zone"] = checks.time_zone(terms["time_zone"], "timezone")
    for name in ("start_at", "end_at"):
        value = vars(options)[name]
        if value is not None:
            terms[name] = None if value == EMPTY else in_zone(value, terms["time_zone"])
    return terms


def runs_of(terms: dict[str, Any], start: datetime, count: int) -> list[Due]:
    """Return the next runs of a schedule, from a moment on, that moment included."""
    if terms["start_at"] is not None:
        start = max(start, terms["start_at"])
    return upcoming(
        terms["interv"], terms["cron"], terms["time_zone"], start - BEFORE, count=count, until=terms["end_at"]
    )


def remark(run: Due, zone: str) -> str:
    """Return in words how daylight saving time moved a run, nothing if it did not.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> begin = datetime(2026, 3, 29, 1, tzinfo=UTC)
    >>> remark(Due(due=begin, local=begin.astimezone(ZoneInfo("Europe/Prague")), moved=True), "Europe/Prague")
    'moved by daylight saving time: the clock goes from 02:00 to 03:00, and the time asked for is in between'
    """
    if not run.moved:
        return ""
    begin = int(run.due.timestamp())
    before = datetime.fromtimestamp(begin + zones.offset(zone, begin - 1), UTC)
    after = datetime.fromtimestamp(begin + zones.offset(zone, begin), UTC)
    day = "" if before.date() == after.date() else " of the next day"
    return (
        f"moved by daylight saving time: the clock goes from {before:%H:%M} to {after:%H:%M}{day}, and the time asked "
        "for is in between"
    )
