"""The erasure of users: asked for, decided on, done, and told how it went."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import click
import msgspec

from cli import whom
from cli.acting import Acting, acting
from cli.command import FIELDS_OPTION, Options, command, flag, option
from cli.failure import MissingError, RefusedError
from cli.output import Output, Rows
from cli.reading import Reader, reading
from cli.values import ID, ORDER, Count
from commands import erasures
from commands.actor import Actor, require
from domain.command import Command
from domain.erasure import SOFT, STATUSES, TYPES, ApproveErasure, RejectErasure, RequestErasure, WithdrawErasure
from domain.erasure_events import ErasureEvent, ErasureRequested, ErasureStarted
from domain.event import Erased

SHOWN = ("id", "user_id", "login", "deletion_type", "status", "requested_by_user_id", "request_date", "completed_date")
TRAIL_SHOWN = ("performed_date", "action", "table_name", "record_id", "performed_by", "reason")

REQUEST = option("request-id", "-r", type=ID, help="Id of the request.")
FORCE = flag("force", "-f", help="Ask for no confirmation.")
USER = (
    option("user-id", "-u", type=ID, help="User, by id; oneself unless told."),
    option("user-login", "-l", metavar="LOGIN", help="User, by login."),
)
TYPE = option(
    "deletion-type",
    "-t",
    type=click.Choice(TYPES, case_sensitive=False),
    help="soft (default) keeps roles and access, under no name; anonymize gives them up; hard removes the user.",
)
REASON = option("reason", metavar="TEXT", help="Why; stored encrypted for seven years.")
NOTES = option("notes", metavar="TEXT", help="What was found in the review; stored encrypted for seven years.")
EXPORT = option(
    "export-audit",
    "-e",
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Write it to a new file: CSV where the name ends in .csv, JSON otherwise; without a name to standard output.",
)
STATUS = option("status", "-s", type=click.Choice(STATUSES, case_sensitive=False), help="Only those of this status.")
LISTED = (
    STATUS,
    option("limit", type=Count(1), metavar="N", help="At most so many."),
    option("order", type=ORDER, metavar="A|D", help="A: ascending by id, D: descending."),
)


async def listed(output: Output, options: Options) -> None:
    """List requests for erasure: one's own, or all of them who manages users; newest first."""
    async with reading(whole=True) as reader:
        offset = getattr(options, "offset", 0) or 0
        output.rows(await rows(reader, options.limit, offset, options.order == "A", options.status, None), SHOWN)


async def create(output: Output, options: Options) -> None:
    """Ask that a user be erased."""
    async with acting() as act:
        number = await user_of(act, options)
        kind = (options.deletion_type or SOFT).lower()
        confirm(options, output, f"Ask that user {number} be erased ({kind})?")
        wish = RequestErasure(user_id=number, deletion_type=kind, reason=options.reason)
        outcome = await act.execute(wish)
    output.answer({"request_id": outcome.id, "status": "pending"}, f"Request {outcome.id} was made.")


async def approve(output: Output, options: Options) -> None:
    """Find that a user is to be erased; somebody other than who asked, and than the user."""
    number = request_id(options)
    confirm(options, output, f"Approve request {number}?")
    await decided(ApproveErasure(erasure_id=number, notes=options.notes), output, "approved")


async def reject(output: Output, options: Options) -> None:
    """Find that a user is not to be erased."""
    number = request_id(options)
    if not options.reason:
        raise click.UsageError("Why? Give --reason.")
    confirm(options, output, f"Reject request {number}?")
    await decided(RejectErasure(erasure_id=number, reason=options.reason), output, "rejected")


async def withdraw(output: Output, options: Options) -> None:
    """Take back a request that is not being done yet."""
    await decided(WithdrawErasure(erasure_id=request_id(options)), output, "withdrawn")


async def process(output: Output, options: Options) -> None:
    """Do an erasure that was approved, or go on with one that was interrupted."""
    number = request_id(options)
    async with acting() as act:
        done = await erasures.process(act.shell, number, act.actor)
    text = f"User {done.user_id} was erased; {done.sessions} sessions ended. Nobody can read any more who they were."
    document = {"request_id": number, "user_id": done.user_id, "status": "completed", "sessions": done.sessions}
    output.answer(document, text)


async def audit(output: Output, options: Options) -> int | None:
    """Show what happened to a request, from the log; or write it to a file."""
    number = request_id(options)
    async with acting() as act:
        if not (await rows(act.whole, 1, 0, False, None, number)).rows:
            raise missing(number)
        trail = await trail_of(act, number)
    if options.export_audit is None:
        output.rows(Rows(tuple(trail[0]), trail), TRAIL_SHOWN)
        return None
    as_csv = options.export_audit.lower().endswith(".csv")
    written = csv_of(trail) if as_csv else msgspec.json.format(msgspec.json.encode(trail)).decode() + "\n"
    if options.export_audit == "-":
        sys.stdout.write(written)
        return None
    save(Path(options.export_audit), written)
    text = f"{len(trail)} lines were written to {options.export_audit}."
    output.answer({"request_id": number, "file": options.export_audit, "lines": len(trail)}, text)
    return None


async def cleanup(output: Output, _options: Options) -> None:
    """Make reasons and notes of requests unreadable that were closed seven years ago."""
    async with acting() as act:
        if whom.ACTOR.get() is not None:
            require(act.actor, "users.manage", wish="user-erasure:cleanup")
        done = await erasures.forget_old(act.shell, act.actor)
    output.answer({"cleaned": done}, f"{len(done)} requests were closed seven years ago; their reasons are gone.")


