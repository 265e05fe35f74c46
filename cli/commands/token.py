"""API tokens."""

from __future__ import annotations

from datetime import UTC

import click

from cli import whom
from cli.acting import Acting, acting
from cli.command import FIELDS_OPTION, KEY_OPTION, PAGING, Options, command, flag, one_id, option, required_id
from cli.failure import MissingError
from cli.output import Output, Rows
from cli.reading import Reader, reading
from cli.values import ID, MOMENT
from commands import tokens
from domain.api_token import ChangeToken, CreateToken, RevokeToken
from domain.event import UNSET

SHOWN = ("id", "user_id", "name", "start", "until", "used_at", "active")

SCOPE = (
    option("user", type=ID, help="Id of the user who acts by it; the one that this command acts as unless told."),
    option("name", metavar="TEXT", help="What it is for."),
    option("until", type=MOMENT, metavar="TIME", help="Moment at which it ends, e.g. +30d; never unless told."),
    option("permission", multiple=True, metavar="NAME", help="Only this permission; may be repeated. All unless told."),
    option("company_id", multiple=True, type=ID, help="Only this company; may be repeated. All unless told."),
)


@command(option("user", type=ID, help="Only of this user."), *PAGING, FIELDS_OPTION)
async def list_tokens(output: Output, options: Options) -> None:
    """List the API tokens. What they are is shown once, when they are made."""
    async with reading(whole=True) as reader:
        newest = options.order == "D"
        output.rows(await found(reader, options.limit, options.offset, newest, options.user, None), SHOWN)


@command(*one_id("token"), FIELDS_OPTION)
async def get_token(output: Output, options: Options) -> None:
    """Show an API token, but what it is."""
    number = required_id(options, "token")
    async with reading(whole=True) as reader:
        rows = (await found(reader, 1, 0, False, None, number)).rows
    if not rows:
        raise MissingError("There is no such token. `multiflexi-cli token:list` shows those there are.")
    output.record(rows[0])


@command(*SCOPE, KEY_OPTION)
async def generate_token(output: Output, options: Options) -> None:
    """Make an API token and show it, once."""
    token = tokens.new_token()
    number = await made(options, token)
    output.answer({"token_id": number, "token": token}, f"Token {number}, shown this once:\n{token}")


@command(
    *SCOPE,
    option("token", metavar="TOKEN", help="The token, at least 32 characters; one is made and shown unless told."),
    KEY_OPTION,
)
async def create_token(output: Output, options: Options) -> None:
    """Make an API token."""
    token = tokens.checked(options.token) if options.token else tokens.new_token()
    number = await made(options, token)
    if options.token:
        output.answer({"token_id": number}, f"Token {number} was made.")
    else:
        output.answer({"token_id": number, "token": token}, f"Token {number}, shown this once:\n{token}")


@command(
    *one_id("token"),
    option("token", metavar="TOKEN", help="Another value, at least 32 characters."),
    option("user", type=ID, help="Must be its user, if it is told: a token stays with its user."),
    option("name", metavar="TEXT", help="What it is for."),
    option("until", type=MOMENT, metavar="TIME", help="Moment at which it ends."),
    flag("forever", help="It does not end."),
    KEY_OPTION,
)
async def update_token(output: Output, options: Options) -> None:
    """Change an API token."""
    number = required_id(options, "token")
    if options.token is None and options.name is None and options.until is None and not options.forever:
        raise click.UsageError("What is to change? Give --token, --name, --until or --forever.")
    async with acting() as act:
        await same_user(act, number, options.user)
        wish = ChangeToken(
            api_token_id=number,
            digest=UNSET if options.token is None else tokens.digest_of(tokens.checked(options.token)),
            name=UNSET if options.name is None else options.name or None,
            until=None if options.forever else UNSET if options.until is None else options.until.astimezone(UTC),
        )
        outcome = await act.execute(wish, options.idempotency_key)
    updated = bool(outcome.events) or outcome.replayed
    text = f"Token {number} was changed." if updated else f"Token {number} is like that already; nothing was changed."
    output.answer({"updated": updated, "token_id": number}, text)


@command(*one_id("token"), KEY_OPTION)
async def delete_token(output: Output, options: Options) -> None:
    """Revoke an API token; it is of no use from this moment on."""
    number = required_id(options, "token")
    async with acting() as act:
        await act.execute(RevokeToken(api_token_id=number), options.idempotency_key)
    output.answer({"deleted": True, "token_id": number}, f"Token {number} was revoked.")


async def found(
    reader: Reader, limit: int | None, offset: int, newest: bool, user: int | None, number: int | None
) -> Rows:
    """Return tokens that those may see for whom the command line acts: their own, or all if they manage users."""
    actor = whom.ACTOR.get()
    if actor is not None and not actor.everywhere("users.manage"):
        user = actor.user_id if user in (None, actor.user_id) else 0
    rows = await reader.rows("token.list", limit, offset, newest, user, number)
    await reader.reveal(rows.rows, "api_token", "name")
    return rows


async def made(options: Options, token: str) -> int:
    """Make a token and return its id."""
    async with acting() as act:
        owner = options.user or act.actor.user_id
        if owner is None:
            raise click.UsageError("Whose token? Give --user.")
        wish = CreateToken(
            user_id=owner,
            digest=tokens.digest_of(token),
            name=options.name,
            permissions=options.permission or None,
            companies=options.company_id or None,
            until=options.until and options.until.astimezone(UTC),
        )
        return (await act.execute(wish, options.idempotency_key)).id


async def same_user(act: Acting, number: int, user: int | None) -> None:
    """See that a token is of the user that was told.

    Raises
    ------
    click.UsageError
        It is another's.
    """
    row = await act.shell.facts.row("api_token", number)
    if user is not None and row is not None and row["user_id"] != user:
        raise click.UsageError(f"Token {number} belongs to user {row['user_id']} and stays theirs. Make another.")
