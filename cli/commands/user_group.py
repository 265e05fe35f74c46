"""Groups of users: who is in them; what they may do in companies is granted by ``user-company:assign --group``."""

from __future__ import annotations

from datetime import UTC

import click

from cli.acting import Acting, acting
from cli.command import FIELDS_OPTION, KEY_OPTION, PAGING, Options, command, one_id, option, required_id
from cli.commands.user import reveal
from cli.commands.user_changes import WHO, user_id
from cli.failure import MissingError
from cli.output import Output
from cli.reading import reading
from cli.values import ID, MOMENT
from domain.command import Command
from domain.event import UNSET
from domain.user_group import AddGroupMember, ChangeGroup, CreateGroup, RemoveGroup, RemoveGroupMember

SHOWN = ("id", "name", "description", "members", "companies")
NONE = "There is no such group. `multiflexi-cli user-group:list` shows those there are."

DESCRIPTION = option("description", metavar="TEXT", help="What the group is for.")


@command(option("user_id", type=ID, help="Only those that this user is in."), *PAGING, FIELDS_OPTION)
async def list_groups(output: Output, options: Options) -> None:
    """List the groups of users."""
    async with reading(whole=True) as reader:
        newest = options.order == "D"
        found = await reader.rows("user_group.list", options.limit, options.offset, newest, options.user_id)
        output.rows(found, SHOWN)


@command(*one_id("group"), option("name", metavar="TEXT", help="Name of the group."), FIELDS_OPTION)
async def get_group(output: Output, options: Options) -> None:
    """Show a group with who is in it and what they may do by it."""
    if not options.name:
        required_id(options, "group")
    async with reading(whole=True) as reader:
        found = await reader.row("user_group.find", options.id or options.number, options.name)
        if found is None:
            raise MissingError(NONE)
        members = (await reader.rows("user_group.members", found["id"])).rows
        await reveal(reader, members, "user_id")
        found["members"] = members
        found["access"] = (await reader.rows("user_group.access", found["id"])).rows
        output.record(found)


@command(option("name", required=True, metavar="TEXT", help="Name of the group, unique."), DESCRIPTION, KEY_OPTION)
async def create_group(output: Output, options: Options) -> None:
    """Make a group of users."""
    async with acting() as act:
        wish = CreateGroup(name=options.name, description=options.description)
        outcome = await act.execute(wish, options.idempotency_key)
    output.answer({"user_group_id": outcome.id}, f"Group {outcome.id} was made.")


@command(*one_id("group"), option("name", metavar="TEXT", help="Another name."), DESCRIPTION, KEY_OPTION)
async def update_group(output: Output, options: Options) -> None:
    """Change a group of users."""
    number = required_id(options, "group")
    if options.name is None and options.description is None:
        raise click.UsageError("What is to change? Give --name or --description.")
    wish = ChangeGroup(
        user_group_id=number,
        name=UNSET if options.name is None else options.name,
        description=UNSET if options.description is None else options.description or None,
    )
    await change(wish, output, options, f"Group {number} was changed.")


@command(*one_id("group"), KEY_OPTION)
async def delete_group(output: Output, options: Options) -> None:
    """Remove a group, and what its members can do by it."""
    number = required_id(options, "group")
    await change(RemoveGroup(user_group_id=number), output, options, f"Group {number} was removed.")


@command(
    *one_id("group"), *WHO,
    option("until", type=MOMENT, metavar="TIME", help="Moment at which the user leaves it by itself, e.g. +8h."),
    KEY_OPTION,
)  # fmt: skip
async def add_member(output: Output, options: Options) -> None:
    """Put a user into a group."""
    number = required_id(options, "group")
    async with acting() as act:
        user = await user_id(act, options.user_id, options.login, options.email)
        until = options.until and options.until.astimezone(UTC)
        wish = AddGroupMember(user_group_id=number, user_id=user, until=until)
        await changed(act, wish, output, options, f"User {user} is in group {number}.")


@command(*one_id("group"), *WHO, KEY_OPTION)
async def remove_member(output: Output, options: Options) -> None:
    """Take a user out of a group."""
    number = required_id(options, "group")
    async with acting() as act:
        user = await user_id(act, options.user_id, options.login, options.email)
        wish = RemoveGroupMember(user_group_id=number, user_id=user)
        await changed(act, wish, output, options, f"User {user} is not in group {number} any more.")


async def change(wish: Command, output: Output, options: Options, text: str) -> None:
    """Execute a command about a group and tell whether it changed anything."""
    async with acting() as act:
        await changed(act, wish, output, options, text)


async def changed(act: Acting, wish: Command, output: Output, options: Options, text: str) -> None:
    """Execute a command about a group on an open store."""
    outcome = await act.execute(wish, options.idempotency_key)
    updated = bool(outcome.events) or outcome.replayed
    told = text if updated else f"Group {outcome.id} is like that already; nothing was changed."
    output.answer({"updated": updated, "user_group_id": outcome.id}, told)