ACTIONS: dict[str, Callable[[Output, Options], Coroutine[Any, Any, int | None]]] = {
    "list": listed,
    "create": create,
    "approve": approve,
    "reject": reject,
    "withdraw": withdraw,
    "process": process,
    "audit": audit,
    "cleanup": cleanup,
}
"""What can be done, by the name of its command."""

list_erasures = command(*LISTED)(listed)
create_erasure = command(*USER, TYPE, REASON, FORCE)(create)
approve_erasure = command(REQUEST, NOTES, FORCE)(approve)
reject_erasure = command(REQUEST, REASON, FORCE)(reject)
withdraw_erasure = command(REQUEST)(withdraw)
process_erasure = command(REQUEST)(process)
audit_erasure = command(REQUEST, EXPORT)(audit)
cleanup_erasures = command()(cleanup)


@command(
    click.Argument(["action"], type=click.Choice(list(ACTIONS), case_sensitive=False)),
    *USER,
    REQUEST,
    TYPE,
    REASON,
    NOTES,
    FORCE,
    EXPORT,
    *LISTED,
    option("offset", type=Count(0), metavar="N", default=0, help="Leave out the first so many."),
    FIELDS_OPTION,
)
async def data_erasure(output: Output, options: Options) -> int | None:
    """Do what `user-erasure:ACTION` does.

    One command for all of it.
    """
    return await ACTIONS[options.action](output, options)


async def decided(wish: Command, output: Output, how: str) -> None:
    """Execute a command that decides on a request."""
    async with acting() as act:
        outcome = await act.execute(wish)
    output.answer({"request_id": outcome.id, "status": how}, f"Request {outcome.id} was {how}.")


async def user_of(act: Acting, options: Options) -> int:
    """Return the user that the options name; who acts, unless they name one."""
    number: int | None = options.user_id
    if options.user_login:
        row = await act.shell.facts.row("user_of_login", await act.shell.facts.keyed("login", options.user_login))
        if row is None or number not in (None, row["id"]):
            raise MissingError("There is no such user. `multiflexi-cli user:list` shows those there are.")
        number = row["id"]
    number = number or act.actor.user_id
    if number is None:
        raise click.UsageError("Which user? Give --user-id or --user-login.")
    return number


def request_id(options: Options) -> int:
    """Return the request that the options name.

    Raises
    ------
    click.UsageError
        They name none.
    """
    if options.request_id is None:
        raise click.UsageError("Which request? Give --request-id.")
    number: int = options.request_id
    return number


def confirm(options: Options, output: Output, question: str) -> None:
    """Ask whoever sits at a terminal whether it is really meant.

    Raises
    ------
    RefusedError
        It is not.
    """
    asked = sys.stdin.isatty() and not (options.force or output.json)
    if asked and not click.confirm(question, err=True):
        raise RefusedError("Nothing was done.")


def missing(number: int) -> MissingError:
    """Return what tells that there is no such request."""
    return MissingError(f"There is no request {number}. `multiflexi-cli user-erasure:list` shows those there are.")


async def rows(
    reader: Reader, limit: int | None, offset: int, oldest: bool, status: str | None, number: int | None
) -> Rows:
    """Return requests that those may see for whom the command line acts: their own, or all if they manage users."""
    actor = cast("Actor | None", whom.ACTOR.get())
    own = actor.user_id if actor is not None and not actor.everywhere("users.manage") else None
    found = await reader.rows("erasure.list", limit, offset, oldest, status, number, own)
    await reader.reveal_at([(row, "login", f"user-{row['user_id']}") for row in found.rows])
    for field, stored in (("reason", "reason"), ("review_notes", "notes")):
        sealed = [({stored: row[field]}, stored, f"erasure-{row['id']}") for row in found.rows]
        await reader.reveal_at(sealed)
        for row, (document, _, _) in zip(found.rows, sealed, strict=True):
            row[field] = document[stored]
    return found


async def trail_of(act: Acting, number: int) -> list[dict[str, Any]]:
    """Return what happened to a request, a row for each thing that was changed on the way."""
    trail: list[dict[str, Any]] = []
    async for recorded in act.store.read_stream(f"erasure-{number}"):
        event = recorded.event
        if not isinstance(event, ErasureEvent):
            continue
        reason = getattr(event, "reason", None) or getattr(event, "notes", None)
        line: dict[str, Any] = {
            "deletion_request_id": number,
            "performed_date": recorded.time,
            "action": type(event).__name__.removeprefix("Erasure").lower(),
            "table_name": "user_deletion_requests",
            "record_id": number,
            "reason": None if isinstance(reason, Erased) else reason,
            "performed_by": recorded.meta.get("actor"),
            "user_id": event.user_id,
            "deletion_type": event.deletion_type if isinstance(event, ErasureRequested) else None,
            "hash": recorded.hash.hex(),
        }
        trail.append(line)
        if isinstance(event, ErasureStarted):
            trail += [
                {**line, "action": one.action, "table_name": one.table_name, "record_id": one.record_id}
                for one in event.done
            ]
    return trail


def csv_of(trail: list[dict[str, Any]]) -> str:
    """Return the rows as CSV (RFC 4180)."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(trail[0]))
    writer.writeheader()
    for row in trail:
        writer.writerow({k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()})
    return text.getvalue()


def save(path: Path, text: str) -> None:
    """Write a new file that nobody else may read.

    Raises
    ------
    RefusedError
        It is there already, or cannot be written.
    """
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(text, encoding="utf-8", newline="")
    except FileExistsError:
        raise RefusedError(f"{path} is there already. Name another file.", field="export_audit") from None
    except OSError as error:
        raise RefusedError(f"{path} cannot be written: {error.strerror}.", field="export_audit") from None
