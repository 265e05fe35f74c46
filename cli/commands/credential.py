"""Credentials: listed, shown with their secrets masked, revealed on the record."""

from __future__ import annotations

import sys

import click

from cli.acting import acting
from cli.command import FIELDS_OPTION, PAGING, Options, command, flag, one_id, option, required_id
from cli.commands.credential_type import COMPANY
from cli.failure import MissingError, RefusedError
from cli.finding import company_id
from cli.output import Output
from cli.reading import reading
from cli.values import ID, Count
from commands.credential_showing import reveal, shown

SHOWN = ("id", "name", "company_slug", "prototype", "status", "templates", "expires_at", "rotate_at")
SOON = 30


@command(
    *COMPANY,
    option("credential-type-id", type=ID, help="Only those of this type."),
    option(
        "due", type=Count(0), metavar="DAYS", is_flag=False, flag_value=SOON, help="Only those with something to do."
    ),
    *PAGING,
    FIELDS_OPTION,
)
async def list_credentials(output: Output, options: Options) -> None:
    """List the credentials, and what is to be done about them.

    Status: expired, expiring, rotate (its values are older than they should get), incomplete (a required field has no
    value), broken (the newest check failed), ok. --due lists those that are not ok, or will not be within so many days.
    """
    async with reading() as reader:
        found = await reader.rows(
            "credential.credentials", await company_id(reader, options), options.credential_type_id, None, options.due,
            options.limit, options.offset, options.order == "D",
        )  # fmt: skip
    fields = tuple(name for name in found.fields if name != "position")
    for row in found.rows:
        del row["position"]
    output.rows(type(found)(fields, found.rows), SHOWN)


@command(
    *one_id("credential"),
    flag("reveal", help="Show secrets in clear; who saw them, and when, is written down."),
    option("reason", metavar="TEXT", help="Why they are to be seen; it is written down, too."),
    flag("yes", help="Do not ask whether secrets are to be shown."),
    FIELDS_OPTION,
)
async def get_credential(output: Output, options: Options) -> None:
    """Show a credential with where it is used.

    Secrets are masked unless --reveal shows them.
    """
    number = required_id(options, "credential")
    if options.reveal and not options.yes:
        confirm(number)
    async with reading() as reader:
        found = await reader.row("credential.credential", number)
        if found is None:
            raise MissingError(
                f"There is no credential {number}. `multiflexi-cli credential:list` shows those there are."
            )
        values = {name: one.text for name, one in (await shown(await reader.keyring(), found)).items()}
    if options.reveal:
        async with acting() as act:
            values |= await reveal(act.shell, act.actor, number, options.reason)
    for name in ("definition", "shared", "values"):
        del found[name]
    checked = found.pop("checked") or {}
    found["check"] = f"{checked['outcome']}: {checked['message']}" if checked else None
    found["checked_at"] = checked.get("checked_at")
    revealed = found.pop("revealed") or {}
    found |= {"revealed_to": revealed.get("revealed_to"), "revealed_at": revealed.get("revealed_at")}
    if output.json or output.fields:
        output.record({**found, "values": values})
        return
    found["used_by"] = ", ".join(f"{one['id']} {one['name']}" for one in found["used_by"]) or None
    output.record({**found, **values})


def missing(number: int) -> str:
    """Return what is said of a credential that there is not."""
    return f"There is no credential {number}. `multiflexi-cli credential:list` shows those there are."


def confirm(number: int) -> None:
    """Ask whether secrets are to be shown.

    Raises
    ------
    RefusedError
        Nobody is there to be asked, or the answer was no.
    """
    if not sys.stdin.isatty():
        raise RefusedError("Nobody is there to confirm that secrets are shown. Give --yes.", field="yes")
    if not click.confirm(f"Show the secrets of credential {number} on this screen?", err=True):
        raise RefusedError("Nothing was shown.", field="reveal")
