"""Users, and who may do what where."""

from __future__ import annotations

import click

from cli import whom
from cli.command import FIELDS_OPTION, PAGING, Options, chosen_id, command, one_id, option
from cli.failure import MissingError
from cli.output import Output
from cli.reading import Reader, reading
from cli.values import ID
from eventstore.blind_index import BlindIndex

SHOWN = ("id", "login", "firstname", "lastname", "email", "enabled", "roles", "DatCreate")
MEMBERS_SHOWN = ("company_id", "user_id", "login", "role", "until", "active")
PERSONAL = {"login": "login", "email": "email", "firstname": "first_name", "lastname": "last_name"}
"""Personal fields of a user by the names that rows have for them."""


@command(option("company_id", type=ID, help="Only those with access to this company."), *PAGING, FIELDS_OPTION)
async def list_users(output: Output, options: Options) -> None:
    """List the users."""
    async with reading() as reader:
        found = await reader.rows("user.list", options.limit, options.offset, options.order == "D", options.company_id)
        if any(output.shows(field, SHOWN) for field in PERSONAL):
            await reveal(reader, found.rows)
        output.rows(found, SHOWN)


@command(
    *one_id("user"),
    option("login", metavar="LOGIN", help="Login of the user."),
    option("email", metavar="ADDRESS", help="E-mail address of the user."),
    FIELDS_OPTION,
)
async def get_user(output: Output, options: Options) -> None:
    """Show a user."""
    number = chosen_id(options)
    if not (number or options.login or options.email):
        raise click.UsageError("Which user? Give --id, --login or --email.")
    async with reading() as reader:
        index = BlindIndex(await reader.keyring())
        found = await reader.row(
            "user.find",
            number,
            await index.of("login", options.login) if options.login else None,
            await index.of("email", options.email) if options.email else None,
        )
        if found is None:
            raise MissingError("There is no such user. `multiflexi-cli user:list` shows those there are.")
        await reveal(reader, [found])
        output.record(found)


@command(
    option("company_id", type=ID, help="Only this company."), option("user_id", type=ID, help="Only this user."),
    FIELDS_OPTION,
)  # fmt: skip
async def list_members(output: Output, options: Options) -> None:
    """List who has access to which company."""
    companies = whom.COMPANIES.get()
    # Names of users belong to no company, so row-level security hides them from who acts for some.
    async with reading(whole=True) as reader:
        found = await reader.rows(
            "user.members", options.company_id, options.user_id, None if companies == "*" else list(companies)
        )
        await reveal(reader, found.rows, "user_id")
        output.rows(found, MEMBERS_SHOWN)


@command(option("user_id", type=ID, required=True, help="Id of the user."), FIELDS_OPTION)
async def list_roles(output: Output, options: Options) -> None:
    """List the system roles of a user."""
    async with reading() as reader:
        output.rows(await reader.rows("user.roles", options.user_id), ("role", "until", "granted_by", "active"))


async def reveal(reader: Reader, rows: list[dict[str, object]], key: str = "id") -> None:
    """Put the clear texts of who users are into rows."""
    renamed = [
        (row, name, field, f"user-{row[key]}") for row in rows for name, field in PERSONAL.items() if name in row
    ]
    sealed = [({field: row[name]}, field, stream) for row, name, field, stream in renamed]
    await reader.reveal_at(sealed)
    for (row, name, field, _), (document, _, _) in zip(renamed, sealed, strict=True):
        row[name] = document[field]
