"""Requests for access to companies: asked for, answered, taken back."""

from __future__ import annotations

from datetime import UTC

import click

from cli import whom
from cli.acting import acting
from cli.command import FIELDS_OPTION, KEY_OPTION, PAGING, Options, command, flag, one_id, option, required_id
from cli.failure import MissingError
from cli.output import Output, Rows
from cli.reading import Reader, reading
from cli.values import ID, MOMENT
from domain.access_request import STATES, ApproveRequest, RefuseRequest, RequestAccess, WithdrawRequest
from domain.command import Command
from domain.event import UNSET
from domain.permissions import COMPANY_ROLES

SHOWN = ("id", "company_id", "user_id", "login", "role", "until", "status", "requested_at", "answered_by")


@command(
    option("company_id", type=ID, help="Only for this company."),
    option("status", type=click.Choice(STATES), help="Only those that stand like this."),
    *PAGING,
    FIELDS_OPTION,
)
async def list_requests(output: Output, options: Options) -> None:
    """List requests for access: one's own, and those that one can answer; newest first."""
    async with reading(whole=True) as reader:
        found = await rows(
            reader, options.limit, options.offset, options.order == "A", options.company_id, options.status, None
        )
        output.rows(found, SHOWN)


@command(*one_id("request"), FIELDS_OPTION)
async def get_request(output: Output, options: Options) -> None:
    """Show a request for access."""
    number = required_id(options, "request")
    async with reading(whole=True) as reader:
        found = (await rows(reader, 1, 0, False, None, None, number)).rows
    if not found:
        raise MissingError("There is no such request. `multiflexi-cli access-request:list` shows those there are.")
    output.record(found[0])


@command(
    option("company_id", type=ID, required=True, help="Company."),
    option("role", metavar="ROLE", default="viewer", help=f"Role: {', '.join(COMPANY_ROLES)}; viewer unless told."),
    option("until", type=MOMENT, metavar="TIME", help="Moment at which the access is to end, e.g. +8h."),
    option("reason", metavar="TEXT", help="What it is for; stored encrypted."),
    option("user_id", type=ID, help="For this user; the one that this command acts as unless told."),
    KEY_OPTION,
)
async def create_request(output: Output, options: Options) -> None:
    """Ask for access to a company."""
    async with acting() as act:
        user = options.user_id or act.actor.user_id
        if user is None:
            raise click.UsageError("Who asks? Give --user_id.")
        wish = RequestAccess(
            company_id=options.company_id,
            user_id=user,
            role=options.role,
            until=options.until and options.until.astimezone(UTC),
            reason=options.reason,
        )
        outcome = await act.execute(wish, options.idempotency_key)
    output.answer({"access_request_id": outcome.id}, f"Request {outcome.id} was made.")


@command(*one_id("request"), KEY_OPTION)
async def withdraw_request(output: Output, options: Options) -> None:
    """Take back a request that nobody has answered."""
    number = required_id(options, "request")
    await answer(WithdrawRequest(access_request_id=number), output, options, "withdrawn")


@command(
    *one_id("request"),
    option(
        "until", type=MOMENT, metavar="TIME", help="Moment at which the access ends, in place of the one asked for."
    ),
    flag("forever", help="It does not end, whatever was asked for."),
    KEY_OPTION,
)
async def approve_request(output: Output, options: Options) -> None:
    """Grant what was asked for, from this moment on."""
    number = required_id(options, "request")
    until = None if options.forever else UNSET if options.until is None else options.until.astimezone(UTC)
    await answer(ApproveRequest(access_request_id=number, until=until), output, options, "approved")


@command(*one_id("request"), option("reason", metavar="TEXT", help="Why; stored encrypted."), KEY_OPTION)
async def refuse_request(output: Output, options: Options) -> None:
    """Refuse what was asked for."""
    number = required_id(options, "request")
    await answer(RefuseRequest(access_request_id=number, reason=options.reason), output, options, "refused")


async def answer(wish: Command, output: Output, options: Options, how: str) -> None:
    """Execute a command that ends a request."""
    async with acting() as act:
        outcome = await act.execute(wish, options.idempotency_key)
    output.answer({"access_request_id": outcome.id, "status": how}, f"Request {outcome.id} was {how}.")


async def rows(
    reader: Reader,
    limit: int | None,
    offset: int,
    oldest: bool,
    company_id: int | None,
    status: str | None,
    number: int | None,
) -> Rows:
    """Return requests that those may see for whom the command line acts: their own, and where they see the members."""
    actor = whom.ACTOR.get()
    companies, user = None, None
    if actor is not None and not actor.everywhere("member.view"):
        companies = [one for one, allowed in actor.grants.items() if "member.view" in allowed]
        user = actor.user_id
    found = await reader.rows("access_request.list", limit, offset, oldest, company_id, status, number, companies, user)
    await reader.reveal_at([(row, "login", f"user-{row['user_id']}") for row in found.rows])
    for field, stored in (("reason", "reason"), ("answer", "reason")):
        sealed = [({stored: row[field]}, stored, f"access_request-{row['id']}") for row in found.rows]
        await reader.reveal_at(sealed)
        for row, (document, _, _) in zip(found.rows, sealed, strict=True):
            row[field] = document[stored]
    return found
