"""Users made, changed and removed; their system roles, and their access to companies."""

from __future__ import annotations

import sys
from datetime import UTC
from importlib import import_module
from typing import Any

import click

from cli.acting import Acting, acting
from cli.command import KEY_OPTION, Options, boolean, chosen_id, command, flag, one_id, option
from cli.failure import MissingError, RefusedError
from cli.output import Output
from cli.values import ID, MOMENT
from commands import passwords
from commands.administrator import ensure_administrator
from domain.errors import DomainError
from domain.event import Event
from domain.membership import GrantMembership, RevokeMembership
from domain.permissions import COMPANY_ROLES, DEFAULT_ROLE, SUPER_ADMIN, SYSTEM_ROLES
from domain.user import role_name
from domain.user_commands import ChangeUser, CreateUser, GrantRole, RemoveUser, RevokeRole, SetPassword

FIELDS = {
    "login": "login",
    "email": "email",
    "firstname": "first_name",
    "lastname": "last_name",
    "enabled": "enabled",
    "language": "language",
}
"""Fields of the commands by the names of options."""

EMPTIED = ("email", "first_name", "last_name", "language")

WHO = (
    option("user_id", type=ID, help="User, by id."),
    option("login", metavar="LOGIN", help="User, by login."),
    option("email", metavar="ADDRESS", help="User, by e-mail address."),
)

GROUP = option("group", metavar="GROUP", help="Group of users, by id or name, in place of a user.")


def details() -> tuple[click.Parameter, ...]:
    """Return the options for who a user is."""
    return (
        option("email", metavar="ADDRESS", help="E-mail address; stored encrypted."),
        option("firstname", metavar="TEXT", help="First name."),
        option("lastname", metavar="TEXT", help="Last name."),
        option("language", metavar="CODE", help="Language, e.g. cs."),
        option(
            "plaintext", metavar="PASSWORD", help="Password; - reads it from standard input, which keeps it secret."
        ),
        option("password", metavar="HASH", help="Password as an Argon2id hash."),
        boolean("enabled", "Whether the user may sign in."),
    )


@command(
    option("login", required=True, metavar="LOGIN", help="Login, unique."),
    *details(),
    option("role", multiple=True, metavar="ROLE", help=f"System role, may be repeated: {', '.join(SYSTEM_ROLES)}."),
    KEY_OPTION,
)
async def create_user(output: Output, options: Options) -> None:
    """Create a user."""
    fields = {name: value for name, value in given(options).items() if value is not None}
    password = await hashed(options, [options.login, options.email, options.firstname, options.lastname])
    wish = CreateUser(**fields, password=password, roles=options.role or (DEFAULT_ROLE,))
    async with acting() as act:
        outcome = await act.execute(wish, options.idempotency_key)
    output.answer({"user_id": outcome.id}, f"User {outcome.id} was created.")


@command(
    *one_id("user"),
    option("login", metavar="LOGIN", help="Login; without --id it names the user."),
    *details(),
    flag("no-password", help="Take the password away."),
    KEY_OPTION,
)
async def update_user(output: Output, options: Options) -> None:
    """Change a user.

    An empty value takes a field away: --email ''.
    """
    fields = given(options)
    if chosen_id(options) is None:
        fields.pop("login", None)
    password = await hashed(options, [options.login, options.email, options.firstname, options.lastname])
    if not fields and password is None and not options.no_password:
        raise click.UsageError("What is to change? Give at least one field, e.g. --email.")
    async with acting() as act:
        number = await user_id(act, chosen_id(options), options.login, None)
        mails = import_module("cli.notices")
        before, happened = await mails.user_before(act, number), list[Event]()
        wishes: list[Any] = [ChangeUser(user_id=number, **fields)] if fields else []
        if password is not None or options.no_password:
            wishes.append(SetPassword(user_id=number, password=password))
        events = 0
        for part, wish in enumerate(wishes):
            key = options.idempotency_key and f"{options.idempotency_key}{part or ''}"
            outcome = await act.execute(wish, key)
            events += len(outcome.events) + outcome.replayed
            happened += [] if outcome.replayed else outcome.events
        await mails.announce(before, happened)
    if events:
        output.answer({"updated": True, "user_id": number}, f"User {number} was changed.")
    else:
        text = f"User {number} is like that already; nothing was changed."
        output.answer({"updated": False, "user_id": number}, text)


