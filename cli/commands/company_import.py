"""Many companies set up at once from a CSV file."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from cli.acting import acting
from cli.command import Options, command, flag, option
from cli.failure import RefusedError
from cli.output import Output
from cli.progress import Progress
from commands.company_import import Client, Done, Plan, carry_out, plan
from domain.company_sheet import LARGEST, Problem, read

PARTS = {
    "company": "companies",
    "credential_type": "credential types",
    "credential": "credentials",
    "run_template": "run templates",
    "assignment": "assignments",
}
MOST_TOLD = 100
"""Problems that are told to people; programs are told all."""


@command(
    option("file", required=True, metavar="PATH", help="CSV file, a line for each company; - is standard input."),
    option("encoding", default="utf-8", metavar="NAME", help="Encoding of the file, e.g. cp1250; UTF-8 unless told."),
    flag("dry-run", help="Check everything and tell what would be made; write nothing."),
)
async def import_companies(output: Output, options: Options) -> int:
    """Set up many companies from a CSV file: application, credential, run template and schedule of each.

    All lines are checked before anything is written. Importing again makes what is missing and nothing twice.
    """
    sheet = read(text_of(options.file, options.encoding))
    async with acting() as act:
        planned = await plan(act.shell, act.actor, sheet)
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
    made = Counter(part for line in lines for part in line["made"])
    failed = [line for line in lines if line.get("error")]
    there = sum(1 for line in lines if not line["made"] and not line.get("error"))
    document: dict[str, Any] = {
        "dry_run": done is None,
        "lines": lines,
        "made": dict(made),
        "unchanged": there,
        "failed": len(failed),
        "warnings": [_place(warning) for warning in planned.warnings],
    }
    if output.json:
        output.document(document)
        return 1 if failed else 0
    would = "would be made" if done is None else "were made"
    counts = ", ".join(f"{made[part]} {name}" for part, name in PARTS.items() if made[part])
    output.text(f"{counts or 'Nothing'} {would}; of {there} of {len(lines)} lines all is there already.")
    for line in lines:
        if line["differs"]:
            output.warn(
                f"line {line['line']}: {line['code']} has another {', '.join(line['differs'])}, which stays as it is."
            )
        if line.get("error"):
            output.warn(f"line {line['line']}: {line['code']} was not finished: {line['error']}")
    if failed:
        output.remark(f"{len(failed)} lines were not finished. Import the file again when that is mended.")
    return 1 if failed else 0


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


def _place(problem: Problem) -> dict[str, Any]:
    return {"line": problem.line, "column": problem.column, "message": problem.message}
