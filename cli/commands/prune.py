"""What need not be kept any longer, removed by hand."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from cli.acting import SOURCE, acting
from cli.cells import cell
from cli.command import PAGING, Options, command, flag, option
from cli.failure import RefusedError
from cli.output import Output
from cli.reading import reading
from cli.values import ID, WORDS, Count
from commands.actor import SYSTEM
from commands.retention import Removal, Result, Work, keep_newest, remove
from domain.retention import LONGEST, Rules
from eventstore.log import Meta

KINDS = ("output", "artifacts", "history")
SHOWN = ("company_id", "what", "month", "before", "days", "by_hand", "removed_at", "jobs", "things", "bytes")
DRY_RUN = flag("dry-run", help="Only tell what would be removed.")
COMPANY = option("company_id", "--company", type=ID, help="Only of this company.")


@command(
    flag("jobs", help="Take jobs out of the history, but the newest ones; in place of the companies' rules."),
    flag("logs", help="Nothing: who changed what is evidence, and stays."),
    option("keep", type=Count(0), default=1000, metavar="N", help="With --jobs: how many stay; 1000 unless told."),
    COMPANY,
    DRY_RUN,
)
async def prune(output: Output, options: Options) -> None:
    """Remove what companies keep no longer.

    The projector does so every hour, by the rules of each company (company:update --keep_output and others). With
    --jobs all jobs that have ended leave the history, but the newest --keep.
    """
    if options.logs:
        output.remark("The audit trail is evidence: nothing of it is removed. Months of it can be archived.")
        if not options.jobs:
            output.answer({"removed": [], "held": []}, "Nothing was removed.")
            return

    async def work(at_hand: Work) -> Result:
        if options.jobs:
            return await keep_newest(at_hand, options.keep, options.company_id)
        return await remove(at_hand, company_id=options.company_id)

    await carry_out(work, output, by_hand=options.jobs, dry_run=options.dry_run)


@command(
    option("days", type=Count(1), required=True, metavar="N", help="What jobs left that ended longer ago."),
    option("what", type=WORDS, default=",".join(KINDS), help="Of output, artifacts and history; all unless told."),
    COMPANY,
    DRY_RUN,
    flag("force", help="Do it without asking."),
)
async def clean_up_jobs(output: Output, options: Options) -> None:
    """Remove what jobs of long ago left.

    Output goes by whole months: it becomes unreadable for good when the last day of its month is so long ago. Files
    and their contents, and jobs in the history, go by the day on which the job ended. Jobs that wait or run stay.
    """
    unknown = [word for word in options.what if word not in KINDS]
    if unknown or not options.what:
        raise click.UsageError(f"--what takes {', '.join(KINDS)}, not “{', '.join(unknown)[:60]}”.")
    if options.days > LONGEST:
        raise click.UsageError(f"--days is {options.days}; at most {LONGEST} are possible.")
    if not options.dry_run and not options.force:
        confirm(options, output)
    rules = Rules(**dict.fromkeys(options.what, options.days))

    async def work(at_hand: Work) -> Result:
        return await remove(at_hand, rules=rules, company_id=options.company_id)

    await carry_out(work, output, by_hand=True, dry_run=options.dry_run)


@command(COMPANY, *PAGING)
async def list_removals(output: Output, options: Options) -> None:
    """List what was removed, when and by which rule."""
    async with reading() as reader:
        found = await reader.rows("retention.list", options.company_id, options.limit, options.offset)
        output.rows(found, SHOWN, await reader.zones(found.rows))


async def carry_out(work: Callable[[Work], Awaitable[Result]], output: Output, *, by_hand: bool, dry_run: bool) -> None:
    """Remove, and tell what was removed."""
    async with acting("projector") as act:
        meta = Meta(actor=str(SYSTEM), source=SOURCE)
        at_hand = Work(store=act.store, now=datetime.now(UTC), meta=meta, by_hand=by_hand, dry_run=dry_run)
        result = await work(at_hand)
    if output.json:
        output.document({"dry_run": dry_run, **msgspec.to_builtins(result)})
        return
    for each in result.removals:
        output.text(cell(f"{'would be removed' if dry_run else 'removed'}: {sentence(each)}"))
    for reason in result.held:
        output.remark(cell(reason))
    if not result.removals:
        output.text("Nothing is over." if dry_run else "Nothing was removed.")


def sentence(removal: Removal) -> str:
    """Return what was removed, in words.

    Examples
    --------
    >>> sentence(Removal(company_id=7, what="output", month="2026-02", days=30, jobs=2, things=5, bytes=10))
    'company 7: output of 2 jobs in 2026-02 (5 pieces, 10 bytes)'
    """
    before = f" that ended before {removal.before:%Y-%m-%d %H:%M} UTC" if removal.before else ""
    told: dict[str, Any] = {
        "output": f"output of {removal.jobs} jobs in {removal.month} ({removal.things} pieces, {removal.bytes} bytes)",
        "artifacts": f"{removal.things} files of jobs{before} ({removal.bytes} bytes)",
        "contents": f"{removal.things} contents that no file refers to ({removal.bytes} bytes as stored)",
        "history": f"{removal.jobs} jobs and {removal.things} tasks{before}",
        "month": f"the month {removal.month} of all output, which nobody could read any more ({removal.things} events)",
    }
    owner = "" if removal.company_id is None else f"company {removal.company_id}: "
    return f"{owner}{told[removal.what]}"


def confirm(options: Options, output: Output) -> None:
    """Ask whether all of it is really to be removed; where nobody can be asked, refuse.

    Raises
    ------
    RefusedError
        It is not.
    """
    whose = "all companies" if options.company_id is None else f"company {options.company_id}"
    what = f"{', '.join(options.what)} of {whose} older than {options.days} days"
    if sys.stdin.isatty() and not output.json and click.confirm(f"Remove {what} for good?", err=True):
        return
    raise RefusedError(f"Nothing was removed. --force removes {what}; --dry-run tells what that is.")