@command()
async def first_user(output: Output, options: Options) -> None:
    """Make an administrator with a generated password, if there never was any user."""
    async with acting() as act:
        made = await ensure_administrator(act.shell)
    if made is None:
        output.answer({"user_id": None}, "There is a user already, or was one; none was made.")
        return
    document = {"user_id": made.user_id, "login": made.login, "password": made.password}
    output.answer(document, f"Sign in as {made.login} with the password {made.password} (shown this once).")


@command(*one_id("user"), option("login", metavar="LOGIN", help="Login of the user."), KEY_OPTION)
async def delete_user(output: Output, options: Options) -> None:
    """Remove a user.

    What the user did stays in the log.
    """
    async with acting() as act:
        number = await user_id(act, chosen_id(options), options.login, None)
        await act.execute(RemoveUser(user_id=number), options.idempotency_key)
    text = f"User {number} was removed."
    output.answer({"status": "success", "message": text}, text)


@command(
    *WHO,
    option("roles", required=True, metavar="ROLES", help=f"System roles, with commas: {', '.join(SYSTEM_ROLES)}."),
    boolean("replace", "Whether roles that are not named are revoked (default), or kept."),
    option("until", type=MOMENT, metavar="TIME", help="Moment at which the roles end, e.g. +8h."),
    option("assigned_by", type=ID, help="Taken and ignored: the log tells who did it."),
)
async def set_roles(output: Output, options: Options) -> None:
    """Set the system roles of a user, all of them or none."""
    wanted = list(dict.fromkeys(role_name(name) for name in options.roles.split(",") if name.strip()))
    async with acting() as act:
        number = await user_id(act, options.user_id, options.login, options.email)
        rows = (await act.reader.rows("user.roles", number)).rows
        dropped = [row["role"] for row in rows if row["role"] not in wanted] if options.replace is not False else []
        until = options.until and options.until.astimezone(UTC)
        before = {row["role"] for row in rows}
        granted: list[str] = []
        # First what is granted: who takes the last mighty role away and grants it anew must not be stopped half-way.
        # Then that role, which may have to stay; what was granted is taken back then.
        try:
            for role in wanted:
                await act.execute(GrantRole(user_id=number, role=role, until=until))
                granted.append(role)
            for role in sorted(dropped, key=lambda role: role != SUPER_ADMIN):
                await act.execute(RevokeRole(user_id=number, role=role))
        except DomainError:
            for role in granted:
                if role not in before:
                    await act.execute(RevokeRole(user_id=number, role=role))
            raise
        held = [row["role"] for row in (await act.reader.rows("user.roles", number)).rows]
    output.answer({"user_id": number, "roles": held}, f"User {number} has the roles {', '.join(held) or 'none'}.")


@command(
    option("company_id", type=ID, required=True, help="Company."),
    *WHO,
    GROUP,
    option("role", metavar="ROLE", default="viewer", help=f"Role: {', '.join(COMPANY_ROLES)}; viewer unless told."),
    option("until", type=MOMENT, metavar="TIME", help="Moment at which the access ends, e.g. +8h."),
    option("more", metavar="PERMISSIONS", default="", help="Permissions beyond those of the role, with commas."),
    option("less", metavar="PERMISSIONS", default="", help="Permissions of the role that are not given, with commas."),
    KEY_OPTION,
)
async def assign_user(output: Output, options: Options) -> None:
    """Give a user, or a group of users, access to a company.

    Who has it gets the role and the permissions that are named.
    """
    async with acting() as act:
        number, group = await whose(act, options)
        wish = GrantMembership(
            user_id=number,
            user_group_id=group,
            company_id=options.company_id,
            role=options.role,
            until=options.until and options.until.astimezone(UTC),
            more=listed(options.more),
            less=listed(options.less),
        )
        outcome = await act.execute(wish, options.idempotency_key)
    named, who = told(number, group)
    document = {"id": outcome.id, "company_id": options.company_id, **named, "role": options.role}
    output.answer(document, f"{who} has access to company {options.company_id} as {options.role}.")


