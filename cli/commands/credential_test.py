"""Trying whether a credential works."""

from __future__ import annotations

from functools import partial

from cli.acting import acting
from cli.command import Options, command, one_id, option, required_id
from cli.output import Output
from cli.values import Count
from commands.credential_checking import try_credential
from integrations.checks import check
from integrations.checks.check import TIMEOUT

WELL = ("available", "degraded", "unknown")


@command(
    *one_id("credential"),
    option(
        "timeout", type=Count(1), metavar="SECONDS", default=int(TIMEOUT),
        help=f"Give up after so many seconds; {TIMEOUT:.0f} unless told.",
    ),
)  # fmt: skip
async def try_it(output: Output, options: Options) -> int:
    """Try whether a credential works.

    Its server is asked from this host. Tried is what the prototype says, or its fields let tell: an address, a server
    with a port, a database. What it came to is put down. Exits with 1 if it does not work.
    """
    number = required_id(options, "credential")
    async with acting() as act:
        found = await try_credential(act.shell, act.actor, number, partial(check, timeout=float(options.timeout)))
    document = {
        "credential_id": number,
        "outcome": found.outcome,
        "kind": found.kind,
        "message": found.message,
        "duration": found.duration,
    }
    output.answer(document, f"Credential {number} is {found.outcome}: {found.message}")
    return 0 if found.outcome in WELL else 1
