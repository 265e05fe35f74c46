"""The settings of a run template as options, and what a command is told of them."""

from __future__ import annotations

from typing import Any

import click

from cli.acting import in_zone
from cli.amounts import LIMIT, SPAN
from cli.command import Options, boolean, option
from cli.sources import setting_options
from cli.values import EMPTY, MOMENT, WHOLE, WORDS, Count, OrEmpty
from domain.checks import zone_or_none

FIELDS = {
    "name": "name",
    "interv": "interval",
    "cron": "cron",
    "time_zone": "time_zone",
    "start_at": "start_at",
    "end_at": "end_at",
    "delay": "delay",
    "jitter": "jitter",
    "active": "active",
    "missed_policy": "missed_policy",
    "missed_limit": "missed_limit",
    "overlap_policy": "overlap_policy",
    "when_lost": "when_lost",
    "priority": "priority",
    "max_parallel": "max_parallel",
    "run_as": "run_as",
    "executor": "executor",
    "deadline_offset": "deadline_offset",
    "max_attempts": "max_attempts",
    "retry_backoff": "retry_backoff",
    "retry_min_gap": "retry_min_gap",
    "allow_late": "allow_late",
    "note": "note",
}
"""Fields of the command by the names of options."""

MOMENTS = ("start_at", "end_at")

SETTINGS = (
    option("interv", metavar="CODE", help="How often: n manual, i h d w m y, or c by --cron."),
    option("cron", metavar="EXPRESSION", help="When, for --interv c: five or six fields."),
    option("time_zone", metavar="ZONE", help="Time zone of the schedule; that of the company unless told."),
    option("start_at", type=OrEmpty(MOMENT), metavar="TIME", help="It is due from this moment on only."),
    option("end_at", type=OrEmpty(MOMENT), metavar="TIME", help="It is due until this moment only."),
    option("delay", type=SPAN, help="Start each job so long after it is due."),
    option("jitter", type=SPAN, help="Spread the starts over so long a time."),
    boolean("active", "Whether it is due at all."),
    option("missed_policy", metavar="NAME", help="Runs that nobody scheduled in time: skip, once or all."),
    option("missed_limit", type=Count(1), metavar="N", help="At most so many of them, with --missed_policy all."),
    option("overlap_policy", metavar="NAME", help="Due while a job of it waits or runs: allow, skip, queue or cancel."),
    option("when_lost", metavar="NAME", help="Its executor died: fail, or retry while attempts are left."),
    option("priority", type=WHOLE, metavar="N", help="Higher starts earlier; 0 unless told."),
    option("max_parallel", type=OrEmpty(Count(1)), metavar="N", help="Jobs at once, with --overlap_policy allow."),
    option("labels", type=WORDS, multiple=True, help="Labels that an executor must have, all of them anew."),
    option(
        "limits",
        type=LIMIT,
        multiple=True,
        help="A limit, e.g. memory=512M or wall_time=10m; several times for more, all of them anew.",
    ),
    option("run_as", metavar="USER", help="User of the process, where the executor is root."),
    option("executor", metavar="NAME", help="Native, Docker, Podman, Kubernetes or Azure."),
    *setting_options("config", "A setting of the application, kept"),
    option("deadline_offset", metavar="OFFSET", help="Deadline of each window: +3h after its start, or 08:00."),
    option("max_attempts", type=Count(1), metavar="N", help="Attempts in each window."),
    option("retry_backoff", metavar="NAME", help="none, fixed, linear or exponential."),
    option("retry_min_gap", type=SPAN, help="At least so long between two attempts."),
    boolean("allow_late", "Whether success after the deadline counts, as late."),
    option("note", metavar="TEXT", help="Note for people; stored encrypted."),
)


def given(options: Options, zone: str | None) -> dict[str, Any]:
    """Return the fields of the command that options were given for; an empty one is None.

    Parameters
    ----------
    options : Options
        Options of the command.
    zone : str or None
        Time zone that a moment without an offset is meant in.
    """
    values = vars(options)
    fields = {field: values[name] for name, field in FIELDS.items() if values.get(name) is not None}
    # A zone that does not exist is told by the domain.
    known = zone if zone and zone_or_none(zone) else None
    for name in MOMENTS:
        if name in fields:
            fields[name] = None if fields[name] == EMPTY else in_zone(fields[name], known)
    if fields.get("max_parallel") == EMPTY:
        fields["max_parallel"] = None
    if options.labels:
        fields["labels"] = [label for labels in options.labels for label in labels]
    if options.limits:
        fields["limits"] = dict(limit for limit in options.limits if limit != EMPTY)
    return fields


def missing(what: str, how: str) -> int:
    """Say that something was not given.

    Raises
    ------
    click.UsageError
        Always.
    """
    raise click.UsageError(f"Which {what}? Give {how}.")
