"""Servers that companies use, such as those of accounting systems."""

from __future__ import annotations

from typing import Any

import click

from cli.acting import acting
from cli.command import FIELDS_OPTION, KEY_OPTION, PAGING, Options, command, one_id, option, required_id
from cli.failure import MissingError
from cli.output import Output
from cli.reading import reading
from domain.server import ChangeServer, CreateServer, RemoveServer

SHOWN = ("id", "name", "type", "url", "companies")
TYPE = option("type", metavar="NAME", help="What runs there, e.g. AbraFlexi.")


@command(*PAGING, FIELDS_OPTION)
async def list_servers(output: Output, options: Options) -> None:
    """List the servers."""
    async with reading() as reader:
        found = await reader.rows("server.list", None, options.limit, options.offset, options.order == "D")
    output.rows(found, SHOWN)


@command(*one_id("server"), FIELDS_OPTION)
async def get_server(output: Output, options: Options) -> None:
    """Show a server with the companies that use it."""
    number = required_id(options, "server")
    async with reading() as reader:
        found = await reader.row("server.list", number, 1, 0, False)
    if found is None:
        raise MissingError(f"There is no server {number}. `multiflexi-cli server:list` shows those there are.")
    output.record(found)


@command(
    option("name", required=True, metavar="TEXT", help="Name of the server."),
    option("url", required=True, metavar="URL", help="Its address, without a password."),
    TYPE,
    KEY_OPTION,
)
async def create_server(output: Output, options: Options) -> None:
    """Put a server down."""
    wish = CreateServer(name=options.name, url=options.url, kind=options.type or None)
    async with acting() as act:
        outcome = await act.execute(wish, options.idempotency_key)
    output.answer({"server_id": outcome.id}, f"Server {outcome.id} was created.")


@command(
    *one_id("server"),
    option("name", metavar="TEXT", help="Name of the server."),
    option("url", metavar="URL", help="Its address, without a password."),
    TYPE,
    KEY_OPTION,
)
async def update_server(output: Output, options: Options) -> None:
    """Change a server.

    An empty value takes a field away: --type ''.
    """
    number = required_id(options, "server")
    fields: dict[str, Any] = {name: value for name in ("name", "url") if (value := getattr(options, name)) is not None}
    if options.type is not None:
        fields["kind"] = options.type or None
    if not fields:
        raise click.UsageError("What is to change? Give at least one field, e.g. --url.")
    async with acting() as act:
        changed = bool((await act.execute(ChangeServer(server_id=number, **fields), options.idempotency_key)).events)
    done = "was changed" if changed else "is like that already; nothing was changed"
    output.answer({"server_id": number, "updated": changed}, f"Server {number} {done}.")


@command(*one_id("server"), KEY_OPTION)
async def remove_server(output: Output, options: Options) -> None:
    """Forget a server.

    It is refused while companies use it.
    """
    number = required_id(options, "server")
    async with acting() as act:
        await act.execute(RemoveServer(server_id=number), options.idempotency_key)
    output.answer({"server_id": number, "removed": True}, f"Server {number} was removed.")