@command(option("company_id", type=ID, required=True, help="Company."), *WHO, GROUP, KEY_OPTION)
async def unassign_user(output: Output, options: Options) -> None:
    """Take a user's or a group's access to a company away.

    From this moment on.
    """
    async with acting() as act:
        number, group = await whose(act, options)
        wish = RevokeMembership(user_id=number, user_group_id=group, company_id=options.company_id)
        await act.execute(wish, options.idempotency_key)
    named, who = told(number, group)
    document = {"company_id": options.company_id, **named, "unassigned": True}
    output.answer(document, f"{who} has no access to company {options.company_id} any more.")


async def whose(act: Acting, options: Options) -> tuple[int | None, int | None]:
    """Return the id of the user, or of the group, that options name."""
    if options.group is None:
        return await user_id(act, options.user_id, options.login, options.email), None
    if options.user_id or options.login or options.email:
        raise click.UsageError("A user and a group were given. Give one.")
    number = int(options.group) if options.group.isascii() and options.group.isdigit() else None
    row = await act.whole.row("user_group.find", number, None if number is not None else options.group)
    if row is None:
        raise MissingError("There is no such group. `multiflexi-cli user-group:list` shows those there are.")
    return None, row["id"]


def told(number: int | None, group: int | None) -> tuple[dict[str, int | None], str]:
    """Return a user or a group as an answer in JSON names it, and as one in words does."""
    return ({"user_id": number}, f"User {number}") if group is None else ({"user_group_id": group}, f"Group {group}")


def given(options: Options) -> dict[str, Any]:
    """Return the fields of the command that options were given for."""
    fields = {FIELDS[name]: value for name, value in vars(options).items() if name in FIELDS and value is not None}
    for name in EMPTIED:
        if fields.get(name) == "":
            fields[name] = None
    return fields


def listed(text: str) -> tuple[str, ...]:
    """Return the words of a list with commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


async def hashed(options: Options, about: list[str | None]) -> str | None:
    """Return the hash of the password that was given; None if none was.

    Raises
    ------
    RefusedError
        What was given as a hash is none of Argon2id.
    ValidationError
        The password is too weak.
    """
    if options.password:
        if not options.password.startswith("$argon2id$"):
            raise RefusedError(
                "--password takes an Argon2id hash ($argon2id$…). Give the password itself as --plaintext -.",
                field="password",
            )
        return str(options.password)
    if options.plaintext is None:
        return None
    clear = sys.stdin.readline().rstrip("\r\n") if options.plaintext == "-" else options.plaintext
    return await passwords.hashed(passwords.check(clear, about))


async def user_id(act: Acting, number: int | None, login: str | None, email: str | None) -> int:
    """Return the id of the user that options name.

    Raises
    ------
    MissingError
        There is none.
    """
    if number is not None:
        return number
    if not (login or email):
        raise click.UsageError("Which user? Give the id, --login or --email.")
    facts = act.shell.facts
    kind, text = ("login", login) if login else ("email", email)
    row = await facts.row(f"user_of_{kind}", await facts.keyed(kind, text or ""))
    if row is None:
        raise MissingError("There is no such user. `multiflexi-cli user:list` shows those there are.")
    found: int = row["id"]
    return found
