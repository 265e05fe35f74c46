"""The queue emptied, and mended."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import click
import psycopg

from cli.acting import SOURCE, Acting, acting
from cli.cells import cell
from cli.command import KEY_OPTION, Options, command, flag, option
from cli.failure import RefusedError
from cli.output import Output
from cli.values import ID
from commands import drift, queue
from commands.drift import Drift
from daemons.settling import settle_appends
from domain.errors import DomainError
from domain.job_events import JobFinished
from eventstore.errors import EventStoreError
from eventstore.log import Meta
from projections.errors import ProjectionError
from projections.rebuild import rebuild

LOST = 255
"""Exit code of a job of which nobody knows how it ended."""


@command(
    option("company_id", type=ID, help="Only jobs of this company."),
    option("reason", metavar="TEXT", help="Why; it stays in the history of each job."),
    flag("force", help="Do it without asking."),
    KEY_OPTION,
)
async def truncate_queue(output: Output, options: Options) -> None:
    """Cancel all jobs that wait.

    Those that run go on. What becomes due later joins the queue as ever; `system:pause` prevents that it starts.
    """
    async with acting() as act:
        figures = await act.reader.row("queue.figures", options.company_id) or {}
        if figures["waiting"] and not options.force:
            confirm(figures["waiting"], output)
        done = await queue.truncate(
            act.shell,
            act.actor,
            company_id=options.company_id,
            reason=options.reason,
            key=options.idempotency_key,
            source=SOURCE,
        )
    jobs = "job that waited was" if done.cancelled == 1 else "jobs that waited were"
    text = f"{done.cancelled} {jobs} cancelled."
    output.answer({"result": text, "waiting": done.cancelled}, text)


@command(flag("dry-run", help="Only tell what is found; exits with 1 if that is anything."))
async def fix_queue(output: Output, options: Options) -> int:
    """Find and mend what keeps jobs from running.

    Looks for jobs, tasks, run templates and leases that contradict the log or each other. Read models are built anew
    from the log, which needs the owner's login (DATABASE_OWNER_URL); the rest is mended by events. Exits with 1 if
    something is left.
    """
    async with acting() as act:
        found = await drift.find(act.shell)
        failures = {} if options.dry_run else await mended(act, found)
        left = {one.name for one in (found if options.dry_run else await drift.find(act.shell))}
    findings = [
        {
            "kind": one.kind,
            "id": one.id,
            "problem": one.problem,
            "mended": one.name not in left,
            **({"error": failures[one.name]} if one.name in failures else {}),
        }
        for one in found
    ]
    done = sum(1 for finding in findings if finding["mended"])
    if output.json:
        output.document({"found": len(found), "mended": done, "findings": findings})
    elif not found:
        output.text("The queue is as it should be.")
    else:
        for finding in findings:
            error = f" {finding['error']}" if "error" in finding else ""
            state = "mended" if finding["mended"] else "not mended"
            output.text(cell(f"{finding['kind']} {finding['id']}: {finding['problem']} ({state}){error}"))
    return 0 if done == len(found) else 1


def confirm(waiting: int, output: Output) -> None:
    """Ask whether all that waits is really to be cancelled; where nobody can be asked, refuse.

    Raises
    ------
    RefusedError
        It is not.
    """
    if sys.stdin.isatty() and not output.json and click.confirm(f"Cancel {waiting} jobs that wait?", err=True):
        return
    raise RefusedError(f"{waiting} jobs wait; none was cancelled. --force cancels all of them.")


async def mended(act: Acting, found: list[Drift]) -> dict[tuple[str, int], str]:
    """Mend what was found; return why what could not be mended could not."""
    failures: dict[tuple[str, int], str] = {}
    projections = sorted({one.projection for one in found if one.projection is not None})
    if projections:
        try:
            await asyncio.to_thread(rebuild, act.store.settings.url_of("owner"), projections)
        except (psycopg.Error, ProjectionError) as error:
            told = f"{' '.join(str(error).split())} Run `multiflexi-cli projection:rebuild {' '.join(projections)}`."
            failures |= {one.name: told for one in found if one.projection is not None}
    for one in found:
        try:
            if one.kind == "run":
                await finish(act, one)
            else:
                await drift.mend(act.shell, one, act.actor, SOURCE)
        except (DomainError, EventStoreError) as error:
            failures[one.name] = str(error)
    return failures


async def finish(act: Acting, lost: Drift) -> None:
    """Record that nobody knows how a job ended, and what that means for its task."""
    row = lost.row
    wished = row["cancel_requested_at"] is not None
    finished = JobFinished(
        job_id=lost.id,
        company_id=row["company_id"],
        run_template_id=row["run_template_id"],
        task_id=row["task_id"],
        outcome="cancelled" if wished else "lost",
        exit_code=LOST,
        reason=f"The executor {row['executor_id']} no longer holds it; what the job did is not known.",
        finished_at=datetime.now(UTC),
        duration=row["seconds"],
    )
    await act.store.append_all(
        await settle_appends(act.store, row, finished), meta=Meta(actor=str(act.actor), source=SOURCE)
    )
