"""Many companies set up at once from a CSV file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cli.acting import acting
from cli.command import Options, command, flag, option
from cli.failure import RefusedError
from cli.output import Output
from cli.progress import Progress
from commands.company_import import Done, carry_out
from commands.company_plan import Client, Plan, plan
from commands.company_update import Change
from domain.company_sheet import LARGEST, read
from domain.sheet_rows import Problem

PARTS = {
    "company": ("company", "companies"),
    "credential_type": ("credential type", "credential types"),
    "credential": ("credential", "credentials"),
    "run_template": ("run template", "run templates"),
    "assignment": ("assigned credential", "assigned credentials"),
}
"""What is made, as one and as many are called."""

MOST_TOLD = 100
"""Problems that are told to people; programs are told all."""


@command(
    option("file", required=True, metavar="PATH", help="CSV file, a line for each company; - is standard input."),
    option("encoding", default="utf-8", metavar="NAME", help="Encoding of the file, e.g. cp1250; UTF-8 unless told."),
    flag(
        "update",
        help="Change what is there already; an empty cell changes nothing, a cell with - takes away.",
    ),
    flag("dry-run", help="Check everything and tell what would be made; write nothing."),
)
async def import_companies(output: Output, options: Options) -> int:
    """Set up many companies from a CSV file: application, credential, run template and schedule of each.

    All lines are checked before anything is written. Importing again makes what is missing and nothing twice. With
    --update, what is there is changed, too: --dry-run tells first what would be.
    """
    sheet = read(text_of(options.file, options.encoding))
    async with acting() as act:
        planned = await plan(act.shell, act.actor, sheet, update=options.update)
        if planned.problems:
            raise refused(planned, options.file)
        for warning in planned.warnings:
            output.warn(str(warning))
        if options.dry_run:
            answer(output, planned, None)
            return 0
        with Progress("Setting up companies", output) as progress:
            done = await carry_out(act.shell, act.actor, planned, progress)
    return answer(output, planned, done)


def text_of(path: str, encoding: str) -> str:
    """Return the text of a file, or of standard input.

    Raises
    ------
    click.UsageError
        It cannot be read, or is of another encoding.
    """
    try:
        data = sys.stdin.buffer.read(4 * LARGEST) if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise click.UsageError(
            f"{path}, line {line}: it is not {encoding}. Save it as UTF-8, or tell what it is: --encoding cp1250."
        ) from None
    except LookupError:
        raise click.UsageError(f"There is no encoding “{encoding[:40]}”. Try utf-8 or cp1250.") from None


def refused(planned: Plan, file: str) -> RefusedError:
    """Return the refusal of a sheet: each problem with its line and column."""
    count = len(planned.problems)
    told = [f"  {problem}" for problem in planned.problems[:MOST_TOLD]]
    if count > MOST_TOLD:
        told.append(f"  and {count - MOST_TOLD} more")
    head = f"Nothing was written: {count} places of {file} are wrong." if count > 1 else "Nothing was written:"
    return RefusedError("\n".join([head, *told]), field="file", problems=[_place(each) for each in planned.problems])


def answer(output: Output, planned: Plan, done: list[Done] | None) -> int:
    """Tell what was made, or without ``done`` what would be; return the exit code."""
    lines = [_planned(client) for client in planned.clients] if done is None else [_done(each) for each in done]
    for line, client in zip(lines, planned.clients, strict=True):
        line["differs"] = list(client.differs)
        if client.update.changes:
            line["changes"] = [_change(change) for change in client.update.changes]
    made = Counter(part for line in lines for part in line["made"])
    failed = [line for line in lines if line.get("error")]
    changed = sum(1 for line in lines if line.get("changes") and not line.get("error"))
    there = sum(1 for line in lines if not line["made"] and not line.get("changes") and not line.get("error"))
    document: dict[str, Any] = {
        "dry_run": done is None,
        "lines": lines,
        "made": dict(made),
        "changed": changed,
        "unchanged": there,
        "failed": len(failed),
        "warnings": [_place(warning) for warning in planned.warnings],
    }
    if output.json:
        output.document(document)
        return 1 if failed else 0
    output.text(summary(made, there, len(lines), changed, dry=done is None))
    for line, client in zip(lines, planned.clients, strict=True):
        if client.update.changes:
            output.text(f"line {line['line']}, {line['code']}: {'; '.join(map(str, client.update.changes))}")
        if line["differs"]:
            output.warn(
                f"line {line['line']}: {line['code']} has another {', '.join(line['differs'])}, which stays as it is."
            )
        if line.get("error"):
            output.warn(f"line {line['line']}: {line['code']} was not finished: {line['error']}")
    if failed:
        output.remark(f"{len(failed)} lines were not finished. Import the file again when that is mended.")
    return 1 if failed else 0


def summary(made: Mapping[str, int], there: int, lines: int, changed: int = 0, *, dry: bool) -> str:
    """Return what was made and changed, or would be, in a sentence or two.

    Parameters
    ----------
    made : Mapping[str, int]
        How many of each part.
    there : int
        Lines of which all was there before.
    lines : int
        All lines.
    changed : int
        Lines of which something that was there is changed.

    Examples
    --------
    >>> summary({"company": 1, "credential": 2}, 0, 2, dry=False)
    'Made: 1 company, 2 credentials.'
    >>> summary({}, 2, 2, dry=True)
    'Nothing would be made: all that the 2 lines tell is there already.'
    >>> summary({"company": 3}, 1, 4, dry=True)
    'Would be made: 3 companies. Of 1 line of 4, all is there already.'
    >>> summary({}, 0, 1, 1, dry=True)
    'Would be changed: 1 line.'
    """
    counts = ", ".join(f"{made[part]} {names[made[part] > 1]}" for part, names in PARTS.items() if made.get(part))
    sentences = [f"{'Would be made' if dry else 'Made'}: {counts}."] if counts else []
    if changed:
        sentences.append(f"{'Would be changed' if dry else 'Changed'}: {changed} line{'s' if changed > 1 else ''}.")
    if not sentences:
        whole = "the line tells" if lines == 1 else f"the {lines} lines tell"
        why = f": all that {whole} is there already." if there == lines else "."
        return f"Nothing {'would be' if dry else 'was'} made{why}"
    if there:
        sentences.append(f"Of {there} line{'s' if there > 1 else ''} of {lines}, all is there already.")
    return " ".join(sentences)


def _planned(client: Client) -> dict[str, Any]:
    return {
        "line": client.line.number,
        "code": client.line.company.code,
        "company_id": client.company_id,
        "credential_id": client.credential_id,
        "runtemplate_id": client.template_id,
        "made": list(client.missing),
    }


def _done(done: Done) -> dict[str, Any]:
    return {
        "line": done.line,
        "code": done.code,
        "company_id": done.company_id,
        "credential_id": done.credential_id,
        "runtemplate_id": done.run_template_id,
        "made": list(done.made),
        "error": done.error,
    }


def _change(change: Change) -> dict[str, Any]:
    return {"column": change.column} | ({"before": change.before, "after": change.after} if change.told else {})


def _place(problem: Problem) -> dict[str, Any]:
    return {"line": problem.line, "column": problem.column, "message": problem.message}
