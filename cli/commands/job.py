"""Jobs, as they stand in the history."""

from __future__ import annotations

import shlex
from typing import Any

import click

from cli.cells import moment
from cli.command import FIELDS_OPTION, PAGING, Options, command, one_id, option, required_id
from cli.environments import show_environments
from cli.failure import MissingError
from cli.output import Output
from cli.reading import Reader, reading
from cli.values import ID

SHOWN = ("id", "company_slug", "runtemplate_name", "state", "outcome", "exitcode", "begin", "duration", "launched_by")
STATES = (
    "pending", "queued", "running", "finished", "cancelled",
    "success", "warning", "failed", "failure", "not_found", "killed", "timeout", "lost",
)  # fmt: skip
"""``pending`` is queued, ``failed`` any end but success and warning."""

ORIGIN = ("task_id", "attempt", "retry_of", "labels")
STREAM = "SELECT s.version FROM streams s WHERE s.stream = $1"
FIGURES = """
    SELECT count(*) FILTER (WHERE j.outcome IN ('success', 'warning')) AS successful_jobs,
           count(*) FILTER (WHERE j.outcome NOT IN ('success', 'warning')) AS failed_jobs,
           count(*) FILTER (WHERE j.state IN ('queued', 'running')) AS incomplete_jobs,
           count(DISTINCT j.app_id) AS total_applications,
           count(*) FILTER (WHERE j.due IS NOT NULL) AS repeated_jobs,
           count(*) AS total_jobs,
           (SELECT count(*) FROM job_queue q WHERE q.state = 'queued' AND ($1::integer IS NULL OR q.company_id = $1))
               AS queue_length
      FROM job j
     WHERE $1::integer IS NULL OR j.company_id = $1
"""


@command(
    option(
        "status", type=click.Choice(STATES, case_sensitive=False), help="Only jobs in this state or with this outcome."
    ),
    option("company_id", type=ID, help="Only jobs of this company."),
    option("runtemplate_id", type=ID, help="Only jobs of this run template."),
    *PAGING,
    FIELDS_OPTION,
)
async def list_jobs(output: Output, options: Options) -> None:
    """List jobs."""
    async with reading() as reader:
        found = await reader.rows(
            "job.list" if options.order == "D" else "job.list_ascending",
            options.company_id,
            options.runtemplate_id,
            options.status and options.status.lower(),
            None,
            options.limit,
            options.offset,
        )
        for row in found.rows:
            typed(row)
        if output.shows("env", SHOWN):
            await show_environments(reader, found.rows, "job", "env")
        output.rows(found, SHOWN, await reader.zones(found.rows))


@command(*one_id("job"), FIELDS_OPTION)
async def get_job(output: Output, options: Options) -> None:
    """Show a job."""
    number = required_id(options, "job")
    async with reading() as reader:
        found = await reader.row("job.find", number)
        if found is None:
            raise MissingError(await why_missing(reader, number))
        # Of a job whose month was archived, the log tells nothing any more.
        origin = await reader.row("job.origin", number) or dict.fromkeys(ORIGIN)
        origin |= await removals(reader, found)
        await show_environments(reader, [found], "job", "env")
        output.record(typed(found) | origin, await reader.zones([found]))


@command(option("company_id", type=ID, help="Only jobs of this company."))
async def count_jobs(output: Output, options: Options) -> None:
    """Count the jobs by how they stand."""
    async with reading() as reader:
        figures = (await reader.fetch(FIGURES, options.company_id)).rows[0]
        counts = await reader.rows("job.counts", options.company_id)
    states = {row["state"]: row["jobs"] for row in counts.rows}
    output.record(figures | ({"states": states} if output.json else states))


async def removals(reader: Reader, job: dict[str, Any]) -> dict[str, Any]:
    """Return when output and files of a job were removed, None if they were not."""
    found = await reader.rows("retention.of_job", job["company_id"], job["begin"], job["end"])
    when = {row["what"]: row["removed_at"] for row in found.rows if job["end"] is not None}
    return {f"{what}_removed_at": when.get(what) for what in ("output", "artifacts")}


async def why_missing(reader: Reader, job_id: int) -> str:
    """Return why a job is not in the history."""
    if removed := (await reader.rows("retention.of_history", f"job-{job_id}")).rows:
        when = moment(removed[0]["removed_at"], "UTC")
        days, by_hand = removed[0]["days"], removed[0]["by_hand"]
        rule = "as somebody asked for" if by_hand else f"as its company keeps the history for {days} days"
        return f"Job {job_id} was removed from the history on {when}, {rule}. The log still has its events."
    if (await reader.fetch(STREAM, f"job-{job_id}")).rows:
        return f"Job {job_id} is not in the history yet. Does the projector run? `multiflexi-cli status` tells."
    return f"There is no job {job_id}. `multiflexi-cli job:list` shows those there are."


def typed(row: dict[str, Any]) -> dict[str, Any]:
    """Put the command line as one text in place of its words, in place."""
    if isinstance(row["command"], list):
        row["command"] = shlex.join(row["command"])
    return row
