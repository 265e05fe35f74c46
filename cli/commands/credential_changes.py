"""Credentials created, changed, removed."""

from __future__ import annotations

from typing import Any

import click

from cli.acting import Acting, acting, in_zone, warn
from cli.command import KEY_OPTION, Options, boolean, command, flag, one_id, option, required_id
from cli.commands.credential_type import COMPANY, secrets_of
from cli.credential_values import UNSET_OPTION, VALUES, given_values, warn_of_line
from cli.failure import MissingError, RefusedError
from cli.finding import company_id
from cli.output import Output
from cli.values import EMPTY, ID, MOMENT, Count, OrEmpty
from domain.credential import ChangeCredential, CreateCredential, RemoveCredential
from domain.event import UNSET

DETAILS = (
    boolean("write_only", "Whether its secrets are never shown; this stays so."),
    option("expires_at", type=OrEmpty(MOMENT), metavar="TIME", help="When it expires."),
    option("rotate_every", type=OrEmpty(Count(1)), metavar="DAYS", help="How old its values should get at most."),
)


@command(
    option("name", required=True, metavar="TEXT", help="Name of the credential."),
    *COMPANY,
    option("credential-type-id", type=ID, required=True, help="Its type."),
    *VALUES,
    *DETAILS,
    KEY_OPTION,
)
async def create_credential(output: Output, options: Options) -> None:
    """Create a credential of a company's type."""
    async with acting() as act:
        described = await the_type(act, options.credential_type_id)
        wish = CreateCredential(
            name=options.name,
            company_id=await company_id(act.reader, options) or 0,
            credential_type_id=options.credential_type_id,
            values=given_values(options),
            **{name: value for name, value in details(options).items() if value is not UNSET},
        )
        outcome = await act.execute(wish, options.idempotency_key)
    warn(outcome, output)
    warn_of_line(options, secrets_of(described), output)
    output.answer({"credential_id": outcome.id}, f"Credential {outcome.id} was created.")


@command(
    *one_id("credential"),
    option("name", metavar="TEXT", help="Name of the credential."),
    *COMPANY,
    option("credential-type-id", type=ID, help="Another type of the same company."),
    *VALUES,
    UNSET_OPTION,
    *DETAILS,
    KEY_OPTION,
)
async def update_credential(output: Output, options: Options) -> None:
    """Change a credential.

    An empty value leaves a field as it is, --unset takes its value away.
    """
    number = required_id(options, "credential")
    changed: dict[str, Any] = {name: value for name, value in details(options).items() if value is not UNSET}
    for name in ("name", "credential_type_id"):
        if (value := getattr(options, name)) is not None:
            changed[name] = value
    values = given_values(options)
    async with acting() as act:
        owner = await company_id(act.reader, options)
        if not changed and not values and owner is None:
            raise click.UsageError("What is to change? Give at least one field, e.g. --field KEY=VALUE.")
        found = await act.reader.row("credential.credential", number)
        if found is None:
            raise MissingError(
                f"There is no credential {number}. `multiflexi-cli credential:list` shows those there are."
            )
        if owner not in (None, found["company_id"]):
            raise RefusedError(
                f"Credential {number} belongs to company {found['company_id']}, which stays so: its values are "
                "encrypted for that company. Create another one.",
                field="company_id",
            )
        outcome = await act.execute(
            ChangeCredential(credential_id=number, values=values, **changed), options.idempotency_key
        )
    warn(outcome, output)
    warn_of_line(options, secrets_of(found), output)
    what = "was changed" if outcome.events else "is like that already; nothing was changed"
    output.answer({"updated": bool(outcome.events), "credential_id": number}, f"Credential {number} {what}.")


@command(*one_id("credential"), flag("cascade", help="Also if run templates use it."), KEY_OPTION)
async def remove_credential(output: Output, options: Options) -> None:
    """Remove a credential.

    It is refused while run templates use it, which are named, unless --cascade takes it from them.
    """
    number = required_id(options, "credential")
    async with acting() as act:
        await act.execute(RemoveCredential(credential_id=number, cascade=options.cascade), options.idempotency_key)
    output.answer({"credential_id": number, "removed": True}, f"Credential {number} was removed.")


def details(options: Options) -> dict[str, Any]:
    """Return the fields that options give; unset are those that they do not."""
    expires, every = options.expires_at, options.rotate_every
    return {
        "write_only": UNSET if options.write_only is None else options.write_only,
        "expires_at": UNSET if expires is None else None if expires == EMPTY else in_zone(expires, None),
        "rotate_every": UNSET if every is None else None if every == EMPTY else every,
    }


async def the_type(act: Acting, number: int) -> dict[str, Any]:
    """Return a credential type."""
    found = await act.reader.row("credential.type", number, None)
    if found is None:
        raise MissingError(
            f"There is no credential type {number}. `multiflexi-cli credential-type:list` shows those there are."
        )
    return found
