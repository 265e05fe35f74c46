"""Customers, to whom companies belong."""

from __future__ import annotations

from typing import Any

import click

from cli.acting import acting
from cli.command import FIELDS_OPTION, KEY_OPTION, PAGING, Options, command, one_id, option, required_id
from cli.failure import MissingError
from cli.output import Output
from cli.reading import reading
from domain.customer import ChangeCustomer, CreateCustomer, RemoveCustomer

SHOWN = ("id", "name", "email", "phone", "companies")
PERSONAL = ("name", "email", "phone", "note")
DETAILS = (
    option("email", metavar="ADDRESS", help="Mail address."),
    option("phone", metavar="NUMBER", help="Telephone number."),
    option("note", metavar="TEXT", help="Note for people."),
)


@command(*PAGING, FIELDS_OPTION)
async def list_customers(output: Output, options: Options) -> None:
    """List the customers. Who they are is stored encrypted."""
    async with reading() as reader:
        found = await reader.rows("customer.list", None, options.limit, options.offset, options.order == "D")
        await reader.reveal(found.rows, "customer", *PERSONAL)
    output.rows(found, SHOWN)


@command(*one_id("customer"), FIELDS_OPTION)
async def get_customer(output: Output, options: Options) -> None:
    """Show a customer with their companies."""
    number = required_id(options, "customer")
    async with reading() as reader:
        found = await reader.row("customer.list", number, 1, 0, False)
        if found is None:
            raise MissingError(f"There is no customer {number}. `multiflexi-cli customer:list` shows those there are.")
        await reader.reveal([found], "customer", *PERSONAL)
    output.record(found)


@command(option("name", required=True, metavar="TEXT", help="Name of the customer."), *DETAILS, KEY_OPTION)
async def create_customer(output: Output, options: Options) -> None:
    """Take a customer in."""
    wish = CreateCustomer(name=options.name, **{name: value for name, value in given(options).items() if value})
    async with acting() as act:
        outcome = await act.execute(wish, options.idempotency_key)
    output.answer({"customer_id": outcome.id}, f"Customer {outcome.id} was created.")


@command(*one_id("customer"), option("name", metavar="TEXT", help="Name of the customer."), *DETAILS, KEY_OPTION)
async def update_customer(output: Output, options: Options) -> None:
    """Change a customer.

    An empty value takes a field away: --phone ''.
    """
    number = required_id(options, "customer")
    fields = given(options) | ({"name": options.name} if options.name is not None else {})
    if not fields:
        raise click.UsageError("What is to change? Give at least one field, e.g. --email.")
    async with acting() as act:
        wish = ChangeCustomer(customer_id=number, **fields)
        changed = bool((await act.execute(wish, options.idempotency_key)).events)
    done = "was changed" if changed else "is like that already; nothing was changed"
    output.answer({"customer_id": number, "updated": changed}, f"Customer {number} {done}.")


@command(*one_id("customer"), KEY_OPTION)
async def remove_customer(output: Output, options: Options) -> None:
    """Let a customer go.

    It is refused while companies belong to them.
    """
    number = required_id(options, "customer")
    async with acting() as act:
        await act.execute(RemoveCustomer(customer_id=number), options.idempotency_key)
    output.answer({"customer_id": number, "removed": True}, f"Customer {number} was removed.")


def given(options: Options) -> dict[str, Any]:
    """Return the details that options give; None takes one away."""
    named = {name: getattr(options, name) for name in ("email", "phone", "note")}
    return {name: value or None for name, value in named.items() if value is not None}
